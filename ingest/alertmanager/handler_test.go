package alertmanager

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// inbox does as the real receiver: it normalises, and keeps what is good.
type inbox struct {
	norm                       *ingest.Normalizer
	err                        error
	source                     string
	events                     []ingest.Event
	received, stored, rejected int
}

func (in *inbox) Receive(_ context.Context, source string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	in.source = source
	in.received += len(events) + len(rejected)
	in.rejected += len(rejected)
	now := time.Now()
	for i := range events {
		e := events[i]
		e.Source = source
		if reason, err := in.norm.Normalize(&e, now); err != nil {
			in.rejected++
			rejected = append(rejected, ingest.Rejection{Index: i, Reason: reason, Err: err})
			continue
		}
		if in.err != nil {
			in.rejected++
			continue
		}
		in.stored++
		in.events = append(in.events, e)
	}
	return rejected, in.err
}

func newInbox() *inbox {
	return &inbox{norm: ingest.NewNormalizer(ingest.NormalizerOptions{Sources: map[string]ingest.SourceOptions{"grafana": {KeepRaw: true}}})}
}

// door puts an inbox behind a door.
func (in *inbox) door() *httpdoor.Door {
	return httpdoor.New(in, httpdoor.Options{KeepRaw: in.norm.KeepsRaw})
}

