package alertmanager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func TestDecodeAlerts(t *testing.T) {
	f := func(name, body string, want []ingest.Event, wantRejected []string, wantErr string) {
		t.Helper()
		events, rejected, err := DecodeAlerts([]byte(body), now, false)
		var texts []string
		for _, r := range rejected {
			texts = append(texts, r.Error())
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(wantRejected, texts); diff != "" {
			t.Errorf("%s: rejected (-want +got):\n%s", name, diff)
		}
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: error %v, want %q", name, err, wantErr)
		}
	}
	down := ingest.Event{Kind: ingest.KindAlert, Status: ingest.Firing, Labels: ingest.LabelsOf("alertname", "Down", "Host", "DB-1")}
	f("empty array", `[]`, nil, nil, "")
	f("null", `null`, nil, nil, "")
	f("case is kept, unknown fields are passed over",
		`[{"labels":{"alertname":"Down","Host":"DB-1"},"x":{"y":[1]},"status":"whatever"}]`, []ingest.Event{down}, nil, "")
	resolved := down
	resolved.Status, resolved.EndsAt = ingest.Resolved, now.Add(-time.Second)
	f("an end that is past resolves", `[{"labels":{"alertname":"Down","Host":"DB-1"},"endsAt":"2026-03-01T09:59:59Z"}]`, []ingest.Event{resolved}, nil, "")
	firing := down
	firing.EndsAt = now.Add(4 * time.Minute)
	f("an end to come expires", `[{"endsAt":"2026-03-01T10:04:00.000Z","labels":{"Host":"DB-1","alertname":"Down"}}]`, []ingest.Event{firing}, nil, "")
	yearOne := down
	yearOne.EndsAt = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	f("year 1 is no end", `[{"endsAt":"0001-01-01T00:00:00Z","labels":{"Host":"DB-1","alertname":"Down"}}]`, []ingest.Event{yearOne}, nil, "")
	f("the bad one of three is rejected, the others are kept",
		`[{"labels":{"alertname":"Down","Host":"DB-1"}},{"labels":{"alertname":7},"annotations":{}},{"labels":{"alertname":"Down","Host":"DB-1"}}]`,
		[]ingest.Event{down, down}, []string{"event 1: labels.alertname: got a number, want a string"}, "")
	f("wrong types everywhere", `[7,"x",{"labels":[]},{"startsAt":5},{"startsAt":"yesterday"},{"labels":{"alertname":"Down","Host":"DB-1"}}]`,
		[]ingest.Event{down}, []string{
			"event 0: alert: got a number, want an object", "event 1: alert: got a string, want an object",
			"event 2: labels: got an array, want an object", "event 3: startsAt: got a number, want an RFC 3339 time",
			`event 4: startsAt: "yesterday" is not an RFC 3339 time, such as 2026-01-31T09:30:00Z`}, "")
	f("bad UTF-8 costs one alert", "[{\"labels\":{\"alertname\":\"\xff\"}},{\"labels\":{\"alertname\":\"Down\",\"Host\":\"DB-1\"}}]",
		[]ingest.Event{down}, []string{`event 0: "labels.alertname": "\xff" is not UTF-8; send text in UTF-8`}, "")
	f("truncated: nothing is taken", `[{"labels":{"alertname":"Down","Host":"DB-1"}},{"lab`, nil, nil, "body: not JSON")
	f("empty body", ``, nil, nil, "unexpected EOF")
	f("an object", `{}`, nil, nil, "want an array")
	f("two values", `[] []`, nil, nil, "more than one JSON value")
	escaped := down
	escaped.Labels = ingest.LabelsOf("a\"b", "x\ny", "alertname", "Ünï")
	f("escapes", `[{"labels":{"a\"b":"x\ny","alertname":"\u00dcn\u00ef"}}]`, []ingest.Event{escaped}, nil, "")
	twice := down
	twice.Labels = ingest.LabelsOf("alertname", "second")
	f("of a name given twice the last wins", `[{"labels":{"alertname":"first","alertname":"second"}}]`, []ingest.Event{twice}, nil, "")
}

