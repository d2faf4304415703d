package mapping

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
	"tocsin/ingest/httpdoor/doortest"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func mustCompile(t testing.TB, spec Spec) *Mapping {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "test"
	}
	m, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCompileNamesEveryMistake(t *testing.T) {
	_, err := Compile(Spec{Name: "a/b", Each: ".[", Kind: "incident", Labels: map[string]string{"host": ".a |\n  ] .b", "empty": " "},
		StartsAt: "$nothing", EndsAt: "input", Severity: `env.HOME | fail`, Fingerprint: []string{".ok", "("}, GeneratorURL: `import "x" as x; .`})
	if err == nil {
		t.Fatal("no error")
	}
	var fields []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, rest, _ := strings.Cut(line, `mapping "a/b": `)
		if field, _, ok := strings.Cut(rest, ": "); ok {
			fields = append(fields, field)
		}
	}
	want := []string{"name", "each", "kind", "severity", "starts_at", "ends_at", "generator_url", "labels.empty", "labels.host", "fingerprint[1]"}
	if d := cmp.Diff(want, fields); d != "" {
		t.Errorf("%s\n%v", d, err)
	}
	for _, place := range []string{"labels.host: 2:3: ", "each: 1:3: "} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%v\nhas no place %s", err, place)
		}
	}
	if _, err := Compile(Spec{Name: "x"}); err == nil {
		t.Error("a mapping without labels was taken")
	}
}

func TestParseIsStrict(t *testing.T) {
	f := func(file, want string) {
		t.Helper()
		specs, err := Parse(strings.NewReader(file), "m.yaml")
		if err == nil {
			_, err = NewSet(specs)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", file, err, want)
		}
	}
	f("", "m.yaml: empty")
	f("mappings: []", "no mappings")
	f("mappings: [{name: a, lables: {x: .x}}]", "lables")
	f("mappings: [{name: a, labels: {x: .x}}]\nmore: 1", "line 2")
	f("mappings: [{name: a, labels: {x: .x}}]\n---\nmappings: []", "more than one document")
	f("mappings: [{name: a, labels: {x: .x}}, {name: a, labels: {x: .x}}]", "twice")
	f("mappings: [{name: a, labels: {x: '.['}}, {name: b, labels: {x: '.]'}}]", `mapping "b"`)
}

// one decodes a message that must give one event.
func one(t *testing.T, spec Spec, body string) ingest.Event {
	t.Helper()
	b := mustCompile(t, spec).Decode(t.Context(), []byte(body), true)
	if len(b.Events) != 1 || len(b.Rejected) != 0 {
		t.Fatalf("%s: %d events, rejected %v; want one event", body, len(b.Events), b.Rejected)
	}
	return b.Events[0]
}

func TestLabelValues(t *testing.T) {
	spec := Spec{LabelsFrom: ".l", Labels: map[string]string{"Name": ".n", "gone": "empty"}}
	e := one(t, spec, `{"n":"As Sent","l":{"Name":"overruled","big":12345678901234567890,"f":1.50,"t":true,"no":false,"nil":null,"e":"","sum":1e3}}`)
	want := ingest.LabelsOf("Name", "As Sent", "big", "12345678901234567890", "f", "1.50", "t", "true", "no", "false", "sum", "1e3")
	if d := cmp.Diff(want, e.Labels); d != "" {
		t.Error(d)
	}
	f := func(expr, body, want string) {
		t.Helper()
		b := mustCompile(t, Spec{Labels: map[string]string{"host": expr}}).Decode(t.Context(), []byte(body), true)
		if len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Err.Error(), want) || !strings.Contains(b.Rejected[0].Err.Error(), "labels.host") {
			t.Errorf("%s of %s: %v, want labels.host and %q", expr, body, b.Rejected, want)
		}
	}
	f(".h", `{"h":{"a":1}}`, "object")
	f(".h", `{"h":["a"]}`, "array")
	f(".h.a", `{"h":"text"}`, "text")
	f(".h[]", `{"h":["a","b"]}`, "more than one value")
	f(`error("no")`, `{}`, "no")
	f("halt", `{}`, "halt")
	f("[limit(3; repeat(1))] | error", `{}`, "1")
	b := mustCompile(t, Spec{LabelsFrom: ".l"}).Decode(t.Context(), []byte(`[{"l":{"x":{}}},{"l":7}]`), true)
	if len(b.Rejected) != 2 || !strings.Contains(b.Rejected[0].Error(), `event 0: labels_from: "x"`) || !strings.Contains(b.Rejected[1].Error(), "want an object") {
		t.Errorf("%v", b.Rejected)
	}
}

