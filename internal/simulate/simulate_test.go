package simulate

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
)

func mustNew(t testing.TB, o Options) *World {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// files are all files of a world by name.
func files(t testing.TB, w *World) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{
		"topology": w.WriteTopology, "alerts": w.WriteAlerts, "truth": w.WriteTruth,
		"incidents": w.WriteIncidents, "changes": w.WriteChanges, "change_truth": w.WriteChangeTruth,
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

func TestSeedDecidesEverything(t *testing.T) {
	for _, p := range Profiles() {
		o := Defaults()
		o.Profile = p
		a, b := files(t, mustNew(t, o)), files(t, mustNew(t, o))
		o.Seed++
		c := files(t, mustNew(t, o))
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s: %s differs between two worlds of one seed", p, name)
			}
			if a[name] == c[name] {
				t.Errorf("%s: %s is the same for another seed", p, name)
			}
			if a[name] == "" {
				t.Errorf("%s: %s is empty", p, name)
			}
		}
	}
}

// What is asked for in addition moves nothing that was there.
func TestPartsDoNotDisturbEachOther(t *testing.T) {
	o := Defaults()
	o.Noise = 0
	quiet := mustNew(t, o)
	o.Noise, o.Changes = 0.5, 1000
	loud := mustNew(t, o)
	if d := cmp.Diff(slices.Collect(quiet.CIs()), slices.Collect(loud.CIs())); d != "" {
		t.Errorf("estates (-quiet +loud):\n%s", d)
	}
	without := func(w *World) (out []Incident) {
		for in := range w.Incidents() {
			in.Alerts = 0 // noise that fires already takes one now and then
			out = append(out, in)
		}
		return out
	}
	if d := cmp.Diff(without(quiet), without(loud)); d != "" {
		t.Errorf("incidents (-quiet +loud):\n%s", d)
	}
}

func TestShares(t *testing.T) {
	f := func(o Options) {
		t.Helper()
		s := mustNew(t, o).Summary()
		near := func(what string, got, of int, want, tolerance float64) {
			t.Helper()
			if share := float64(got) / float64(of); math.Abs(share-want) > tolerance {
				t.Errorf("%s, seed %d: %s is %.3f (%d of %d), want %.3f", o.Profile, o.Seed, what, share, got, of, want)
			}
		}
		near("noise", s.Noise, s.Alerts, o.Noise, 0.02)
		near("incidents", s.Incidents, o.Faults, 1, 0.03)
		near("overlap", s.Overlapping, o.Faults, o.Overlap, 0.06)
		near("recurring", s.Recurring, o.Faults, o.Problems, 0.05)
		near("caused", s.Causing, o.Faults, o.Caused, 0.03)
		if s.CIs != o.CIs || s.Changes != o.Changes+s.Causing {
			t.Errorf("%s: %d CIs and %d changes, %d of them causing; want %d CIs and %d other changes", o.Profile, s.CIs, s.Changes, s.Causing, o.CIs, o.Changes)
		}
	}
	for _, p := range Profiles() {
		for seed := range uint64(3) {
			o := Defaults()
			o.Profile, o.Seed, o.CIs, o.Faults = p, seed, 5000, 200
			f(o)
			o.Overlap, o.Noise, o.Caused, o.Problems = 0.5, 0.6, 0.7, 0
			f(o)
			o.Overlap, o.Noise, o.Caused, o.Problems = 0, 0, 0, 0.8
			f(o)
		}
	}
}

// Missed alerts and flapping are shares of a fault's alerts, which are compared
// with the same world without.
func TestMissedAndFlap(t *testing.T) {
	o := Defaults()
	o.Faults, o.CIs, o.Noise, o.Missed, o.Flap, o.Overlap, o.Problems = 300, 20_000, 0, 0, 0, 0, 0
	all := mustNew(t, o).Summary()
	if all.Alerts < all.Distinct || float64(all.Alerts) > 1.2*float64(all.Distinct) {
		t.Fatalf("%d alerts of %d fingerprints; want hardly any that fires twice", all.Alerts, all.Distinct)
	}
	o.Missed = 0.3
	if got := float64(mustNew(t, o).Summary().Alerts) / float64(all.Alerts); math.Abs(got-0.7) > 0.04 {
		t.Errorf("with 30 %% missed %.2f of the alerts fire", got)
	}
	o.Missed, o.Flap = 0, 0.4
	seen, again := map[string]int{}, 0
	for a := range mustNew(t, o).Alerts() {
		if seen[a.Fingerprint]++; seen[a.Fingerprint] == 2 {
			again++
		}
	}
	if got := float64(again) / float64(len(seen)); math.Abs(got-0.4) > 0.06 {
		t.Errorf("with 40 %% flapping %.2f of the fingerprints fire more than once", got)
	}
	o.Missed, o.Flap = 1, 0
	if s := mustNew(t, o).Summary(); s.Alerts < 290 || s.Alerts > 300 {
		t.Errorf("with all missed there are %d alerts, want one for each of the 300 faults", s.Alerts)
	}
}

