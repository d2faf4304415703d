package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tocsin/correlate"
	"tocsin/ingest"
)

func nowFunc() time.Time { return testNow }

func TestErrors(t *testing.T) {
	f := func(method, target, body string, status int, want Error, headers ...string) {
		t.Helper()
		h := newHarness(t)
		a := h.ask(method, target, body, headers...)
		got := a.error(t)
		if want.Hint == "" {
			got.Hint = ""
		}
		if want.Message == "" { // the words are those of package cmdb
			got.Message = ""
		}
		if diff := cmp.Diff(want, got); a.status != status || diff != "" {
			t.Errorf("%s %s: status %d, want %d; error -want +got:\n%s", method, target, a.status, status, diff)
		}
	}
	f("GET", "/incidents?stauts=open", "", 400, Error{Code: CodeInvalid, Field: "stauts", Message: "unknown query parameter stauts"})
	f("GET", "/status?b=1&a=1", "", 400, Error{Code: CodeInvalid, Field: "a", Message: "unknown query parameter a, b", Hint: "this operation takes no parameters"})
	f("GET", "/incidents?status=opne", "", 400, Error{Code: CodeInvalid, Field: "status", Message: `incident status "opne": want one of [pending open acknowledged on_hold resolved closed merged]`})
	f("GET", "/incidents?limit=0", "", 400, Error{Code: CodeInvalid, Field: "limit", Message: `"0": want a number from 1 to 1000`})
	f("GET", "/incidents?cursor=zzz", "", 400, Error{Code: CodeInvalid, Message: `list incidents: invalid command: cursor "zzz" is not one of ours`})
	f("GET", "/incidents?priority=P9", "", 400, Error{Code: CodeInvalid, Field: "priority", Message: `priority "P9": want P1 to P5`})
	f("GET", "/incidents?from=yesterday", "", 400, Error{Code: CodeInvalid, Field: "from", Message: `time "yesterday": want RFC 3339 such as 2026-02-03T04:05:06Z, or relative such as -24h or -7d`})
	f("GET", "/incidents?from=-1h&to=-2h", "", 400, Error{Code: CodeInvalid, Field: "to", Message: "2026-02-03T02:05:06Z is not after from, 2026-02-03T03:05:06Z"})
	f("GET", "/alerts?unbound=yes", "", 400, Error{Code: CodeInvalid, Field: "unbound", Message: `"yes": want true or false`})
	f("GET", "/alerts/xyz", "", 400, Error{Code: CodeInvalid, Field: "fingerprint", Message: `fingerprint "xyz": want 16 hex digits`})
	f("GET", "/alerts/00000000000000ff", "", 404, Error{Code: CodeNotFound, Message: "alert 00000000000000ff: not found"})
	f("GET", "/explain?incident=x", "", 400, Error{Code: CodeInvalid, Field: "alert", Message: "is missing; give the fingerprint of an alert"})
	f("GET", "/incidents/NO", "", 404, Error{Code: CodeNotFound, Message: "incident NO: not found"})
	f("GET", "/nothing", "", 404, Error{Code: CodeNotFound, Message: "no such path: /api/v1/nothing", Hint: "see /api/v1/openapi.yaml"})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"close"}`, 403, Error{Code: CodeForbidden, Message: "a browser sends this from a page of another site"},
		"Origin", "https://evil.example")
	f("PUT", "/incidents/NO/commands", "{}", 405, Error{Code: CodeMethod, Message: "PUT is not possible here", Hint: "use POST"})
	f("POST", "/incidents/"+feed+"/commands", "", 400, Error{Code: CodeInvalid, Message: "the body is empty; want a JSON object"})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"acknowledge","coment":"x"}`, 400, Error{Code: CodeInvalid, Field: "coment", Message: "unknown field"})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"dance"}`, 400, Error{Code: CodeInvalid, Field: "command",
		Message: `"dance" is unknown; want one of [acknowledge assign hold resume resolve close reopen comment merge unmerge split move link unlink]`})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"split","alerts":["zz"]}`, 400, Error{Code: CodeInvalid, Field: "alerts.0", Message: `fingerprint "zz": want 16 hex digits`})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"comment","incident":"OTHER"}`, 400, Error{Code: CodeInvalid, Field: "incident", Message: `"OTHER" is not the incident in the path, "7DK-Q2M4"`})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"acknowledge"}`, 412, Error{Code: CodeConflict, Revision: 2,
		Message: "incident 7DK-Q2M4: changed since revision 1", Hint: "read the incident again and decide anew"}, "If-Match", `"1"`)
	f("POST", "/incidents/"+feed+"/commands", `{"command":"acknowledge"}`, 400, Error{Code: CodeInvalid, Field: "If-Match",
		Message: `abc: want one revision as the ETag gives it, such as "7", or *`}, "If-Match", "abc")
	f("POST", "/incidents/7DK-AAAA/commands", `{"command":"acknowledge"}`, 409, Error{Code: CodeState, Message: "acknowledge: incident 7DK-AAAA is merged: not possible now"})
	f("POST", "/incidents/"+feed+"/commands", `{"command":"comment","comment":"`+strings.Repeat("x", 1<<20)+`"}`, 413,
		Error{Code: CodeTooLarge, Message: "the body has more than 1048576 bytes", Hint: "send less at a time"})
	f("GET", "/cis/no", "", 404, Error{Code: CodeNotFound, Message: `ci "no": no such CI in the estate`})
	f("GET", "/path?from=shop&to=alone", "", 404, Error{Code: CodeNotFound, Message: `from "shop" to "alone": no path`})
	f("GET", "/cis/shop/upstream?hops=-1", "", 400, Error{Code: CodeInvalid, Field: "hops", Message: `"-1": want a number from 1 to 50000`})
	f("POST", "/impact", `{"failed":[]}`, 400, Error{Code: CodeInvalid, Field: "failed", Message: "is empty; name at least one CI"})
	f("PUT", "/cis/shop", `{"id":"other","class":"service"}`, 400, Error{Code: CodeInvalid, Field: "id", Message: `"other" is not the CI in the path, "shop"`})
	f("PUT", "/cis/shop", `{"class":"service"}`, 412, Error{Code: CodeConflict, Message: "the CI has revision 1 by now", Revision: 1}, "If-Match", `"7"`)
	f("PUT", "/relations", `{"from":"shop","to":"nowhere","type":"runs_on"}`, 400, Error{Code: CodeInvalid, Field: "relations[0]"})
	f("POST", "/cmdb/import?source=x&format=json", "nonsense", 400, Error{Code: CodeInvalid, Field: "import.json:1:1", Message: "invalid character 'o' in literal null (expecting 'u')"})
	f("POST", "/cmdb/import?source=x&format=json&name=a", `[{"id":"n","class":"x"},{"id":"m","class":"x"},{"id":"n","class":"y"}]`, 400, Error{Code: CodeInvalid, Field: "a:3"})
	f("POST", "/cmdb/import?format=json", "[]", 400, Error{Code: CodeInvalid, Field: "source", Message: "is missing; name where this comes from, for the next import retires what is gone from the same source"})
	f("GET", "/links?ref=shop", "", 400, Error{Code: CodeInvalid, Field: "ref", Message: `"shop": want kind:id with kind one of incident, alert, ci, change, problem, known_error, article, request, ticket, or an http address`})
}

