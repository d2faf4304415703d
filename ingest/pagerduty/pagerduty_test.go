package pagerduty

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
	"tocsin/ingest/httpdoor/doortest"
)

var now = doortest.Now

func post(t *testing.T, r *doortest.Receiver, path, body string) (int, answer) {
	t.Helper()
	door := httpdoor.New(r, httpdoor.Options{MaxBodyBytes: 4096, KeepRaw: func(string) bool { return true }})
	mux := http.NewServeMux()
	mux.Handle("POST /v2/enqueue", Enqueue(door))
	mux.Handle("POST /v2/change/enqueue", Changes(door))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	var a answer
	if w.Code != http.StatusServiceUnavailable {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("answer %q: %v", w.Body, err)
		}
	}
	return w.Code, a
}

// event posts a message that must be taken.
func event(t *testing.T, body string) (ingest.Event, string) {
	t.Helper()
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}}
	status, a := post(t, r, "/v2/enqueue", body)
	if status != http.StatusAccepted || a.Status != "success" || a.Message != "Event processed" || len(r.Events) != 1 {
		t.Fatalf("%d %+v, %d events", status, a, len(r.Events))
	}
	return r.Events[0], a.DedupKey
}

const secret = "R0UT1NGKEY0123456789abcdefabcdef"

func TestTrigger(t *testing.T) {
	e, key := event(t, `{"routing_key":"`+secret+`","event_action":"trigger","dedup_key":"disk/1","client":"Probe","client_url":"https://probe/7",
		"links":[{"href":"https://wiki/x","text":"Runbook"}],"images":[{"src":"https://x/y.png"},{"src":"https://x/z.png","href":"https://x/z","alt":"Load"},{"href":"https://no/src"}],
		"payload":{"summary":"Disk 93 %","source":"DB-01:9100","severity":"error","timestamp":"2026-11-21T09:00:00.000+0000",
		"component":"postgres","group":"shop","class":"disk","custom_details":{"free":7,"service":"Orders","nested":{"a":1},"none":null,"severity":"SEV-9"}}}`)
	if key != "disk/1" {
		t.Errorf("dedup_key %q", key)
	}
	raw := string(e.Raw)
	e.Raw, e.PrometheusFingerprint = nil, 0
	hash := hashKey(secret)
	want := ingest.Event{Kind: ingest.KindAlert, Source: Source, Status: ingest.Firing, StartsAt: now.Add(-time.Hour), Timeout: 24 * time.Hour,
		Severity: ingest.Major, SourceSeverity: "error", GeneratorURL: "https://probe/7",
		Labels: ingest.LabelsOf("alertname", "disk", "instance", "DB-01:9100", "component", "postgres", "group", "shop", "class", "disk",
			"service", "Orders", "dedup_key", "disk/1", "routing_key_hash", hash),
		Annotations: ingest.LabelsOf("summary", "Disk 93 %", "client", "Probe", "free", "7", "service", "Orders", "link_1", "Runbook https://wiki/x",
			"image_1", "https://x/y.png", "image_2", "Load https://x/z.png https://x/z", "custom_severity", "SEV-9"),
		Fingerprint: ingest.FingerprintOf(ingest.LabelsOf("dedup_key", "disk/1", "routing_key_hash", hash))}
	e.StartsAt = e.StartsAt.UTC()
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
	if strings.Contains(raw, secret) || !strings.Contains(raw, `"nested"`) {
		t.Errorf("raw payload %s: want all of it but the key", raw)
	}
}

// TestSecretStaysOut: whatever the message, the routing key is in nothing that
// is kept or told.
func TestSecretStaysOut(t *testing.T) {
	for _, body := range []string{
		`{"routing_key":"` + secret + `","event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info"}}`,
		`{"service_key":"` + secret + `","event_action":"resolve","dedup_key":"k"}`,
		`{"routing_key":"` + secret + `","event_action":"explode"}`,
		`{"routing_key":"r","Routing_Key":"` + secret + `","SERVICE_KEY":"` + secret + `","event_action":"resolve","dedup_key":"k"}`,
		`{"routing_key":"r","routingKey":"` + secret + `","Service-Key":"` + secret + `","event_action":"resolve","dedup_key":"k"}`,
		`{"routing_key":"r","ROUTING\u005fKEY":"` + secret + `","event_action":"resolve","dedup_key":"k"}`,
	} {
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}}
		_, a := post(t, r, "/v2/enqueue", body)
		all := fmt.Appendf(nil, "%+v %+v", a, r.Events)
		for _, e := range r.Events {
			all = append(all, e.Raw...)
		}
		for _, x := range r.Rejected {
			all = append(all, x.Err.Error()...)
		}
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("%s\nthe key is in %s", body, all)
		}
	}
}