func TestTimes(t *testing.T) {
	f := func(value, layout string, want time.Time) {
		t.Helper()
		e := one(t, Spec{Labels: map[string]string{"a": `"b"`}, StartsAt: ".t", TimeLayout: layout}, `{"t":`+value+`}`)
		if !e.StartsAt.Equal(want) {
			t.Errorf("%s: %v, want %v", value, e.StartsAt, want)
		}
	}
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	f(`"2026-11-21T11:00:00+01:00"`, "", at)
	f(`1795255200`, "", at)
	f(`"1795255200"`, "", at)
	f(`1795255200000`, "", at)
	f(`1795255200000000`, "", at)
	f(`1795255200000000000`, "", at)
	f(`1795255200.25`, "", at.Add(250*time.Millisecond))
	f(`1795255200250.5`, "", at.Add(250*time.Millisecond+500*time.Microsecond))
	f(`"2026-11-21 10:00:00"`, time.DateTime, at)
	f(`1795255200`, time.DateTime, at)
	f(`null`, "", time.Time{})
	f(`""`, "", time.Time{})
	f(`0`, "", time.Time{})
	for _, bad := range []string{`"soon"`, `-5`, `true`, `"0x10"`, `1e300`, `{}`, `"NaN"`, `"inf"`} {
		b := mustCompile(t, Spec{Labels: map[string]string{"a": `"b"`}, EndsAt: ".t"}).Decode(t.Context(), []byte(`{"t":`+bad+`}`), true)
		if len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Err.Error(), "ends_at: ") {
			t.Errorf("%s: %v", bad, b.Rejected)
		}
	}
}

func TestKindAndStatus(t *testing.T) {
	spec := Spec{Kind: ".k", Status: ".s", Labels: map[string]string{"a": `"b"`}, Actor: ".by"}
	if e := one(t, spec, `{"k":"change"}`); e.Kind != ingest.KindChange || e.Status != "" {
		t.Errorf("%+v", e)
	}
	if e := one(t, spec, `{"k":"acknowledge","by":"ann"}`); e.Kind != ingest.KindAcknowledge || e.Actor != "ann" {
		t.Errorf("%+v", e)
	}
	if e := one(t, Spec{Kind: "change", Labels: spec.Labels}, `{}`); e.Kind != ingest.KindChange {
		t.Errorf("%+v", e)
	}
	if e := one(t, Spec{Status: "resolved", Labels: spec.Labels}, `{}`); e.Status != ingest.Resolved {
		t.Errorf("%+v", e)
	}
	// An unknown state is an error, never firing.
	for _, bad := range []string{`{"s":"open"}`, `{}`, `{"k":"command"}`} {
		if b := mustCompile(t, spec).Decode(t.Context(), []byte(bad), true); len(b.Rejected) != 1 {
			t.Errorf("%s was taken: %+v", bad, b.Events)
		}
	}
}

