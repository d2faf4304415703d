package simulate

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/cmdb"
)

func drawOptions(t *rapid.T) Options {
	share := func(name string) float64 {
		return rapid.OneOf(rapid.SampledFrom([]float64{0, 1}), rapid.Float64Range(0, 1)).Draw(t, name)
	}
	o := Options{
		Profile: rapid.SampledFrom(Profiles()).Draw(t, "profile"), CIs: rapid.IntRange(MinCIs, 600).Draw(t, "cis"),
		Seed: rapid.Uint64().Draw(t, "seed"), Duration: time.Duration(rapid.IntRange(60, 800_000).Draw(t, "seconds")) * time.Second,
		Faults: rapid.IntRange(0, 40).Draw(t, "faults"), Overlap: share("overlap"), Noise: min(share("noise"), 0.9), Flap: share("flap"),
		Missed: share("missed"), Changes: rapid.IntRange(0, 50).Draw(t, "changes"), Caused: share("caused"), Problems: share("problems"),
		NoiseSeverity: rapid.IntRange(0, 4).Draw(t, "noise severity"),
	}
	if o.Faults == 0 {
		o.Noise = 0
	}
	return o
}

func drawWorld(t *rapid.T) *World {
	w, err := New(drawOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLawEstate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		s, err := cmdb.New(slices.Collect(w.CIs()), slices.Collect(w.Relations()))
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != w.opts.CIs || len(s.Cycles(1)) > 0 {
			t.Fatalf("%d CIs, want %d; circles: %v", s.Len(), w.opts.CIs, s.Cycles(1))
		}
	})
}

func TestLawAlerts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		cis := map[string]bool{}
		for c := range w.CIs() {
			cis[c.ID] = true
		}
		incidents := map[string]Incident{}
		for in := range w.Incidents() {
			incidents[in.ID] = in
		}
		truth := slices.Collect(w.Truth())
		counts := map[string]int{}
		until := map[string]int64{}
		ids := map[string]bool{}
		severity := map[string]int{}
		i, last := 0, int64(0)
		for a := range w.Alerts() {
			tr := truth[i]
			i++
			if !cis[a.CI] || tr.CI != a.CI || tr.AlertID != a.ID || ids[a.ID] {
				t.Fatalf("alert %+v with the truth %+v", a, tr)
			}
			ids[a.ID] = true
			if a.Time < last || a.EndTime <= a.Time || a.Time < w.opts.Start.Unix() {
				t.Fatalf("alert from %d to %d after one at %d", a.Time, a.EndTime, last)
			}
			last = a.Time
			if end, ok := until[a.Fingerprint]; ok && a.Time <= end {
				t.Fatalf("%s fires at %d although it fires until %d", a.Fingerprint, a.Time, end)
			}
			until[a.Fingerprint] = a.EndTime
			if a.Severity < 1 || a.Severity > 4 || a.Name == "" || a.Text == "" || strings.ContainsAny(a.Text, "{}") || a.Labels["alertname"] != a.Name {
				t.Fatalf("alert %+v", a)
			}
			if tr.IncidentID == "" {
				if tr.Root {
					t.Fatalf("noise %s is about a root", a.ID)
				}
				continue
			}
			counts[tr.IncidentID]++
			in, ok := incidents[tr.IncidentID]
			if !ok || a.Time < in.Start {
				t.Fatalf("alert %+v of incident %+v (%v)", a, in, ok)
			}
			if tr.Root != slices.Contains(in.RootCIs, a.CI) {
				t.Fatalf("alert on %s, root %v, of an incident with roots %v", a.CI, tr.Root, in.RootCIs)
			}
			if was, ok := severity[a.Fingerprint]; ok && was != a.Severity {
				t.Fatalf("%s has the severities %d and %d", a.Fingerprint, was, a.Severity)
			}
			severity[a.Fingerprint] = a.Severity
		}
		for id, in := range incidents {
			if counts[id] != in.Alerts || in.Alerts == 0 {
				t.Fatalf("incident %+v has %d alerts", in, counts[id])
			}
		}
	})
}

// suffering is an effect of a CI.
type suffering struct {
	ci     int32
	effect effect
}