func TestDecodeWebhook(t *testing.T) {
	f := func(name, body, wantSource string, want int, wantRejected int, wantErr string) []ingest.Event {
		t.Helper()
		source, events, rejected, err := DecodeWebhook([]byte(body), false)
		if len(events) != want || len(rejected) != wantRejected || source != wantSource {
			t.Errorf("%s: source %s, %d events, rejected %v; want %s, %d, %d", name, source, len(events), rejected, wantSource, want, wantRejected)
		}
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: error %v, want %q", name, err, wantErr)
		}
		return events
	}
	alert := func(status string) string {
		return `{"status":"` + status + `","labels":{"alertname":"Down"},"annotations":{},"startsAt":"2026-03-01T09:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"0123456789abcdef"}`
	}
	evs := f("each alert by its own status", `{"version":"4","status":"firing","truncatedAlerts":3,"notification_reason":"new","alerts":[`+alert("firing")+`,`+alert("resolved")+`]}`, "alertmanager", 2, 0, "")
	if evs[0].Status != ingest.Firing || evs[1].Status != ingest.Resolved {
		t.Errorf("statuses %s, %s; want firing, resolved", evs[0].Status, evs[1].Status)
	}
	evs = f("Grafana", `{"version":"1","orgId":1,"state":"alerting","alerts":[{"status":"firing","labels":{"alertname":"DatasourceNoData"},"annotations":{"summary":"s"},"valueString":"[ var='A' ]","panelURL":"http://g/p","values":{"A":1}}]}`, "grafana", 1, 0, "")
	want := ingest.LabelsOf("summary", "s", "valueString", "[ var='A' ]", "panelURL", "http://g/p", "monitoring_health", "true", "values", `{"A":1}`)
	if diff := cmp.Diff(want, evs[0].Annotations); diff != "" {
		t.Errorf("Grafana: annotations (-want +got):\n%s", diff)
	}
	f("unknown status", `{"version":"4","alerts":[`+alert("pending")+`,`+alert("firing")+`]}`, "alertmanager", 1, 1, "")
	f("no alerts field", `{"version":"4"}`, "alertmanager", 0, 0, "alerts: missing")
	f("another version", `{"version":"9","alerts":[]}`, "alertmanager", 0, 0, "version")
	f("alerts is no array", `{"version":"4","alerts":{}}`, "alertmanager", 0, 0, "want an array")
	f("truncated", `{"version":"4","alerts":[`+alert("firing"), "alertmanager", 0, 0, "not JSON")
}

// checkDecoded is the law of every decoder: a result or an error, and what is
// accepted survives normalisation or is refused with words.
func checkDecoded(t *testing.T, events []ingest.Event, rejected []ingest.Rejection, err error) {
	if err != nil && (len(events) > 0 || len(rejected) > 0) {
		t.Fatalf("an error and a result: %v, %d events, %d rejected", err, len(events), len(rejected))
	}
	n := ingest.NewNormalizer(ingest.NormalizerOptions{})
	for i := range events {
		ev := &events[i]
		ev.Source = "fuzz"
		reason, err := n.Normalize(ev, now)
		if err != nil {
			if reason == "" || err.Error() == "" {
				t.Fatalf("refused without a reason: %+v", ev)
			}
			continue
		}
		if ev.Fingerprint == 0 && len(ev.Labels) == 0 || ev.StartsAt.IsZero() || ev.Status == ingest.Resolved && ev.EndsAt.Before(ev.StartsAt) {
			t.Fatalf("accepted, but not valid: %+v", ev)
		}
		if _, err := json.Marshal(ev); err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
	}
}

