package notify

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/ingest"
)

var update = flag.Bool("update", false, "write the golden files")

// story is a message with everything in it.
func story() *Message {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	alert := func(name string, status ingest.Status) ingest.Alert {
		a := ingest.Alert{
			Status: status, StartsAt: at, At: at, FirstSeen: at, LastSeen: at, DecidedAt: at, Revision: 1, Count: 2, Source: "alertmanager",
			Severity: ingest.Critical, CI: "feed-a", BoundBy: "ci=feed-a", Incident: "7DK-Q2M4",
			Labels:       ingest.LabelsOf("alertname", name, "rack", "r7"),
			Annotations:  ingest.LabelsOf("summary", "no voltage"),
			GeneratorURL: "http://prometheus.example.com/graph?g0.expr=up",
		}
		if status == ingest.Resolved {
			a.EndsAt = at.Add(time.Minute)
		}
		a.Fingerprint = ingest.FingerprintOf(a.Labels)
		a.PrometheusFingerprint = a.Fingerprint
		return a
	}
	return &Message{
		Key: "desk/7DK-Q2M4/3", Receiver: "desk", Notice: correlate.NoticeChanged, At: at.Add(time.Minute),
		Incident: correlate.Incident{
			ID: "7DK-Q2M4", Revision: 3, At: at, Status: correlate.Open, Title: "Feed A has no voltage", Severity: ingest.Critical,
			Priority: 1, Impact: 1, Urgency: 1, StartedAt: at, OpenedAt: at, Alerts: correlate.AlertCounts{Firing: 1, Total: 5, CIs: 1},
			Sources: []string{"alertmanager"}, Labels: ingest.LabelsOf("rack", "r7"),
			Causes:  []correlate.Cause{{Kind: "ci", ID: "feed-a", Name: "Feed A", Score: 900, Reason: "everything in rack 7 needs it"}},
			Blast:   correlate.BlastRadius{CIs: 40, Services: []string{"shop"}, ServiceCount: 1},
			Entries: []correlate.Entry{{Kind: correlate.EntryPriority, By: "tocsin", Text: "P2 → P1"}},
		},
		Alerts:    []ingest.Alert{alert("FeedDown", ingest.Firing), alert("RackDown", ingest.Resolved)},
		Truncated: 3,
	}
}