// TestInnerErrors: what the inside reports becomes a status, and what is our
// own fault tells the caller nothing of the inside.
func TestInnerErrors(t *testing.T) {
	f := func(inner error, status int, code Code) {
		t.Helper()
		h := newHarness(t)
		h.fail = inner
		a := h.ask("POST", "/incidents/"+feed+"/commands", `{"command":"acknowledge"}`)
		got := a.error(t)
		if a.status != status || got.Code != code {
			t.Errorf("%v: got %d %s, want %d %s", inner, a.status, got.Code, status, code)
		}
		if strings.Contains(string(a.body), "secret") {
			t.Errorf("%v: the answer tells: %s", inner, a.body)
		}
		if retry := a.header.Get("Retry-After"); (retry == "2") != (status == 503) {
			t.Errorf("%v: Retry-After is %q", inner, retry)
		}
	}
	f(ingest.ErrOverloaded, 503, CodeOverloaded)
	f(errors.New("open /var/secret.db: disk full"), 500, CodeInternal)
	f(fmt.Errorf("x: %w", correlate.ErrNotFound), 404, CodeNotFound)
	f(fmt.Errorf("x: %w", correlate.ErrInvalid), 400, CodeInvalid)
}

// TestTruncatedBody: a body that breaks off is the caller's fault, and is not
// taken for a whole one.
func TestTruncatedBody(t *testing.T) {
	f := func(target, start string) {
		t.Helper()
		body := io.MultiReader(strings.NewReader(start), iotest.ErrReader(io.ErrUnexpectedEOF))
		fake := newFake()
		rec := httptest.NewRecorder()
		newServer(fake).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, Prefix+target, body))
		if rec.Code != http.StatusBadRequest || len(fake.commands) > 0 || !strings.Contains(rec.Body.String(), "cannot be read to its end") {
			t.Errorf("%s: %d %s, %d commands", target, rec.Code, rec.Body, len(fake.commands))
		}
	}
	f("/incidents/"+feed+"/commands", `{"command":"close"}`)
	f("/cmdb/import?source=x&format=csv", `[{"id":"x"}`)
}

