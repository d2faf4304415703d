package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/quality"
)

func estateOf(t testing.TB, relations ...cmdb.Relation) *cmdb.Snapshot {
	t.Helper()
	ids := map[string]bool{}
	var cis []cmdb.CI
	for _, r := range relations {
		for _, id := range []string{r.From, r.To} {
			if !ids[id] {
				ids[id] = true
				cis = append(cis, cmdb.CI{ID: id, Class: "server"})
			}
		}
	}
	s, err := cmdb.New(cis, relations)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// replayed runs alerts in the neutral form.
func replayed(t testing.TB, alerts, changes string, opt Options) (*Result, error) {
	t.Helper()
	src := &Neutral{Alerts: strings.NewReader(alerts), AlertsName: "alerts.jsonl", ChangesName: "changes.jsonl", Timeout: 5 * time.Minute}
	if changes != "" {
		src.Changes = strings.NewReader(changes)
	}
	if opt.Config.Threshold == 0 {
		opt.Config = correlate.DefaultConfig()
	}
	return Run(t.Context(), src, opt)
}

func predictions(t *testing.T, alerts string, opt Options) string {
	t.Helper()
	res, err := replayed(t, alerts, "", opt)
	if err != nil {
		t.Fatal(err)
	}
	// Incidents by the alert that they are first named with.
	names := map[string]string{}
	var out []string
	for _, p := range res.Records().Predicted {
		if p.IncidentID != "" && names[p.IncidentID] == "" {
			names[p.IncidentID] = "I" + p.AlertID
		}
		out = append(out, p.AlertID+"="+names[p.IncidentID])
	}
	return strings.Join(out, " ")
}

func TestNeutral(t *testing.T) {
	opt := Options{Estate: estateOf(t, cmdb.Relation{From: "shop", To: "db", Type: "depends_on"}, cmdb.Relation{From: "x", To: "y", Type: "depends_on"})}
	f := func(name, want string, lines ...string) {
		t.Helper()
		if got := predictions(t, strings.Join(lines, "\n"), opt); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	db := `{"time":1000000,"end_time":1000300,"id":"db","ci":"db","name":"Down"}`
	shop := `{"time":1000010,"end_time":1000300,"id":"shop","ci":"shop","name":"Slow"}`
	f("neighbours", "db=Idb shop=Idb", db, shop)
	f("out of order", "db=Idb shop=Idb", shop, db)
	f("a stranger", "db=Idb x=Ix", db, `{"time":1000011,"id":"x","ci":"x","name":"Down"}`)
	f("the same alert again while it fires is one firing", "a=Ia b=Ia", `{"time":1000000,"id":"a","ci":"db","name":"Down"}`, `{"time":1000060,"id":"b","ci":"db","name":"Down"}`)
	f("and a long time later two", "a=Ia b=Ib", `{"time":1000000,"id":"a","ci":"db","name":"Down"}`, `{"time":1100000,"id":"b","ci":"db","name":"Down"}`)
	f("two alerts by their fingerprints", "a=Ia b=Ia", `{"time":1000000,"id":"a","ci":"db","name":"Down","fingerprint":"1"}`, `{"time":1000000,"id":"b","ci":"db","name":"Down","fingerprint":"2"}`)
	f("years apart and backwards", "b=Ib a=Ia", `{"time":4000000000,"id":"a","ci":"db","name":"Down"}`, `{"time":1,"id":"b","ci":"db","name":"Down"}`)
	f("a watchdog is left out", "w=", `{"time":1000000,"end_time":1000300,"id":"w","ci":"db","name":"Watchdog"}`)
	f("without a CI", "a=Ia", `{"time":1000000,"id":"a","labels":{"alertname":"Odd","ci":"nowhere"}}`)
}

// After the end, conclusions count and what the silence brings does not.
func TestSettle(t *testing.T) {
	alert := `{"time":1000000,"id":"w","ci":"db","name":"Watchdog"}
{"time":1000000,"end_time":1000001,"id":"a","ci":"db","name":"Down"}`
	res, err := replayed(t, alert, "", Options{Settle: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := res.Outcome.Totals(), (Totals{Episodes: 2, LeftOut: 1, Incidents: 1, Paged: 1, Reduction: .5}); got != want {
		t.Errorf("got %+v, want %+v: the end is not the watchdog's silence", got, want)
	}
}

func TestSeverityHidden(t *testing.T) {
	alert := `{"time":1000000,"id":"a","ci":"db","name":"Down","severity":1,"labels":{"severity":"critical","team":"x"}}`
	var seen []ingest.Event
	src := &Neutral{Alerts: strings.NewReader(alert), AlertsName: "a"}
	spy := sourceFunc(func(ctx context.Context, yield func(Input) bool) error {
		return src.Read(ctx, func(in Input) bool {
			ok := yield(in)
			seen = append(seen, *in.Event)
			return ok
		})
	})
	if _, err := Run(t.Context(), spy, Options{Config: correlate.DefaultConfig()}); err != nil {
		t.Fatal(err)
	}
	if seen[0].Severity != ingest.Critical {
		t.Errorf("severity %s, want critical", seen[0].Severity)
	}
	ev := seen[0]
	hideSeverity(&ev, []string{"severity", "level"})
	if ev.Severity != ingest.Unknown || ev.Labels.Get("severity") != "" || ev.Labels.Get("team") != "x" || ev.Fingerprint != seen[0].Fingerprint {
		t.Errorf("hidden: %+v", ev)
	}
}

type sourceFunc func(ctx context.Context, yield func(Input) bool) error

func (f sourceFunc) Read(ctx context.Context, yield func(Input) bool) error { return f(ctx, yield) }

// What is further out of order than the window reaches is decided at the time
// that the replay has reached, and told.
func TestLate(t *testing.T) {
	var b strings.Builder
	const ahead = 100
	for i := range ahead + 10 {
		fmt.Fprintf(&b, `{"time":%d,"end_time":%d,"id":"a%d","ci":"c%d","name":"Down"}`+"\n", 1_700_000_000+i, 1_700_000_000+i, i, i%50)
	}
	fmt.Fprint(&b, `{"time":1600000000,"end_time":1600000001,"id":"late","ci":"c1","name":"Down"}`)
	src := &Neutral{Alerts: strings.NewReader(b.String()), AlertsName: "a", ahead: ahead}
	res, err := Run(t.Context(), src, Options{Config: correlate.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	c := res.Input
	if c.Late.Count != 2 || c.Late.Example != "late" || c.Late.Most < 3*365*24*time.Hour {
		t.Errorf("late: %+v", c.Late)
	}
	if got, want := c.Unbound.Count, int64(ahead+10); got < want || len(c.Unbound.Some) != maxExamples {
		t.Errorf("unbound: %+v, want %d and %d examples", c.Unbound, want, maxExamples)
	}
}

func TestRunErrors(t *testing.T) {
	f := func(want string, alerts, changes string, opt Options) {
		t.Helper()
		if _, err := replayed(t, alerts, changes, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	good := `{"time":1000000,"id":"a","ci":"db","name":"Down"}`
	f("alerts.jsonl: no alert in it", "", "", Options{})
	f(`alerts.jsonl: id "a" comes twice; give each firing an id of its own`, good+"\n"+good, "", Options{})
	f("alerts.jsonl:1: ", `{"id":"a"}`, "", Options{})
	f("changes.jsonl:2: ", good, `{"time":1000000,"id":"c"}`+"\n"+`{"id":"d"}`, Options{})
	bad := correlate.DefaultConfig()
	bad.Threshold = -1
	f("threshold", good, "", Options{Config: bad})
	f("binding rules", good, "", Options{Rules: []cmdb.Rule{{}}})
	// As many mistakes as a wrong file has are not told.
	_, err := replayed(t, strings.Repeat("{}\n", 5000), "", Options{})
	if n := strings.Count(fmt.Sprint(err), "\n"); n < 50 || n > 250 {
		t.Errorf("%d mistakes told", n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, &Neutral{Alerts: strings.NewReader(good), AlertsName: "a"}, Options{Config: correlate.DefaultConfig()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := &Neutral{Alerts: io.MultiReader(strings.NewReader(good+"\n"), brokenReader{}), AlertsName: "a"}
	if _, err := Run(t.Context(), broken, Options{Config: correlate.DefaultConfig()}); !errors.Is(err, errDisk) {
		t.Errorf("a disk that fails: %v", err)
	}
}

var errDisk = errors.New("disk on fire")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errDisk }

// The same input gives the same bytes.
func TestRecordsAreTheSame(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, `{"time":%d,"end_time":%d,"id":"a%d","ci":"c%d","name":"N%d"}`+"\n", 1_700_000_000+i*7%5000, 1_700_009_000+i%300, i, i%40, i%7)
	}
	fmt.Fprintln(&b, `{"time":1700000060,"id":"z","ci":"z","name":"Down"}`)
	relations := []cmdb.Relation{{From: "z2", To: "z", Type: "depends_on"}}
	for i := range 39 {
		relations = append(relations, cmdb.Relation{From: fmt.Sprint("c", i+1), To: fmt.Sprint("c", i/2), Type: "depends_on"})
	}
	var first []byte
	for range 3 {
		res, err := replayed(t, b.String(), `{"time":1700000000,"id":"CHG","ci":"z"}`, Options{Estate: estateOf(t, relations...)})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := res.Records().Write(filepath.Join(dir, "new", "folder")); err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, name := range []string{"predicted.jsonl", "causes.jsonl", "changes.jsonl", "problems.jsonl"} {
			data, err := os.ReadFile(filepath.Join(dir, "new", "folder", name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data...)
		}
		if first == nil {
			first = all
		}
		if !bytes.Equal(first, all) {
			t.Fatal("two replays of the same wrote other bytes")
		}
	}
	if !bytes.Contains(first, []byte(`"change_id":"CHG"`)) {
		t.Error("no change is named by its own ID")
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(Records).Write(file); err == nil {
		t.Error("records were written into a file")
	}
	if err := os.Mkdir(filepath.Join(dir, "causes.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := new(Records).Write(dir); err == nil || !strings.Contains(err.Error(), "causes.jsonl") {
		t.Errorf("records over a folder: %v", err)
	}
}

// Of incidents that are one group, the largest speaks.
func TestSpokesmen(t *testing.T) {
	r := &Result{Outcome: outcomeOf("A(x):1 B(y):2 3 C(z):4"), grouped: true}
	for i, group := range []string{"G", "G", "H"} {
		r.Outcome.incidents[i].group = group
	}
	want := []quality.Causes{
		{IncidentID: "G", Causes: []quality.Cause{{Kind: "ci", ID: "y", Score: .5}}},
		{IncidentID: "H", Causes: []quality.Cause{{Kind: "ci", ID: "z", Score: .5}}},
	}
	if d := cmp.Diff(want, r.Records().Causes); d != "" {
		t.Error(d)
	}
}