// TestLifecycle: resolve and acknowledge have no payload and mean the same alert.
func TestLifecycle(t *testing.T) {
	trigger, key := event(t, `{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"x","severity":"warning"}}`)
	again, key2 := event(t, `{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"x","severity":"critical","custom_details":{"n":1}}}`)
	if key == "" || key != key2 || trigger.Fingerprint != again.Fingerprint {
		t.Errorf("without a dedup_key: %q and %q, want the same", key, key2)
	}
	if _, other := event(t, `{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"y","severity":"warning"}}`); other == key {
		t.Error("another source has the same dedup_key")
	}
	f := func(action string, kind ingest.Kind, status ingest.Status) {
		t.Helper()
		e, got := event(t, `{"routing_key":"r","event_action":"`+action+`","dedup_key":"`+key+`","client":"ann"}`)
		if got != key || e.Kind != kind || e.Status != status || e.Fingerprint != trigger.Fingerprint {
			t.Errorf("%s: %+v", action, e)
		}
		if kind == ingest.KindAcknowledge && e.Actor != "ann" {
			t.Errorf("actor %q", e.Actor)
		}
	}
	f("resolve", ingest.KindAlert, ingest.Resolved)
	f("acknowledge", ingest.KindAcknowledge, "")
	if e, _ := event(t, `{"routing_key":"other","event_action":"resolve","dedup_key":"`+key+`"}`); e.Fingerprint == trigger.Fingerprint {
		t.Error("the key of another service means the same alert")
	}
}

func TestInvalid(t *testing.T) {
	f := func(path, body string, status int, names ...string) {
		t.Helper()
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}}
		got, a := post(t, r, path, body)
		text := strings.Join(a.Errors, "\n")
		if got != status || a.Status != "invalid event" || a.Message == "" || len(a.Errors) != len(names) || len(r.Rejected) != 1 {
			t.Errorf("%.80s: %d %+v, %d counted; want %d with %d errors", body, got, a, len(r.Rejected), status, len(names))
		}
		for _, n := range names {
			if !strings.Contains(text, n) {
				t.Errorf("%.80s: %q does not name %s", body, text, n)
			}
		}
	}
	const enqueue, change = "/v2/enqueue", "/v2/change/enqueue"
	f(enqueue, `{}`, 400, "routing_key", "event_action")
	f(enqueue, `{"routing_key":"r","event_action":"trigger"}`, 400, "payload")
	f(enqueue, `{"routing_key":"r","event_action":"trigger","payload":{"severity":"fatal"}}`, 400, "payload.summary", "payload.source", "payload.severity")
	f(enqueue, `{"routing_key":"r","event_action":"resolve"}`, 400, "dedup_key")
	f(enqueue, `{"routing_key":"r","event_action":"acknowledge"}`, 400, "dedup_key")
	f(enqueue, `{"routing_key":"r","event_action":"resolve","dedup_key":"`+strings.Repeat("x", 256)+`"}`, 400, "256")
	f(enqueue, `{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"s","severity":"info","timestamp":"soon"}}`, 400, "payload.timestamp")
	f(enqueue, `{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"s","severity":"info","timestamp":"1950-01-01T00:00:00Z"}}`, 400, "starts_at")
	f(enqueue, `{"routing_key":7}`, 400, "routing_key")
	f(enqueue, `{"routing_key":"r"`, 400, "body")
	f(enqueue, `[]`, 400, "body")
	f(enqueue+"?source=a/b", `{}`, 400, "source")
	f(enqueue, strings.Repeat(" ", 5000), 413, "4096")
	f(change, `{}`, 400, "routing_key", "payload")
	f(change, `{"routing_key":"r","payload":{"source":"s"}}`, 400, "payload.summary")
}