func TestCommand(t *testing.T) {
	h := newHarness(t)
	const target = "/incidents/" + feed + "/commands"
	h.ask("POST", target, `{"command":"comment","comment":"hi"}`, "X-Tocsin-User", "ann", "Idempotency-Key", "k1", "If-Match", `"2"`)
	h.ask("POST", target, `{"command":"comment","comment":"hi"}`, "X-Tocsin-User", "ann", "Idempotency-Key", "k1", "If-Match", `"2"`)
	h.ask("POST", target, `{"command":"comment","comment":"ho","by":"bob"}`, "X-Tocsin-User", "ann")
	h.ask("POST", target, `{"command":"acknowledge","revision":4}`)
	want := []correlate.Command{
		{ID: "k1", Kind: correlate.CmdComment, Incident: feed, Revision: 2, By: "ann", Comment: "hi"},
		{Kind: correlate.CmdComment, Incident: feed, By: "bob", Comment: "ho"},
		{Kind: correlate.CmdAcknowledge, Incident: feed, Revision: 4, By: "anonymous"},
	}
	for i := range h.commands {
		if h.commands[i].ID == "" {
			t.Errorf("command %d has no ID", i)
		}
		if i > 0 {
			h.commands[i].ID = ""
		}
	}
	if diff := cmp.Diff(want, h.commands); diff != "" {
		t.Errorf("commands -want +got:\n%s", diff)
	}
}

func TestIncidentIsCached(t *testing.T) {
	h := newHarness(t)
	f := func(header string, status int) {
		t.Helper()
		if a := h.ask("GET", "/incidents/"+feed, "", "If-None-Match", header); a.status != status || a.header.Get("ETag") != `"2"` {
			t.Errorf("If-None-Match: %s: status %d, ETag %s; want %d and \"2\"", header, a.status, a.header.Get("ETag"), status)
		}
	}
	f(`"2"`, 304)
	f(`W/"2"`, 304)
	f(`"1", "2"`, 304)
	f(`*`, 304)
	f(`"1"`, 200)
}

// TestMergedLeadsOn: CASES 2, links to a merged incident follow it.
func TestMergedLeadsOn(t *testing.T) {
	srv := httptest.NewServer(newHarness(t).s)
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + Prefix + "/incidents/7DK-AAAA")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := resp.Request.URL.Path, Prefix+"/incidents/"+feed; got != want || resp.StatusCode != http.StatusOK {
		t.Errorf("led to %s with %s, want %s", got, resp.Status, want)
	}
}

// TestValueAt is CASES 12: what did the alert say at 03:12?
func TestValueAt(t *testing.T) {
	h := newHarness(t)
	f := func(at, want string) {
		t.Helper()
		page := decode[List[ingest.Event]](t, h.ask("GET", "/alerts/"+diskFP.String()+"/events?at="+url.QueryEscape(at), ""))
		got := ""
		for _, e := range page.Items {
			got += e.Annotations.Get("summary")
		}
		if got != want || page.Next != "" {
			t.Errorf("at %s: %q, next %q; want %q", at, got, page.Next, want)
		}
	}
	f("-2h", "")
	f("2026-02-03T03:12:00Z", "90 %")
	f("2026-02-03T03:25:05.999999999Z", "90 %")
	f("2026-02-03T03:25:06Z", "95 %")
	f("-20m", "95 %") // the change in between is no value
	f("now", "99 %")
}

// TestGarbage is CASES 10: what a penetration test left in labels breaks no
// list, and no byte of it can be taken for markup.
func TestGarbage(t *testing.T) {
	h := newHarness(t)
	for _, target := range []string{"/incidents", "/incidents/" + feed, "/alerts", "/events", "/unbound"} {
		a := h.ask("GET", target, "")
		if a.status != http.StatusOK || strings.Contains(string(a.body), "<script") {
			t.Errorf("%s: status %d, body %s", target, a.status, a.body)
		}
		if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options is %q", target, got)
		}
	}
	q := url.QueryEscape(`x="` + garbage)
	if a := h.ask("GET", "/alerts?match="+q, ""); a.status != 400 {
		t.Errorf("a garbage matcher answers %d", a.status)
	}
	if a := h.ask("GET", "/cis/"+url.PathEscape(garbage), ""); a.status != 404 {
		t.Errorf("a garbage CI answers %d", a.status)
	}
}

