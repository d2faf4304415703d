package events

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
	"tocsin/ingest/httpdoor/doortest"
)

var now = doortest.Now

type call struct {
	t *testing.T
	r *doortest.Receiver
}

func (c call) post(body string, header ...string) (int, httpdoor.Outcome) {
	c.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/api/v1/events", strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(httpdoor.New(c.r, httpdoor.Options{})).ServeHTTP(w, req)
	var out httpdoor.Outcome
	if w.Code == http.StatusAccepted || w.Code == http.StatusBadRequest && strings.HasPrefix(w.Body.String(), "{") {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			c.t.Fatalf("answer %q: %v", w.Body, err)
		}
	}
	return w.Code, out
}

func newCall(t *testing.T) call { return call{t, new(doortest.Receiver)} }

// one posts a message that must be taken as one event.
func one(t *testing.T, body string, header ...string) ingest.Event {
	t.Helper()
	c := newCall(t)
	status, out := c.post(body, header...)
	if status != http.StatusAccepted || len(c.r.Events) != 1 {
		t.Fatalf("status %d, %d events, rejected %v; want 202 and one", status, len(c.r.Events), out.Rejected)
	}
	return c.r.Events[0]
}

func TestOwn(t *testing.T) {
	e := one(t, `{"labels":{"alertname":"DiskFull","Host":"DB-01"},"annotations":{"summary":"93 %"},"starts_at":"2026-11-21T09:00:00Z",
		"timeout":"10m","severity":"High","generator_url":"http://x/"}`, "Content-Type", "application/json; charset=utf-8")
	want := ingest.Event{Kind: ingest.KindAlert, Source: "events", Status: ingest.Firing,
		Labels: ingest.LabelsOf("alertname", "DiskFull", "Host", "DB-01"), Annotations: ingest.LabelsOf("summary", "93 %"),
		StartsAt: now.Add(-time.Hour), Timeout: 10 * time.Minute, Severity: ingest.Major, SourceSeverity: "High", GeneratorURL: "http://x/",
		Fingerprint:           ingest.FingerprintOf(ingest.LabelsOf("alertname", "DiskFull", "Host", "DB-01")),
		PrometheusFingerprint: ingest.FingerprintOf(ingest.LabelsOf("alertname", "DiskFull", "Host", "DB-01"))}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
	if e := one(t, `{"labels":{"a":"b"}}`); e.Severity != ingest.Unknown {
		t.Errorf("no severity is %v, want unknown", e.Severity)
	}
	if e := one(t, `{"kind":"change","labels":{"service":"shop"},"starts_at":"2026-11-21T09:00:00Z"}`); e.Kind != ingest.KindChange || e.Status != "" {
		t.Errorf("change became %s %s", e.Kind, e.Status)
	}
	if e := one(t, `{"kind":"acknowledge","actor":"ann","labels":{"service":"shop"}}`); e.Kind != ingest.KindAcknowledge || e.Actor != "ann" {
		t.Errorf("acknowledge became %s by %q", e.Kind, e.Actor)
	}
}