func TestSeverityDoesNotGiveNoiseAway(t *testing.T) {
	for _, p := range Profiles() {
		o := Defaults()
		o.Profile, o.CIs, o.Faults, o.Noise = p, 5000, 300, 0.5
		w := mustNew(t, o)
		var of [2][5]float64
		var n [2]float64
		for _, e := range w.episodes {
			k := 0
			if e.fault == none {
				k = 1
			}
			of[k][e.severity]++
			n[k]++
		}
		for sev := 1; sev <= 4; sev++ {
			fault, noise := of[0][sev]/n[0], of[1][sev]/n[1]
			if math.Abs(fault-noise) > 0.04 {
				t.Errorf("%s: severity %d is %.3f of the faults' alerts and %.3f of the noise", p, sev, fault, noise)
			}
		}
	}
	o := Defaults()
	o.NoiseSeverity = 4
	w := mustNew(t, o)
	for _, e := range w.episodes {
		if e.fault == none && e.severity != 4 {
			t.Fatalf("noise of severity %d, want 4", e.severity)
		}
	}
}

func TestNetworkFaultsGoOneHopWithinTwoMinutes(t *testing.T) {
	o := Defaults()
	o.Profile, o.CIs, o.Faults, o.Flap, o.Noise, o.Overlap = ProfileNetwork, 2000, 300, 0, 0, 0
	w := mustNew(t, o)
	far, late, n := 0, 0, 0
	for _, e := range w.episodes {
		f := w.incidents[w.place[e.fault]]
		if k := w.lib.kinds[f.kind].name; k == "power_lost" || k == "cooling" {
			continue // these go through racks
		}
		n++
		if !slices.ContainsFunc(f.roots, func(r int32) bool { return slices.Contains(w.estate.ball(r, 1), e.ci) }) {
			far++
		}
		if float64(e.start)-f.start > 120 {
			late++
		}
	}
	if n < 500 || far*20 > n || late*20 > n {
		t.Errorf("of %d alerts %d are more than one hop from the root and %d more than two minutes late; want less than one in twenty", n, far, late)
	}
}

func TestStorm(t *testing.T) {
	o := Options{CIs: 12_000, Storm: 100_000, Seed: 3}
	w := mustNew(t, o)
	s := w.Summary()
	if s.Alerts != 100_000 || s.Distinct != 100_000 || s.Incidents != 1 {
		t.Fatalf("%+v; want 100,000 distinct alerts of one incident", s)
	}
	in := slices.Collect(w.Incidents())[0]
	if in.Kind != "storm" || !slices.Equal(in.RootCIs, []string{"directory"}) {
		t.Errorf("incident %+v, want a storm at the directory", in)
	}
	needed := 0
	for r := range w.Relations() {
		if r.To == "directory" {
			needed++
		}
	}
	if needed != StormLeaves {
		t.Errorf("the hub has %d neighbours", needed)
	}
	for a := range w.Alerts() {
		if a.Time < in.Start || a.Time > in.Start+10 {
			t.Fatalf("%s fires %d s after the storm began", a.ID, a.Time-in.Start)
		}
	}
}

func TestEstatesAreValid(t *testing.T) {
	for _, p := range Profiles() {
		sizes := []int{333, 3000, 3001, 10_017}
		for n := MinCIs; n < 120; n++ {
			sizes = append(sizes, n)
		}
		for _, n := range sizes {
			w := mustNew(t, Options{Profile: p, CIs: n})
			s, err := cmdb.New(slices.Collect(w.CIs()), slices.Collect(w.Relations()))
			if err != nil {
				t.Errorf("%s with %d CIs: %v", p, n, err)
				continue
			}
			if s.Len() != n || len(s.Cycles(1)) > 0 || len(s.SharedKeys(1)) > 0 {
				t.Errorf("%s: %d CIs, want %d; circles %v, shared keys %v", p, s.Len(), n, s.Cycles(1), s.SharedKeys(1))
			}
			for i, c := range s.All() {
				if len(s.Needs(i))+len(s.NeededBy(i)) == 0 {
					t.Errorf("%s with %d CIs: %s has no relations", p, n, c.ID)
				}
			}
		}
	}
}