// reach is all that a fault could do with enough bad luck.
func reach(w *World, f *fault) map[suffering]bool {
	seen := map[suffering]bool{}
	var level []suffering
	for _, r := range f.roots {
		level = append(level, suffering{r, w.lib.kinds[f.kind].effect})
	}
	for depth := 0; len(level) > 0 && depth <= maxDepth; depth++ {
		var next []suffering
		for _, s := range level {
			if seen[s] {
				continue
			}
			seen[s] = true
			for _, r := range w.estate.relations {
				for _, p := range passages() {
					at, to := r.to, r.from
					if p.toNeeded {
						at, to = to, at
					}
					if at == s.ci && p.typ == r.typ && p.cause == s.effect &&
						(p.at == 0 || p.at.has(w.estate.items[at].class)) && (p.to == 0 || p.to.has(w.estate.items[to].class)) {
						next = append(next, suffering{to, p.effect})
					}
				}
			}
		}
		level = next
	}
	return seen
}

// Every alert is a sign of something that its fault can do to its CI.
func TestLawAlertsAreWithinReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		o.CIs, o.Faults = min(o.CIs, 120), min(o.Faults, 6)
		if o.Faults == 0 {
			o.Noise = 0
		}
		w, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		within := map[*fault]map[suffering]bool{}
		for _, f := range w.incidents {
			within[f] = reach(w, f)
		}
		for _, e := range w.episodes {
			if e.fault == none {
				continue
			}
			f := w.incidents[w.place[e.fault]]
			k := w.lib.kinds[f.kind]
			name := w.lib.alarms[e.alarm].name
			ok := e.root && slices.ContainsFunc(k.alarms, func(a ownAlarm) bool { return a.name == name })
			for x := range effects {
				ok = ok || within[f][suffering{e.ci, x}] &&
					slices.ContainsFunc(w.lib.signs[w.estate.items[e.ci].class][x], func(s numberedSign) bool { return s.alarm == e.alarm })
			}
			if !ok {
				t.Fatalf("%s on %s cannot be of %s at %s", name, w.estate.items[e.ci].id, k.name, w.estate.items[f.roots[0]].id)
			}
		}
	})
}

func TestLawChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		incidents := map[string]Incident{}
		problems := map[string]string{}
		last := int64(0)
		for in := range w.Incidents() {
			incidents[in.ID] = in
			if in.Start < last {
				t.Fatalf("incident %+v before %d", in, last)
			}
			last = in.Start
			if kind, ok := problems[in.ProblemID]; in.ProblemID != "" && ok && kind != in.Kind {
				t.Fatalf("problem %s is %s and %s", in.ProblemID, kind, in.Kind)
			}
			problems[in.ProblemID] = in.Kind
		}
		near := map[[2]string]bool{}
		for r := range w.Relations() {
			near[[2]string{r.From, r.To}], near[[2]string{r.To, r.From}] = true, true
		}
		changes := map[string]Change{}
		last = 0
		for c := range w.Changes() {
			if c.Time < last || c.Kind == "" {
				t.Fatalf("change %+v after %d", c, last)
			}
			last = c.Time
			changes[c.ID] = c
		}
		caused := map[string]bool{}
		for ct := range w.ChangeTruth() {
			c, in := changes[ct.ChangeID], incidents[ct.IncidentID]
			if before := in.Start - c.Time; before < 0 || before > 1801 {
				t.Fatalf("change %+v %d s before %+v", c, before, in)
			}
			if c.CI != in.RootCIs[0] && !near[[2]string{c.CI, in.RootCIs[0]}] {
				t.Fatalf("change %+v is not next to a root of %+v", c, in)
			}
			if caused[in.ID] {
				t.Fatalf("%s was caused twice", in.ID)
			}
			caused[in.ID] = true
		}
	})
}

func TestLawSameOptionsSameWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		var out [2]bytes.Buffer
		for i := range out {
			w, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{w.WriteTopology(&out[i]), w.WriteAlerts(&out[i]), w.WriteTruth(&out[i]), w.WriteIncidents(&out[i]), w.WriteChanges(&out[i])} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
			t.Fatal("two worlds of one seed differ")
		}
	})
}

// The numbers that alarms are known by must be those that are meant.
func TestTablesNameAlarmsThatExist(t *testing.T) {
	l := newLibrary()
	used := map[string]bool{}
	check := func(name string) {
		t.Helper()
		used[name] = true
		if _, ok := l.number[name]; !ok {
			t.Errorf("no alarm is called %q", name)
		}
	}
	for _, s := range signs() {
		check(s.alarm)
	}
	for _, k := range kinds() {
		for _, a := range k.alarms {
			check(a.name)
		}
		if len(k.alarms) == 0 && len(l.signs[k.at][k.effect]) == 0 && k.at != deployment {
			t.Errorf("%s at a %s shows nothing", k.name, k.at)
		}
	}
	for _, a := range l.alarms {
		if !used[a.name] {
			t.Errorf("%s: nothing raises it", a.name)
		}
	}
	if len(l.number) != len(l.alarms) {
		t.Error("two alarms have one name")
	}
}
