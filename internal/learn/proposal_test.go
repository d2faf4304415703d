package learn

import (
	"reflect"
	"testing"

	"tocsin/correlate"
)

// Every weight there is has proposals, and each proposal is a configuration that
// can be put in place and differs in one thing.
func TestNumbers(t *testing.T) {
	cfg := correlate.DefaultConfig()
	bold, mild := numbers(&cfg)
	seen := map[string]bool{}
	for _, p := range append(bold, mild...) {
		c := p.Config()
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", p.Change, err)
		}
		if seen[p.Change] || reflect.DeepEqual(c, cfg) {
			t.Errorf("%s: proposed twice, or no change", p.Change)
		}
		seen[p.Change] = true
	}
	for i := range mild {
		if b := bold[mild[i].parent]; b.Kind != mild[i].Kind {
			t.Errorf("%s is the milder of %s", mild[i].Change, b.Change)
		}
	}
	if got, want := len(kinds), reflect.TypeFor[correlate.Weights]().NumField(); got != want {
		t.Errorf("%d kinds of evidence have proposals, want %d", got, want)
	}
	for _, k := range kinds {
		var w correlate.Weights
		*k.weight(&w) = 7
		if err := w.Without(k.name); err != nil || w != (correlate.Weights{}) {
			t.Errorf("%s is another weight: %+v, %v", k.name, w, err)
		}
	}
	// What is impossible is not proposed: a threshold above merge_threshold, or
	// of nothing.
	cfg.Threshold, cfg.MergeThreshold, cfg.Noise.Chronic, cfg.Weights.Text = 15, 20, 0, 0
	bold, mild = numbers(&cfg)
	seen = map[string]bool{}
	for _, p := range append(bold, mild...) {
		seen[p.Change] = true
	}
	for change, want := range map[string]bool{
		"threshold: 15 → -5": false, "threshold: 15 → 5": true, "threshold: 15 → 35": false, "merge_threshold: 20 → 0": false,
		"merge_threshold: 20 → 80": true, "noise.chronic: 0 → 5": true, "noise.chronic: 0 → 0": false, "weights.text: 0 → 50": true, "weights.text: 0 → 0": false,
	} {
		if seen[change] != want {
			t.Errorf("%s: proposed %t, want %t", change, seen[change], want)
		}
	}
}