func TestEach(t *testing.T) {
	labels := map[string]string{"n": ".n", "from": "$message.from? // \"none\""}
	f := func(each, body, want string) {
		t.Helper()
		b := mustCompile(t, Spec{Each: each, Labels: labels}).Decode(t.Context(), []byte(body), true)
		var got []string
		for i, e := range b.Events {
			got = append(got, e.Labels.Get("n")+"/"+e.Labels.Get("from"))
			if b.Place(i) > len(b.Events)+len(b.Rejected) {
				t.Errorf("place %d", b.Place(i))
			}
		}
		for _, r := range b.Rejected {
			got = append(got, string(r.Reason))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q of %s: %q, want %q", each, body, got, want)
		}
	}
	f("", `{"n":1,"from":"x"}`, "1/x")
	f("", `[{"n":1},{"n":2}]`, "1/none 2/none")
	f(".a[]", `{"from":"x","a":[{"n":1},7,{"n":3}]}`, "1/x 3/x invalid")
	f(".a[] | select(.n > 1)", `{"a":[{"n":1}]}`, "unsupported")
	f(".a[]", `{"a":7}`, "invalid")
	f("", `{"n":1`, "malformed")
	f("", `{"n":1,"n":2}`, "malformed")
	f("", "{\"n\":\"\xff\"}", "malformed")
	f("", ``, "malformed")
}

func TestFingerprint(t *testing.T) {
	spec := Spec{Labels: map[string]string{"a": ".a"}, Fingerprint: []string{".id", ".part"}}
	x, y, z := one(t, spec, `{"id":7,"a":"x"}`), one(t, spec, `{"id":"7","a":"y"}`), one(t, spec, `{"id":"7","part":"p"}`)
	if x.Fingerprint != y.Fingerprint || x.Fingerprint == z.Fingerprint || x.Fingerprint == 0 {
		t.Errorf("%v %v %v", x.Fingerprint, y.Fingerprint, z.Fingerprint)
	}
	if e := one(t, Spec{Name: "other", Labels: spec.Labels, Fingerprint: spec.Fingerprint}, `{"id":7}`); e.Fingerprint == x.Fingerprint {
		t.Error("two mappings share an alert")
	}
	if b := mustCompile(t, spec).Decode(t.Context(), []byte(`{"a":"x"}`), true); len(b.Rejected) != 1 {
		t.Error("an alert without identity was taken")
	}
}

// TestEndlessRun: a rule that never ends costs its deadline and no more.
func TestEndlessRun(t *testing.T) {
	for _, spec := range []Spec{
		{Labels: map[string]string{"a": "last(range(infinite))"}},
		{Each: "range(infinite) | select(. < 0)", Labels: map[string]string{"a": "."}},
		{Labels: map[string]string{"a": "def f: f; f"}},
		{Each: `{"n": 1}, {"n": 2}`, Labels: map[string]string{"a": "if .n == 2 then last(range(infinite)) else .n end"}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		b := mustCompile(t, spec).Decode(ctx, []byte(`{}`), true)
		cancel()
		if len(b.Events) != 0 || len(b.Rejected) != 1 || !errors.Is(b.Rejected[0].Err, errTooLong) {
			t.Errorf("%+v: %v", spec, b.Rejected)
		}
	}
}

// TestBusyMachine: the sender of a message for which there was no time tries again.
func TestBusyMachine(t *testing.T) {
	set := Set{"tool": mustCompile(t, Spec{Name: "tool", Labels: map[string]string{"a": "last(range(infinite))"}})}
	mux := http.NewServeMux()
	r := new(doortest.Receiver)
	mux.Handle("POST /{mapping}", Handler(httpdoor.New(r, httpdoor.Options{}), func() Set { return set }))
	w := httptest.NewRecorder()
	// The request's own deadline is the shorter one.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/tool", strings.NewReader("{}")).WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || len(r.Rejected) != 1 || r.Rejected[0].Reason != ingest.ReasonOverloaded {
		t.Errorf("%d %q %v", w.Code, w.Body, r.Rejected)
	}
}