// TestBatchKeepsTheGood also holds that places are those of the message,
// although the receiver counts only what it was given.
func TestBatchKeepsTheGood(t *testing.T) {
	c := newCall(t)
	status, out := c.post(`[
		{"labels":{"n":"0"}},
		{"lables":{"n":"1"}},
		{"labels":{"n":"2"},"starts_at":"2026-11-21T10:00:00Z","ends_at":"2020-01-01T00:00:00Z"},
		7,
		{"labels":{"n":4}},
		{"labels":{}},
		{"labels":{"n":"` + "\xff" + `"}},
		{"labels":{"n":"7"}}]`)
	if status != http.StatusAccepted || out.Accepted != 2 {
		t.Errorf("status %d, %d accepted, want 202 and 2", status, out.Accepted)
	}
	type refusal struct {
		Index  int
		Reason ingest.Reason
		Names  string
	}
	want := []refusal{{1, ingest.ReasonMalformed, "lables"}, {2, ingest.ReasonInvalid, "ends_at"}, {3, ingest.ReasonMalformed, "number"},
		{4, ingest.ReasonMalformed, `"n"`}, {5, ingest.ReasonInvalid, "labels"}, {6, ingest.ReasonMalformed, "UTF-8"}}
	var got []refusal
	for i, x := range out.Rejected {
		names := x.Error
		if i < len(want) && strings.Contains(x.Error, want[i].Names) {
			names = want[i].Names
		}
		got = append(got, refusal{x.Index, x.Reason, names})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(out.Rejected[0].Error, "generator_url") {
		t.Errorf("%q does not name the known fields", out.Rejected[0].Error)
	}
}

func TestRefusals(t *testing.T) {
	f := func(body, contentType string, status int, names string) {
		t.Helper()
		c := newCall(t)
		got, out := c.post(body, "Content-Type", contentType)
		text := ""
		for _, x := range out.Rejected {
			text += x.Error
		}
		for _, x := range c.r.Rejected {
			text += x.Err.Error()
		}
		if got != status || !strings.Contains(text, names) || len(c.r.Rejected) == 0 {
			t.Errorf("%.60q: %d %q, %d counted; want %d naming %q", body, got, text, len(c.r.Rejected), status, names)
		}
	}
	f(``, "application/json", 400, "EOF")
	f(`{"labels":{"a":"b"}`, "application/json", 400, "EOF")
	f(`{"labels":{"a":"b"}} {}`, "application/json", 400, "array")
	f(`{"labels":{"a":"b"},"labels":{"c":"d"}}`, "application/json", 400, "duplicate")
	f(`{"labels":{"a":"b"},"status":"broken"}`, "application/json", 400, "broken")
	f(`{"labels":{"a":"b"},"kind":"command"}`, "application/json", 400, "command")
	f(`{"labels":{"a":"b"},"kind":"change","status":"firing"}`, "application/json", 400, "status")
	f(`{"labels":{"a":"b"},"timeout":"-5m"}`, "application/json", 400, "-5m")
	f(`{"labels":{"a":"b"},"starts_at":"1969-01-01T00:00:00Z"}`, "application/json", 400, "starts_at")
	f(`{"labels":{"a":"b"},"starts_at":"yesterday"}`, "application/json", 400, "starts_at")
	f(`{"labels":{"a":"b"}}`, "text/plain", 415, "text/plain")
	f(`{"labels":{"a":"b"}}`, "application/cloudevents+json", 400, "specversion")
	f(`[]`, "application/cloudevents+json", 400, "array")
	f(`{}`, "application/cloudevents-batch+json", 400, "array")
	f(strings.Repeat("[", 20_000), "application/json", 400, "depth")
}

// TestNotWhole: of what is not one JSON value to its end nothing is taken, in
// any form, and the sender is told where.
func TestNotWhole(t *testing.T) {
	f := func(body, contentType, where string) {
		t.Helper()
		c := newCall(t)
		status, out := c.post(body, "Content-Type", contentType)
		if status != http.StatusBadRequest || len(c.r.Events) != 0 || len(c.r.Rejected) != 1 || len(out.Rejected) != 1 ||
			out.Rejected[0].Index != -1 || !strings.Contains(out.Rejected[0].Error, where) {
			t.Errorf("%s: %d %+v, %d events taken; want 400, and %q told", body, status, out, len(c.r.Events), where)
		}
	}
	const a, b = `{"labels":{"n":"0"}}`, `{"labels":{"n":"1"}}`
	f("["+a+`,{"labels":{"n":`, "application/json", "after 1 elements")
	f("["+a, "application/json", "after 1 elements")
	f("["+a+",", "application/json", "after 1 elements")
	f("["+a+"}", "application/json", "after 1 elements")
	f("["+a+"] xx", "application/json", "byte 22")
	f("["+a+"]["+b+"]", "application/json", "byte 22")
	f("["+a+"]]", "application/json", "byte 22")
	f("[]"+a, "application/json", "byte 2")
	f(a+" xx", "application/json", "byte 20")
	f(a+b, "application/json", "byte 20")
	f(ce("1", "t", "s", "")+",", structured, "byte")
	f("["+ce("1", "t", "s", "")+"]["+ce("2", "t", "s", "")+"]", "application/cloudevents-batch+json", "byte")
	one(t, " [ "+a+" ] \r\n")
	one(t, a+"\n")
}

func TestOverloadAndStore(t *testing.T) {
	for _, err := range []error{ingest.ErrOverloaded, errors.New("disk full")} {
		c := call{t, &doortest.Receiver{Err: err}}
		if status, _ := c.post(`{"labels":{"a":"b"}}`); status != http.StatusServiceUnavailable {
			t.Errorf("%v: %d, want 503", err, status)
		}
	}
}

func TestGzipAndSource(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(`{"labels":{"a":"b"}}`))
	z.Close()
	r := new(doortest.Receiver)
	req := httptest.NewRequest(http.MethodPost, "/api/v1/events?source=probe", &b)
	req.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	Handler(httpdoor.New(r, httpdoor.Options{})).ServeHTTP(w, req)
	if w.Code != http.StatusAccepted || len(r.Events) != 1 || r.Events[0].Source != "probe" {
		t.Errorf("%d %s %v", w.Code, w.Body, r.Events)
	}
}