func TestUnbound(t *testing.T) {
	h := newHarness(t)
	twice := h.alerts[orphanFP]
	twice.Fingerprint, twice.Revision, twice.Tried = 0xdd, 9, []string{"instance=10.0.0.10", "host=nobody"}
	h.alerts[0xdd] = twice
	both := h.alerts[orphanFP]
	both.Fingerprint, both.Revision, both.Ambiguous = 0xee, 10, []string{"a", "b"}
	h.alerts[0xee] = both
	got := decode[Unbound](t, h.ask("GET", "/unbound", ""))
	for i := range got.Items {
		got.Items[i].Example = ingest.Alert{Fingerprint: got.Items[i].Example.Fingerprint}
	}
	want := Unbound{Alerts: 3, Items: []UnboundGroup{
		{Tried: []string{"instance", "host"}, Count: 2, Keys: []string{"instance=10.0.0.9", "host=nobody", "instance=10.0.0.10"}, Example: ingest.Alert{Fingerprint: orphanFP}},
		{Tried: []string{"instance", "host"}, Ambiguous: []string{"a", "b"}, Count: 1, Keys: []string{"instance=10.0.0.9", "host=nobody"}, Example: ingest.Alert{Fingerprint: 0xee}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseTime(t *testing.T) {
	f := func(s string, want time.Time) {
		t.Helper()
		got, err := ParseTime(s, testNow)
		if (err != nil) != want.IsZero() || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	f("now", testNow)
	f("-90m", testNow.Add(-90*time.Minute))
	f("+4h", testNow.Add(4*time.Hour))
	f("-7d", testNow.Add(-7*24*time.Hour))
	f("-2w", testNow.Add(-14*24*time.Hour))
	f("2026-02-03T05:05:06+01:00", testNow)
	f("", time.Time{})
	f("24h", time.Time{}) // a span is not a time
	f("-", time.Time{})
	f("-99999999999999999999d", time.Time{})
	f("2026-02-03", time.Time{})
}

// TestMetrics: one series for an operation, whatever the paths.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	f := newFake()
	s := New(Options{Reader: f, Commander: f, Explainer: f, Estate: f, Registerer: reg})
	for _, target := range []string{"/incidents/" + feed, "/incidents/NO", "/incidents/NEITHER", "/what", "/ever"} {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, Prefix+target, nil))
	}
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP tocsin_http_requests_total Requests to the API, by operation and status code.
# TYPE tocsin_http_requests_total counter
tocsin_http_requests_total{code="200",handler="GET /incidents/{id}"} 1
tocsin_http_requests_total{code="404",handler="GET /incidents/{id}"} 2
tocsin_http_requests_total{code="404",handler="unknown"} 2
`), "tocsin_http_requests_total")
	if err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

// FuzzRequest: whatever a body, a query or an ID holds, the answer is JSON as
// documented, and never our own fault.
func FuzzRequest(f *testing.F) {
	f.Add("/incidents", "match="+url.QueryEscape(`{a=~"b"}`)+"&from=-1d", "")
	f.Add("/incidents/"+feed+"/commands", "", `{"command":"hold","until":"2026-01-01T00:00:00Z","incidents":null,"link":{"from":"ci:a"}}`)
	f.Add("/cis/a%2F..%2Fb", "limit=9&cursor=_w", `{"class":"server","keys":{"ip":["::1"]},"criticality":"high","at":"0000-01-01T00:00:00Z"}`)
	f.Add("/relations", "", `{"from":"shop","to":"alone","type":"runs_on","group":"g","need":-1}`)
	f.Add("/impact", "hops=2", `{"failed":["shop","\u0000"]}`)
	f.Add("/alerts/00000000000000aa/events", "at=now", "")
	f.Add("/cmdb/import", "source=a&format=json", `[{"id":"x","class":""}]`)
	f.Fuzz(func(t *testing.T, path, query, body string) {
		u, err := url.Parse(Prefix + path)
		if err != nil || !strings.HasPrefix(path, "/") {
			t.Skip()
		}
		u.RawQuery = query
		s := newServer(newFake())
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			req := httptest.NewRequest(method, Prefix+"/status", strings.NewReader(body))
			req.URL = u
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, req)
			if rec.Code >= 500 {
				t.Fatalf("%s %s %q: %d %s", method, u, body, rec.Code, rec.Body)
			}
			if rec.Code >= 400 && !json.Valid(rec.Body.Bytes()) {
				t.Fatalf("%s %s %q: %d %s", method, u, body, rec.Code, rec.Body)
			}
		}
	})
}