// A door uses a body's memory again for the next one.
func TestEventsDoNotReferToTheBody(t *testing.T) {
	body := realistic(3)
	want, _, err := DecodeAlerts(bytes.Clone(body), now, true)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := DecodeAlerts(body, now, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = '#'
	}
	// Nor to what the next message leaves in the decoder.
	if _, _, err := DecodeAlerts([]byte(`[{"labels":{"alertname":"Other","x":"y"},"generatorURL":"http://other"}]`), now, true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodersForgetAndServeAgain(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxNames {
		fmt.Fprintf(&b, `,{"labels":{"alertname":"Down","l%d":"v%d"}}`, i, i)
	}
	body := []byte("[" + b.String()[1:] + "]")
	for range 2 {
		events, rejected, err := DecodeAlerts(body, now, false)
		if err != nil || len(rejected) > 0 || len(events) != 3*maxNames {
			t.Fatal(len(events), rejected, err)
		}
		for i, e := range events {
			if want := ingest.LabelsOf("alertname", "Down", fmt.Sprintf("l%d", i), fmt.Sprintf("v%d", i)); cmp.Diff(want, e.Labels) != "" {
				t.Fatalf("event %d: %v, want %v", i, e.Labels, want)
			}
		}
	}
}

// checkReference compares with another decoder, for messages that it takes.
func checkReference(t *testing.T, body []byte, events []ingest.Event, rejected []ingest.Rejection, err error) {
	var want []*struct {
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		GeneratorURL string            `json:"generatorURL"`
		StartsAt     string            `json:"startsAt"`
		EndsAt       string            `json:"endsAt"`
	}
	if jsonv2.Unmarshal(body, &want) != nil || len(want) > maxAlerts {
		return
	}
	if err != nil || len(events)+len(rejected) != len(want) {
		t.Fatalf("%d events, %d rejected, %v; want %d", len(events), len(rejected), err, len(want))
	}
	for i, w := range want {
		if len(rejected) > 0 && rejected[0].Index == i {
			if w != nil && w.StartsAt == "" && w.EndsAt == "" {
				t.Fatalf("alert %d is rejected: %v", i, rejected[0])
			}
			rejected = rejected[1:]
			continue
		}
		ev := events[0]
		events = events[1:]
		for _, p := range []struct {
			want map[string]string
			got  ingest.Labels
		}{{w.Labels, ev.Labels}, {w.Annotations, ev.Annotations}} {
			if len(p.want) != len(p.got) || len(p.want) > 0 && cmp.Diff(p.want, p.got.Map()) != "" {
				t.Fatalf("alert %d: %v, want %v", i, p.got, p.want)
			}
		}
		if ev.GeneratorURL != w.GeneratorURL {
			t.Fatalf("alert %d: URL %q, want %q", i, ev.GeneratorURL, w.GeneratorURL)
		}
	}
}

func FuzzDecodeAlerts(f *testing.F) {
	f.Add([]byte(`[{"labels":{"alertname":"Down","b":"c\u00e9\n"},"annotations":{"summary":"x"},"startsAt":"2026-03-01T09:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]`))
	f.Add([]byte("[{\"labels\":{\"alertname\":\"\xff\"}},null,7,{\"labels\":{\"b\":\"\",\"a\":\"x\",\"a\":\"y\"},\"generatorURL\":\"http://x\"}]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, rejected, err := DecodeAlerts(body, now, false)
		checkReference(t, body, events, rejected, err)
		withRaw, _, _ := DecodeAlerts(body, now, true)
		if len(withRaw) > len(events) {
			t.Fatalf("%d events with payloads, %d without", len(withRaw), len(events))
		}
		checkDecoded(t, events, rejected, err)
	})
}

func FuzzDecodeWebhook(f *testing.F) {
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":"2026-03-01T09:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"version":"1","orgId":1,"alerts":[{"status":"resolved","labels":{"a":"b"},"valueString":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, events, rejected, err := DecodeWebhook(body, true)
		checkDecoded(t, events, rejected, err)
	})
}

// realistic is a batch of n alerts as Prometheus sends them: 11 labels, 4
// annotations, about 870 bytes each.
func realistic(n int) []byte {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"labels":{"alertname":"HighCPU","cluster":"prod-eu-1","environment":"production","grp":"g%d","instance":"10.0.%d.%d:9100","job":"kubernetes-pods","namespace":"checkout","pod":"checkout-api-7d9f8b6c5d-%05d","service":"checkout-api","severity":"warning","team":"platform"},`+
			`"annotations":{"description":"The 5m rate of node_cpu_seconds_total{mode!=\"idle\"} has stayed over 90%% since the last deploy; pods on this node may be throttled and requests delayed. Value: 0.9%d","runbook_url":"https://runbooks.example.com/alerts/HighCPU","summary":"Instance 10.0.%d.%d is above its threshold for more than 10 minutes","value":"0.93"},`+
			`"startsAt":"2026-03-01T09:00:00.000Z","endsAt":"2026-03-01T13:00:00.000Z","generatorURL":"http://prometheus.example.com:9090/graph?g0.expr=rate%%28node_cpu_seconds_total%%5B5m%%5D%%29+%%3E+0.9&g0.tab=1"}`,
			i/100, i/250, i%250, i, i%1000, i/250, i%250)
	}
	b.WriteByte(']')
	return []byte(b.String())
}

func BenchmarkDecodeAlerts(b *testing.B) {
	body := realistic(100)
	norm := ingest.NewNormalizer(ingest.NormalizerOptions{})
	perAlert := func(b *testing.B) { b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/alert") }
	b.Run("tokens", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if evs, rej, err := DecodeAlerts(body, now, false); err != nil || len(rej) > 0 || len(evs) != 100 {
				b.Fatal(evs, rej, err)
			}
		}
		perAlert(b)
	})
	b.Run("tokens+normalize", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			evs, _, _ := DecodeAlerts(body, now, false)
			for i := range evs {
				evs[i].Source = "prometheus"
				if _, err := norm.Normalize(&evs[i], now); err != nil {
					b.Fatal(err)
				}
			}
		}
		perAlert(b)
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var v []struct {
				Labels, Annotations map[string]string
				StartsAt, EndsAt    time.Time
				GeneratorURL        string
			}
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
		perAlert(b)
	})
}