// TestRawOnRequest: payloads are kept for sources that ask for it, and are
// copies: the body's memory serves the next request.
func TestRawOnRequest(t *testing.T) {
	for _, body := range []string{`{"labels":{"a":"b"}}`, ce("1", "t", "s", `,"data":{"host":"a"}`)} {
		keep := &keeper{}
		door := httpdoor.New(keep, httpdoor.Options{KeepRaw: func(source string) bool { return source == "kept" }})
		for _, source := range []string{"kept", "other"} {
			req := httptest.NewRequest(http.MethodPost, "/api/v1/events?source="+source, strings.NewReader(body))
			if strings.Contains(body, "specversion") {
				req.Header.Set("Content-Type", structured)
			}
			Handler(door).ServeHTTP(httptest.NewRecorder(), req)
		}
		if len(keep.raw) != 2 || keep.raw[0] == "" || !strings.Contains(body, keep.raw[0]) || keep.raw[1] != "" {
			t.Errorf("%s: raw %q", body, keep.raw)
		}
	}
}

// keeper takes note of raw payloads, as they are once the body was reused.
type keeper struct{ raw []string }

func (k *keeper) Receive(_ context.Context, _ string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	for _, e := range events {
		k.raw = append(k.raw, string(e.Raw))
	}
	return rejected, nil
}

func TestEmptyBatchIsNoMistake(t *testing.T) {
	if status, out := newCall(t).post(`[]`); status != http.StatusAccepted || out.Accepted != 0 || len(out.Rejected) != 0 {
		t.Errorf("%d %+v", status, out)
	}
}

func FuzzOwn(f *testing.F) {
	f.Add([]byte(`[{"labels":{"a":"b"},"timeout":"1m"},{"kind":"change"}]`))
	f.Add([]byte(`{"labels":{"a":"b"},"starts_at":"2026-11-21T10:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := decodeOwn(body, true)
		for i := range b.Events {
			if e := &b.Events[i]; e.Kind != ingest.KindAlert && e.Status != "" {
				t.Errorf("%s with status %s", e.Kind, e.Status)
			}
		}
		if !jsontext.Value(body).IsValid(lenient, jsontext.AllowDuplicateNames(true)) && (len(b.Events) != 0 || len(b.Rejected) != 1) {
			t.Errorf("of %q, which is not whole, %d events were taken", body, len(b.Events))
		}
		if trimmed := bytes.TrimSpace(body); len(b.Events)+len(b.Rejected) == 0 && (len(trimmed) < 2 || trimmed[0] != '[') {
			t.Errorf("%q is neither an event nor a rejection", body)
		}
	})
}