// TestLongSummary: a summary is cut to 1024 characters, not refused, and the
// alert of which it is the name too is taken.
func TestLongSummary(t *testing.T) {
	body := func(summary string) string {
		return `{"routing_key":"r","event_action":"trigger","payload":{"summary":"` + summary + `","source":"s","severity":"info"}}`
	}
	f := func(sent, want string) {
		t.Helper()
		e, _ := event(t, body(sent))
		if e.Annotations.Get("summary") != want || e.Name() != want {
			t.Errorf("%d bytes: summary of %d, name of %d bytes, want %d", len(sent), len(e.Annotations.Get("summary")), len(e.Name()), len(want))
		}
	}
	f(strings.Repeat("é", 1024), strings.Repeat("é", 1024))
	f(strings.Repeat("é", 1025), strings.Repeat("é", 1023)+"…")
	f(strings.Repeat("x", 3000), strings.Repeat("x", 1023)+"…")
	long := strings.Repeat("x", 2000)
	if _, a := event(t, body(long+"a")); a == "" {
		t.Error("no key")
	} else if _, b := event(t, body(long+"b")); a == b {
		t.Error("summaries that differ behind the cut are one alert")
	}
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}}
	if status, _ := post(t, r, "/v2/change/enqueue", `{"routing_key":"r","payload":{"summary":"`+long+`"}}`); status != http.StatusAccepted || !strings.HasSuffix(r.Events[0].Summary(), "x…") {
		t.Errorf("change: %d", status)
	}
}

func TestChange(t *testing.T) {
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}}
	status, a := post(t, r, "/v2/change/enqueue", `{"routing_key":"r","payload":{"summary":"Build 7 deployed","source":"ci","timestamp":"2026-11-21T09:00:00Z",
		"custom_details":{"service":"shop","build":7}},"links":[{"href":"https://ci/7","text":"Build"}]}`)
	if status != http.StatusAccepted || a.Status != "success" || a.DedupKey != "" || len(r.Events) != 1 {
		t.Fatalf("%d %+v", status, a)
	}
	e := r.Events[0]
	if e.Kind != ingest.KindChange || e.Status != "" || !e.StartsAt.Equal(now.Add(-time.Hour)) || e.GeneratorURL != "https://ci/7" || e.Summary() != "Build 7 deployed" {
		t.Errorf("%+v", e)
	}
	if d := cmp.Diff(ingest.LabelsOf("alertname", "change", "instance", "ci", "service", "shop", "routing_key_hash", hashKey("r")), e.Labels); d != "" {
		t.Error(d)
	}
}

// TestWrongImages: an alert is not lost for its pictures.
func TestWrongImages(t *testing.T) {
	for _, images := range []string{`null`, `7`, `"x"`, `[7]`, `[{"src":7}]`, `{}`} {
		e, _ := event(t, `{"routing_key":"r","event_action":"trigger","images":`+images+`,"payload":{"summary":"s","source":"x","severity":"info"}}`)
		if d := cmp.Diff(ingest.LabelsOf("summary", "s"), e.Annotations); d != "" {
			t.Errorf("%s: %s", images, d)
		}
	}
}

func TestOverload(t *testing.T) {
	for _, path := range []string{"/v2/enqueue", "/v2/change/enqueue"} {
		body := `{"routing_key":"r","event_action":"resolve","dedup_key":"k","payload":{"summary":"s"}}`
		if status, _ := post(t, &doortest.Receiver{Options: ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{Source: {KeepRaw: true}}}, Err: ingest.ErrOverloaded}, path, body); status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d, want 503", path, status)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info","custom_details":{"a":[1]}}}`))
	f.Add([]byte(`{"routing_key":"r","event_action":"resolve","dedup_key":"k"}`))
	f.Add([]byte(`{"service_key":"r","payload":{"summary":"s","custom_details":"text"},"links":[{"href":"h"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, key, err := decodeEvent(body)
		if err == nil && (key == "" || e.Fingerprint == 0 || e.Labels.Get("dedup_key") != key) {
			t.Errorf("key %q, %+v", key, e)
		}
		if c, err := decodeChange(body); err == nil && c.Kind != ingest.KindChange {
			t.Errorf("%+v", c)
		}
	})
}