// Alerts of hosts find their CI by what monitoring knows of them.
func TestHostsAreBound(t *testing.T) {
	w := mustNew(t, Defaults())
	s, err := cmdb.New(slices.Collect(w.CIs()), slices.Collect(w.Relations()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := cmdb.NewBinder(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for a := range w.Alerts() {
		if a.Labels["instance"] == "" && a.Labels["device"] == "" {
			continue
		}
		n++
		if got := b.Bind(func(l string) string { return a.Labels[l] }); got.CI != a.CI {
			t.Fatalf("alert of %s with %v is bound to %q by %q", a.CI, a.Labels, got.CI, got.By)
		}
	}
	if n < 50 {
		t.Errorf("only %d alerts of hosts", n)
	}
}

// The lines of alerts.jsonl are what Alerts yields, as JSON.
func TestWritersAgreeWithIterators(t *testing.T) {
	w := mustNew(t, Defaults())
	f := files(t, w)
	dec := json.NewDecoder(strings.NewReader(f["alerts"]))
	dec.DisallowUnknownFields()
	for want := range w.Alerts() {
		var got Alert
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("alert (-iterator +file):\n%s", d)
		}
	}
	var topology struct {
		CIs []struct {
			ID, Type   string
			Attributes map[string]string
		}
		Edges []struct{ From, To, Type string }
	}
	if err := json.Unmarshal([]byte(f["topology"]), &topology); err != nil {
		t.Fatal(err)
	}
	i := 0
	for c := range w.CIs() {
		if got := topology.CIs[i]; got.ID != c.ID || got.Type != c.Class || !cmp.Equal(got.Attributes, c.Attributes) {
			t.Fatalf("CI %+v in the file, %+v from the iterator", got, c)
		}
		i++
	}
	if i = 0; len(topology.Edges) != w.Summary().Relations {
		t.Fatalf("%d relations in the file, want %d", len(topology.Edges), w.Summary().Relations)
	}
	for r := range w.Relations() {
		if got := topology.Edges[i]; got.From != r.From || got.To != r.To || got.Type != r.Type {
			t.Fatalf("relation %+v in the file, %+v from the iterator", got, r)
		}
		i++
	}
	for _, name := range []string{"truth", "incidents", "changes", "change_truth"} {
		for line := range strings.Lines(f[name]) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: %q is no JSON", name, line)
			}
		}
	}
	if !strings.Contains(f["truth"], `"incident_id":null`) || !strings.Contains(f["incidents"], `"problem_id":null`) {
		t.Error("want null for the incident of noise, and for no problem")
	}
}

// full refuses to take more than some bytes.
type full int

func (f *full) Write(b []byte) (int, error) {
	if *f -= full(len(b)); *f < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWritersReportErrors(t *testing.T) {
	w := mustNew(t, Options{CIs: 30_000, Faults: 2000, Changes: 20_000})
	for name, write := range map[string]func(io.Writer) error{"topology": w.WriteTopology, "alerts": w.WriteAlerts, "truth": w.WriteTruth,
		"incidents": w.WriteIncidents, "changes": w.WriteChanges} {
		disk := full(1000)
		if err := write(&disk); err == nil {
			t.Errorf("%s: written to a full disk without an error", name)
		}
	}
}

func TestValidate(t *testing.T) {
	f := func(change func(*Options), want ...string) {
		t.Helper()
		o := Defaults()
		change(&o)
		var got []string
		if err := o.Validate(); err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if _, err := New(o); (err == nil) != (len(want) == 0) {
			t.Errorf("New: %v", err)
		}
	}
	f(func(*Options) {})
	f(func(o *Options) { o.CIs = 3 }, "--cis 3: want 10 to 10000000")
	f(func(o *Options) { o.CIs, o.Noise, o.Overlap, o.Faults = 9, 2, math.NaN(), -1 },
		"--cis 9: want 10 to 10000000", "--faults -1: want 0 to 1000000", "--overlap NaN: want a share from 0 to 1", "--noise 2: want a share from 0 to 0.99")
	f(func(o *Options) { o.Profile = "cloud" }, `--profile "cloud": want one of application, kubernetes, network, mixed`)
	f(func(o *Options) { o.Duration = time.Second }, "--duration 1s: want one minute to ten years")
	f(func(o *Options) { o.Start = time.Unix(-1, 0).UTC() }, "--start 1969-12-31T23:59:59Z: want a year from 1970 to 9000")
	f(func(o *Options) { o.Storm = 5 }, "--storm 5 with --cis 1000: its hub has 10000 neighbours, so want --cis of at least 10011")
	f(func(o *Options) { o.Faults = 0 }, "--noise 0.3 with --faults 0: it is a share of all alerts, so something else must raise some; want --faults of at least 1")
	f(func(o *Options) {
		o.Flap, o.Missed, o.Caused, o.Problems, o.NoiseSeverity, o.Changes = -1, -1, -1, -1, 5, -1
	},
		"--noise-severity 5: want 0 to 4", "--flap -1: want a share from 0 to 1", "--missed -1: want a share from 0 to 1",
		"--changes -1: want 0 to 20000000", "--caused -1: want a share from 0 to 1", "--problems -1: want a share from 0 to 1")
}

func TestOptionsOfZeroWork(t *testing.T) {
	w := mustNew(t, Options{})
	if s := w.Summary(); s.CIs != 1000 || s.Alerts != 0 || s.Changes != 0 {
		t.Errorf("%+v, want an estate of 1,000 CIs where nothing happens", s)
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		o := Defaults()
		o.CIs, o.Faults, o.Overlap = n, 200, 0.5
		b.Run("cis="+map[int]string{1_000: "1000", 100_000: "100000"}[n], func(b *testing.B) {
			for b.Loop() {
				mustNew(b, o)
			}
		})
	}
}

func BenchmarkWriteAlerts(b *testing.B) {
	o := Defaults()
	o.Faults = 2000
	w := mustNew(b, o)
	for b.Loop() {
		if err := w.WriteAlerts(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(w.episodes))*float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}