func post(h http.Handler, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// check compares an answer and the accounting behind it.
func (in *inbox) check(t *testing.T, name string, w *httptest.ResponseRecorder, wantStatus int, want string, wantStored, wantRejected int) {
	t.Helper()
	if w.Code != wantStatus || !strings.Contains(w.Body.String(), want) || want == "" && w.Body.Len() > 0 {
		t.Errorf("%s: %d %.400s\nwant %d %s", name, w.Code, w.Body, wantStatus, want)
	}
	if in.stored != wantStored || in.rejected != wantRejected || in.received != in.stored+in.rejected {
		t.Errorf("%s: received %d = stored %d + rejected %d; want %d + %d", name, in.received, in.stored, in.rejected, wantStored, wantRejected)
	}
}

const good = `{"labels":{"alertname":"Down","Host":"DB-1"},"startsAt":"2026-03-01T09:00:00Z"}`

func TestAPI(t *testing.T) {
	f := func(name, body string, wantStatus int, want string, wantStored, wantRejected int) []ingest.Event {
		t.Helper()
		in := newInbox()
		w := post(API(in.door()), "/api/v2/alerts", body, "Content-Type", "application/json")
		in.check(t, name, w, wantStatus, want, wantStored, wantRejected)
		if in.source != SourcePrometheus && wantStored+wantRejected > 0 {
			t.Errorf("%s: source %q", name, in.source)
		}
		if text := ""; w.Code == http.StatusBadRequest && json.Unmarshal(w.Body.Bytes(), &text) != nil {
			t.Errorf("%s: the answer is not a JSON string: %s", name, w.Body)
		}
		return in.events
	}
	evs := f("good", `[`+good+`]`, 200, "", 1, 0)
	if evs[0].Labels.Get("Host") != "DB-1" || evs[0].Severity != ingest.Unknown || evs[0].Timeout != 5*time.Minute || evs[0].Raw != nil {
		t.Errorf("stored %+v; want upper case kept, severity unknown, 5 minutes, no payload", evs[0])
	}
	f("empty", `[]`, 200, "", 0, 0)
	f("garbage", `hello`, 400, "not JSON at byte", 0, 1)
	f("truncated: nothing of it is taken", `[`+good+`,{"labels":{"a`, 400, "unexpected EOF", 0, 1)
	f("no array", `{"alerts":[]}`, 400, "body: got an object, want an array of alerts", 0, 1)
	f("empty body", ``, 400, "unexpected EOF", 0, 1)
	f("too deep", strings.Repeat(`[`, 20000), 400, "exceeded max depth", 0, 1)
	for _, c := range []struct{ name, bad, want string }{
		{"no labels", `{"labels":{}}`, "labels: empty"},
		{"no labels at all", `{}`, "labels: empty"},
		{"labels with empty values only", `{"labels":{"a":""}}`, "labels: empty"},
		{"an empty name", `{"labels":{"":"x"}}`, "a name is empty"},
		{"a number as a label", `{"labels":{"a":1}}`, "labels.a: got a number, want a string"},
		{"an array as labels", `{"labels":[1,[2,{}]]}`, "labels: got an array, want an object"},
		{"an object in annotations", `{"labels":{"a":"b"},"annotations":{"x":{"y":[{}]}}}`, "annotations.x: got an object"},
		{"not UTF-8", "{\"labels\":{\"a\":\"\xff\"}}", `\"labels.a\": \"\\xff\" is not UTF-8`},
		{"a name that is not UTF-8", "{\"labels\":{\"\xff\":\"a\"}}", `\"labels\": \"\\xff\" is not UTF-8`},
		{"a URL that is not UTF-8", "{\"labels\":{\"a\":\"b\"},\"generatorURL\":\"\xff\"}", `\"generatorURL\": \"\\xff\" is not UTF-8`},
		{"a time that is none", `{"labels":{"a":"b"},"startsAt":"soon"}`, `startsAt: \"soon\" is not an RFC 3339 time`},
		{"a negative year", `{"labels":{"a":"b"},"startsAt":"-0044-03-15T00:00:00Z"}`, `is not an RFC 3339 time`},
		{"a number as a time", `{"labels":{"a":"b"},"startsAt":-1}`, "startsAt: got a number"},
		{"before 1970", `{"labels":{"a":"b"},"startsAt":"1912-04-15T02:20:00Z"}`, "starts_at: 1912-04-15T02:20:00Z is not a time"},
		{"the end before the start", `{"labels":{"a":"b"},"startsAt":"2026-03-01T09:00:00Z","endsAt":"2026-03-01T08:00:00Z"}`, "ends_at: 2026-03-01T08:00:00Z is before starts_at"},
		{"a label bomb", `{"labels":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, "has 1048576 bytes, at most 4096 are taken"},
		{"a bomb of labels", `{"labels":{` + manyLabels(5000) + `}}`, "labels: 5000 of them, at most 128 are taken"},
		{"a bomb of a name", `{"labels":{"` + strings.Repeat("x", 1<<20) + `":"a"}}`, "has 1048576 bytes"},
	} {
		// Behind and before good ones, told by its own place.
		f(c.name, `[`+good+`,`+c.bad+`,`+good+`]`, 400, "event 1: ", 2, 1)
		f(c.name, `[`+c.bad+`]`, 400, c.want, 0, 1)
	}
	f("indexes are those of the message", `[{"labels":{"a":1}},`+good+`,{},{"labels":{"b":2}},`+good+`,{}]`, 400,
		`"event 0: labels.a: got a number, want a string; event 2: labels: empty, but an event is identified by its labels; send at least alertname; `+
			`event 3: labels.b: got a number, want a string; event 5: labels: empty, but an event is identified by its labels; send at least alertname"`, 2, 4)
	f("a long list of mistakes", `[`+strings.Repeat(`{},`, 999)+`{}]`, 400, "; and 950 more", 0, 1000)
	f("very many", `[`+strings.Repeat(`{},`, maxAlerts)+`{}]`, 413, "more than 65536 alerts; send smaller batches", 0, 1)
	evs = f("an expiry to come", `[{"labels":{"a":"b"},"endsAt":"`+time.Now().Add(time.Minute).Format(time.RFC3339)+`"}]`, 200, "", 1, 0)
	if e := evs[0]; e.Status != ingest.Firing || e.EndsAt.IsZero() || e.Timeout != 0 || !e.StartsAt.Before(e.EndsAt) {
		t.Errorf("stored %+v; want firing from now until its expiry", e)
	}
	evs = f("ended", `[{"labels":{"a":"b"},"endsAt":"2026-03-01T08:00:00Z"}]`, 200, "", 1, 0)
	if e := evs[0]; e.Status != ingest.Resolved || !e.StartsAt.Equal(e.EndsAt) {
		t.Errorf("stored %+v; want resolved, with its end for a start", e)
	}
}

func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"l%d":"v"`, i)
	}
	return b.String()[1:]
}

func TestAPITransport(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, `[`+good+`]`)
	z.Close()
	in := newInbox()
	in.check(t, "gzip", post(API(in.door()), "/", zipped.String(), "Content-Encoding", "gzip"), 200, "", 1, 0)

	var bomb bytes.Buffer
	z = gzip.NewWriter(&bomb)
	z.Write(bytes.Repeat([]byte(" "), 64<<20))
	z.Close()
	in = newInbox()
	in.check(t, "a gzip bomb", post(API(in.door()), "/", bomb.String(), "Content-Encoding", "gzip"), 413, `"body: more, at most 16777216 bytes`, 0, 1)

	in = newInbox()
	in.check(t, "100 MB", post(API(in.door()), "/", strings.Repeat(" ", 100<<20)), 413, `"body: 104857600 bytes`, 0, 1)

	in = newInbox()
	in.check(t, "a source", post(API(in.door()), "/?source=eu-1", `[`+good+`]`), 200, "", 1, 0)
	if in.source != "eu-1" {
		t.Errorf("source %q, want eu-1", in.source)
	}
	in = newInbox()
	in.check(t, "a bad source", post(API(in.door()), "/?source=%22", `[`+good+`]`), 400, "query parameter source", 0, 1)

	for _, err := range []error{fmt.Errorf("10 wait: %w", ingest.ErrOverloaded), errors.New("disk full")} {
		in = newInbox()
		in.err = err
		w := post(API(in.door()), "/", `[`+good+`,`+good+`]`)
		in.check(t, "not stored", w, 503, err.Error(), 0, 2)
		if w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		in = newInbox()
		in.err = err
		in.check(t, "not stored", post(Webhook(in.door(), WebhookOptions{}), "/", webhookOf(firing)), 503, err.Error(), 0, 1)
	}
}

const firing = `{"status":"firing","labels":{"alertname":"Down"},"annotations":{},"startsAt":"2026-03-01T09:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"0123456789abcdef"}`

func webhookOf(alerts ...string) string {
	return `{"receiver":"tocsin","status":"firing","alerts":[` + strings.Join(alerts, ",") + `],"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":0}`
}

func TestWebhook(t *testing.T) {
	f := func(name, body string, wantStatus int, want string, wantStored, wantRejected int) *inbox {
		t.Helper()
		in := newInbox()
		in.check(t, name, post(Webhook(in.door(), WebhookOptions{}), "/", body), wantStatus, want, wantStored, wantRejected)
		return in
	}
	in := f("good", webhookOf(firing), 200, `{"accepted":1,"rejected":[]}`, 1, 0)
	if e := in.events[0]; in.source != SourceAlertmanager || e.Timeout != 12*time.Hour || e.PrometheusFingerprint != ingest.FingerprintOf(e.Labels) {
		t.Errorf("source %s, stored %+v", in.source, e)
	}
	in = f("each alert by its own status", webhookOf(firing, strings.NewReplacer("firing", "resolved", "0001-01-01", "2026-03-02").Replace(firing)), 200, `"accepted":2`, 2, 0)
	if in.events[0].Status != ingest.Firing || in.events[1].Status != ingest.Resolved || in.events[1].EndsAt != time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) {
		t.Errorf("stored %+v", in.events)
	}
	in = f("a firing alert does not expire by somebody else's word", webhookOf(strings.Replace(firing, "0001-01-01", "2026-03-02", 1)), 200, `"accepted":1`, 1, 0)
	if e := in.events[0]; !e.EndsAt.IsZero() || e.Timeout != 12*time.Hour {
		t.Errorf("stored %+v; want no end and 12 hours", e)
	}
	f("truncatedAlerts resolve nothing", strings.Replace(webhookOf(firing), `"truncatedAlerts":0`, `"truncatedAlerts":7`, 1), 200, `"accepted":1`, 1, 0)
	f("an empty group", webhookOf(), 200, `{"accepted":0,"rejected":[]}`, 0, 0)
	f("a bad one among good ones", webhookOf(firing, `{"status":"firing","labels":{"a":7}}`, `{"status":"firing","labels":{}}`, firing), 200,
		`{"accepted":2,"rejected":["event 1: labels.a: got a number, want a string","event 2: labels: empty`, 2, 2)
	f("a bad one alone", webhookOf(`{"status":"firing","labels":{"a":7}}`), 400, `{"accepted":0,"rejected":["event 0: labels.a`, 0, 1)
	f("without a status", webhookOf(`{"labels":{"a":"b"}}`), 400, "status: missing", 0, 1)
	f("with a status of its own", webhookOf(strings.Replace(firing, "firing", "suppressed", 1)), 400, "want firing or resolved", 0, 1)
	f("not UTF-8", webhookOf(firing, "{\"status\":\"firing\",\"labels\":{\"a\":\"\xff\"}}"), 200, `"accepted":1`, 1, 1)
	f("garbage", `<html>`, 400, "not JSON", 0, 1)
	f("truncated", webhookOf(firing)[:300], 400, "unexpected EOF", 0, 1)
	f("another payload", `{"text":"hello"}`, 400, "configure a mapping", 0, 1)
	f("another version", strings.Replace(webhookOf(firing), `"4"`, `"3"`, 1), 400, `version: "3": want 4`, 0, 1)

	in = newInbox()
	in.check(t, "a source", post(Webhook(in.door(), WebhookOptions{}), "/?source=eu-1", webhookOf(firing)), 200, `"accepted":1`, 1, 0)
	if in.source != "eu-1" || in.events[0].Timeout != 24*time.Hour {
		t.Errorf("source %s, stored %+v", in.source, in.events[0])
	}
}

