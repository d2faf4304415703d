package learn

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"tocsin/correlate"
)

func TestFragment(t *testing.T) {
	f := func(want string, change func(*correlate.Config)) {
		t.Helper()
		cfg := correlate.DefaultConfig()
		change(&cfg)
		got, err := Fragment(&cfg, "why\nand how\n")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff("# why\n# and how\n"+want, string(got)); d != "" {
			t.Errorf("got %s: %s", got, d)
		}
		// It is the configuration again.
		back := struct{ Correlation correlate.Config }{correlate.DefaultConfig()}
		if err := yaml.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(cfg, back.Correlation); d != "" {
			t.Errorf("%s is not what was written: %s", got, d)
		}
	}
	f("correlation: {}\n", func(*correlate.Config) {})
	f("correlation:\n  threshold: 80\n  weights:\n    text: 0\n  noise:\n    window: 1h0m0s\n", func(c *correlate.Config) {
		c.Threshold, c.Weights.Text, c.Noise.Window = 80, 0, correlate.Duration(time.Hour)
	})
	f(`correlation:
  watchdogs:
    - match:
        alertname: "0"
  rules:
    - name: quiet
      match:
        - team="cloud"
      min_alerts: 3
    - name: apart-by-tenant
      must_not_link:
        by:
          - tenant
`, func(c *correlate.Config) {
		c.Watchdogs = []correlate.WatchdogConfig{{Match: map[string]string{"alertname": "0"}}}
		c.Rules = []correlate.Rule{{Name: "quiet", Match: []string{`team="cloud"`}, MinAlerts: 3}, {Name: "apart-by-tenant", MustNotLink: &correlate.MustNotLink{By: []string{"tenant"}}}}
	})
}