func TestBodies(t *testing.T) {
	f := func(name string, opt WebhookOptions, m *Message) {
		t.Helper()
		opt.URL = "http://127.0.0.1"
		w, err := NewWebhook(opt)
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.body(m)
		if err != nil {
			t.Fatal(err)
		}
		pretty := jsontext.Value(body)
		if err := pretty.Indent(jsontext.WithIndent("  ")); err != nil {
			t.Fatal(err)
		}
		got := string(pretty) + "\n"
		golden := "testdata/" + name + ".json"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("tocsin", WebhookOptions{ExternalURL: "https://tocsin.example.com/base/"}, story())
	f("alertmanager", WebhookOptions{Format: FormatAlertmanager, ExternalURL: "https://tocsin.example.com"}, story())
	merged := story()
	merged.Incident.Status, merged.Incident.MergedInto, merged.Notice = correlate.Merged, "7DK-0001", correlate.NoticeMerged
	merged.Alerts, merged.Truncated = nil, 0
	f("tocsin_merged", WebhookOptions{}, merged)
	f("alertmanager_merged", WebhookOptions{Format: FormatAlertmanager}, merged)
}

func TestBodyOfGarbage(t *testing.T) {
	for _, format := range []Format{FormatTocsin, FormatAlertmanager} {
		w, err := NewWebhook(WebhookOptions{URL: "http://127.0.0.1", Format: format})
		if err != nil {
			t.Fatal(err)
		}
		m := story()
		m.Incident.Title = "bad \xff utf-8 \x00"
		m.Alerts[0].Labels = ingest.LabelsOf("a\xffb", "x\xc0y", "</script>", "\u2028")
		body, err := w.body(m)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil { // strict about UTF-8
			t.Errorf("%s: %v", format, err)
		}
	}
}

// post sends the story to a handler.
func post(t *testing.T, opt WebhookOptions, h http.HandlerFunc) error {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	opt.URL = srv.URL + "/hook?token=hush"
	w, err := NewWebhook(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return w.Send(ctx, story())
}

func TestSignedRequest(t *testing.T) {
	err := post(t, WebhookOptions{Secret: "k3y", UserAgent: "tocsin/1", Headers: map[string]string{"X-Team": "core"}}, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		stamp := r.Header.Get(HeaderTimestamp)
		want := map[string]string{
			"Content-Type": "application/json", "User-Agent": "tocsin/1", HeaderDelivery: "desk/7DK-Q2M4/3", HeaderIdempotencyKey: "desk/7DK-Q2M4/3",
			HeaderTimestamp: fmt.Sprint(story().At.Unix()), HeaderSignature: "sha256=" + Signature("k3y", stamp, body), "X-Team": "core",
		}
		for name, v := range want {
			if got := r.Header.Get(name); got != v {
				t.Errorf("header %s is %q, want %q", name, got, v)
			}
		}
		if Signature("k3y", stamp, append(body, ' ')) == Signature("k3y", stamp, body) || Signature("k3y", "0", body) == Signature("k3y", stamp, body) {
			t.Error("the signature covers not all")
		}
		if r.Method != http.MethodPost || r.URL.RequestURI() != "/hook?token=hush" || !bytes.Contains(body, []byte(`"notice":"changed"`)) {
			t.Errorf("got %s %s %s", r.Method, r.URL, body)
		}
		w.WriteHeader(http.StatusAccepted)
	})
	if err != nil {
		t.Error(err)
	}
}

// A known answer, so that receivers written against it keep working.
func TestSignature(t *testing.T) {
	const want = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224" // printf '1.{}' | openssl dgst -sha256 -hmac key
	if got := Signature("key", "1", []byte("{}")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	f := func(status int, retryAfter string, forever bool, wantWait time.Duration) {
		t.Helper()
		followed := false
		err := post(t, WebhookOptions{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hook" {
				followed = true
				return
			}
			w.Header().Set("Retry-After", retryAfter)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("no", 1<<20))
		})
		var p *PermanentError
		var tr *TransientError
		switch {
		case err == nil:
			t.Errorf("%d was taken for a success", status)
		case errors.As(err, &p) != forever || errors.As(err, &tr) == forever:
			t.Errorf("%d: %T, want permanent %v", status, err, forever)
		case !forever && tr.RetryAfter != wantWait:
			t.Errorf("%d: retry after %v, want %v", status, tr.RetryAfter, wantWait)
		case !strings.Contains(err.Error(), fmt.Sprint(status)) || len(err.Error()) > answerKept+100 || strings.Contains(err.Error(), "hush"):
			t.Errorf("%d: error %q", status, err)
		}
		if followed {
			t.Errorf("%d: followed a redirect", status)
		}
	}
	f(503, "", false, 0)
	f(500, "7", false, 7*time.Second)
	f(429, "120", false, 2*time.Minute)
	f(429, "-5", false, 0)
	f(429, "soon", false, 0)
	f(408, "", false, 0)
	f(302, "", false, 0)
	f(307, "", false, 0)
	f(400, "", true, 0)
	f(401, "60", true, 0)
	f(404, "", true, 0)
	f(410, "", true, 0)
}

func TestRetryAfterDate(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	if got := retryAfter("Sat, 21 Nov 2026 10:00:30 GMT", now); got != 30*time.Second {
		t.Errorf("got %v", got)
	}
	if got := retryAfter("Sat, 21 Nov 2026 09:00:00 GMT", now); got != 0 {
		t.Errorf("a date gone by: got %v", got)
	}
}

func TestUnreachable(t *testing.T) {
	f := func(name string, h http.HandlerFunc) {
		t.Helper()
		srv := httptest.NewServer(h)
		url := srv.URL + "/?token=hush"
		if h == nil {
			srv.Close()
		} else {
			defer srv.Close()
		}
		w, err := NewWebhook(WebhookOptions{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err = w.Send(ctx, story())
		var tr *TransientError
		if !errors.As(err, &tr) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want a transient error without the URL", name, err)
		}
	}
	f("nobody listens", nil)
	f("hangs", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client leave
		<-r.Context().Done()
	})
	f("hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func TestNewWebhookRefuses(t *testing.T) {
	for _, opt := range []WebhookOptions{{}, {URL: "desk.example.com"}, {URL: "ftp://x/hush"}, {URL: "http://x", Format: "slack"}, {URL: "http://[::1/hush"}} {
		if _, err := NewWebhook(opt); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%+v: %v; want an error without the URL", opt, err)
		}
	}
}