const fromGrafana = `{"receiver":"tocsin","status":"firing","alerts":[` +
	`{"status":"firing","labels":{"alertname":"DatasourceNoData","grafana_folder":"Shop"},"annotations":{"summary":"none","panelURL":"http://own"},` +
	`"startsAt":"2026-03-01T10:00:00+01:00","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://g/alerting","fingerprint":"57c6d9296de2ad39",` +
	`"silenceURL":"http://g/silence","dashboardURL":"http://g/d/1","panelURL":"http://g/d/1?viewPanel=2","imageURL":"","values":{"B": 22,"C":1e-3},"valueString":"[ var='B' ]","orgId":1}],` +
	`"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://g/","version":"1","groupKey":"k","truncatedAlerts":0,"orgId":1,"title":"[FIRING:1]","state":"alerting","message":"m"}`

func TestGrafana(t *testing.T) {
	in := newInbox()
	in.check(t, "Grafana", post(Webhook(in.door(), WebhookOptions{}), "/", fromGrafana), 200, `"accepted":1`, 1, 0)
	e := in.events[0]
	want := ingest.LabelsOf("summary", "none", "panelURL", "http://own", "silenceURL", "http://g/silence", "dashboardURL", "http://g/d/1",
		"values", `{"B":22,"C":1e-3}`, "valueString", "[ var='B' ]", "monitoring_health", "true")
	if diff := cmp.Diff(want, e.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(ingest.LabelsOf("alertname", "DatasourceNoData", "grafana_folder", "Shop"), e.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if e.Source != SourceGrafana || e.StartsAt != time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) || !json.Valid(e.Raw) || !bytes.Contains(e.Raw, []byte(`"fingerprint"`)) {
		t.Errorf("source %s, starts %v, payload %s", e.Source, e.StartsAt, e.Raw)
	}
}

func TestRawIsTheAlertAlone(t *testing.T) {
	first, second := `{"labels":{"a":"b"} , "x":[1]}`, `{"labels":{"a":"c"}}`
	events, _, err := DecodeAlerts([]byte(" [\n"+first+" ,\n "+second+"\t]"), now, true)
	if err != nil || len(events) != 2 || string(events[0].Raw) != first || string(events[1].Raw) != second {
		t.Errorf("%v, %+v", err, events)
	}
	events, rejected, err := DecodeAlerts([]byte("[{\"labels\":{\"a\":\"b\"},\"x\":\"\xff\"}]"), now, true)
	if err != nil || len(events) != 0 || len(rejected) != 1 {
		t.Errorf("a payload that is not UTF-8: %v, %+v, %v", err, events, rejected)
	}
}

func TestSignature(t *testing.T) {
	secret := []byte("s3cret")
	sign := func(parts ...string) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(strings.Join(parts, "")))
		return hex.EncodeToString(mac.Sum(nil))
	}
	opt := WebhookOptions{Secret: func(source string) []byte {
		if source == "grafana" {
			return secret
		}
		return nil
	}}
	f := func(name string, opt WebhookOptions, body string, wantStatus int, header ...string) {
		t.Helper()
		in := newInbox()
		w := post(Webhook(in.door(), opt), "/", body, header...)
		if stored := w.Code == 200; w.Code != wantStatus || stored != (in.stored == 1) || in.received != in.stored+in.rejected {
			t.Errorf("%s: %d %s, stored %d, rejected %d; want %d", name, w.Code, w.Body, in.stored, in.rejected, wantStatus)
		}
	}
	f("signed", opt, fromGrafana, 200, SignatureHeader, sign(fromGrafana))
	f("with a timestamp", opt, fromGrafana, 200, SignatureHeader, sign("1772355600", ":", fromGrafana), TimestampHeader, "1772355600")
	f("without the timestamp that was signed", opt, fromGrafana, 401, SignatureHeader, sign("1772355600", ":", fromGrafana))
	f("with a timestamp that was not", opt, fromGrafana, 401, SignatureHeader, sign(fromGrafana), TimestampHeader, "1772355600")
	f("unsigned", opt, fromGrafana, 401)
	f("not hex", opt, fromGrafana, 401, SignatureHeader, "hello")
	f("changed on the way", opt, strings.Replace(fromGrafana, "Shop", "Shot", 1), 401, SignatureHeader, sign(fromGrafana))
	f("a source without a secret", opt, webhookOf(firing), 200)
	own := opt
	own.SignatureHeader, own.TimestampHeader = "X-Sig", "X-Ts"
	f("headers of one's own", own, fromGrafana, 200, "X-Sig", sign("1", ":", fromGrafana), "X-Ts", "1")
	f("headers of one's own, unsigned", own, fromGrafana, 401, SignatureHeader, sign(fromGrafana))
}