// TestEnvironmentIsClosed: an expression sees its message and nothing else.
func TestEnvironmentIsClosed(t *testing.T) {
	t.Setenv("TOCSIN_TEST_SECRET", "secret")
	e := one(t, Spec{Labels: map[string]string{"a": "env.TOCSIN_TEST_SECRET // $ENV.TOCSIN_TEST_SECRET // \"none\""}}, `{}`)
	if e.Labels.Get("a") != "none" {
		t.Errorf("%v", e.Labels)
	}
}

func TestHandler(t *testing.T) {
	set, err := NewSet([]Spec{{Name: "tool", Each: ".[]", Labels: map[string]string{"n": ".n"}, EndsAt: ".e"}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(path, body string, r *doortest.Receiver, status int, answer string) {
		t.Helper()
		mux := http.NewServeMux()
		mux.Handle("POST /api/v1/webhooks/{mapping}", Handler(httpdoor.New(r, httpdoor.Options{}), func() Set { return set }))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		if w.Code != status || !strings.Contains(w.Body.String(), answer) {
			t.Errorf("%s: %d %q, want %d %q", body, w.Code, w.Body, status, answer)
		}
		if status != http.StatusServiceUnavailable && len(r.Events)+len(r.Rejected) == 0 {
			t.Errorf("%s: nothing was counted", body)
		}
	}
	const path = "/api/v1/webhooks/tool"
	r := new(doortest.Receiver)
	f(path, `[{"n":1},{"n":{}},{"e":1},{"n":4}]`, r, 202, `{"accepted":2,"rejected":[{"index":1,"reason":"invalid"`)
	if len(r.Events) != 2 || r.Events[0].Source != "tool" || len(r.Rejected) != 2 {
		t.Errorf("%+v", r)
	}
	// The event without labels is the receiver's to refuse, and still number 2.
	f(path, `[{"n":1},{"n":{}},{"e":1}]`, new(doortest.Receiver), 202, `"index":2`)
	f(path+"?source=dc2", `[{"n":1}]`, new(doortest.Receiver), 202, `"accepted":1`)
	f(path, `[{}]`, new(doortest.Receiver), 400, `"accepted":0`)
	f(path, `[]`, new(doortest.Receiver), 202, `"unsupported"`)
	f(path, `{`, new(doortest.Receiver), 400, `"malformed"`)
	f("/api/v1/webhooks/nothing", `{}`, new(doortest.Receiver), 404, "tool")
	f(path, `[{"n":1}]`, &doortest.Receiver{Err: ingest.ErrOverloaded}, 503, "try again")
	f(path, `[{"n":1}]`, &doortest.Receiver{Err: errors.New("disk full")}, 503, "disk full")
}

func FuzzDecode(f *testing.F) {
	f.Add(`[{"n":1,"l":{"a":true},"t":1795255200.5,"s":"resolved"}]`)
	f.Add(`{"n":{"a":[]},"t":"2026-11-21T10:00:00Z"}`)
	f.Add(`{"n":1e400,"t":-0,"l":{"":1}}`)
	m, err := Compile(Spec{Name: "fuzz", Labels: map[string]string{"n": ".n"}, LabelsFrom: ".l?", StartsAt: ".t", Status: `.s // "firing"`, Fingerprint: []string{".n"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		b := m.Decode(t.Context(), []byte(body), true)
		if len(b.Events)+len(b.Rejected) == 0 {
			t.Error("neither an event nor a rejection")
		}
		for _, e := range b.Events {
			if e.Fingerprint == 0 || e.StartsAt.Before(time.Unix(0, 0)) && !e.StartsAt.IsZero() && !strings.Contains(body, "T") {
				t.Errorf("%+v", e)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add(".a | tostring")
	f.Add("def f: .; f as $x | [$x]")
	f.Add("\n.[")
	f.Fuzz(func(t *testing.T, expr string) {
		if m, err := Compile(Spec{Name: "fuzz", Labels: map[string]string{"a": expr}}); (m == nil) == (err == nil) {
			t.Errorf("%q: %v", expr, err)
		}
	})
}
