package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/peers"
)

// What users of other tools complained of, seen from outside.

// A source that resolves while we are down: its late message ends the alert,
// and so does the alert's own end when no message comes.
func TestCase04KilledWhileAlertsFire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir, "")
	start := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	webhook := func(status string, end time.Time) string {
		return `{"version":"4","status":"` + status + `","alerts":[{"status":"` + status + `","labels":{"alertname":"Down","n":"late"},"startsAt":"` +
			start.Format(time.RFC3339) + `","endsAt":"` + end.Format(time.RFC3339Nano) + `"}]}`
	}
	mustSend(t, http.StatusOK, c.url+"/api/v1/webhooks/alertmanager", webhook("firing", time.Time{}))
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+
		alertJSON(start, time.Now().Add(500*time.Millisecond), "alertname", "Down", "n", "silent")+","+
		alertJSON(start, time.Now().Add(time.Hour), "alertname", "Down", "n", "firing")+"]")
	before := c.alertsByName(t)
	c.kill()
	during := time.Now().UTC().Truncate(time.Microsecond)
	c = startChild(t, dir, "")
	mustSend(t, http.StatusOK, c.url+"/api/v1/webhooks/alertmanager", webhook("resolved", during))
	peers.Until(t, 10*time.Second, func() error {
		alerts := c.alertsByName(t)
		if a := alerts["late"]; a.Status != ingest.Resolved || a.EndedBy != "source" || !a.EndsAt.Equal(during) {
			return fmt.Errorf("late: %s by %q at %v", a.Status, a.EndedBy, a.EndsAt)
		}
		if a := alerts["silent"]; a.Status != ingest.Resolved || a.EndedBy != "timeout" {
			return fmt.Errorf("silent: %s by %q", a.Status, a.EndedBy)
		}
		if a := alerts["firing"]; a.Status != ingest.Firing || a.Incident != before["firing"].Incident {
			return fmt.Errorf("firing: %s in %s, was in %s", a.Status, a.Incident, before["firing"].Incident)
		}
		return nil
	})
	c.stop(t)
}

// acknowledge opens alerts, then acknowledges incidents one by one and returns
// how long each took, in order of time taken.
func acknowledge(t testing.TB, active, count int) (took []time.Duration) {
	t.Helper()
	c := startChild(t, t.TempDir(), "")
	c.load(t, active)
	var open []string
	for _, inc := range all[correlate.Incident](t, c, "/api/v1/incidents?status=open&") {
		open = append(open, inc.ID)
	}
	if len(open) < count {
		t.Fatalf("%d alerts made %d open incidents, want %d to acknowledge", active, len(open), count)
	}
	for i := range count {
		start := time.Now()
		answer := mustSend(t, http.StatusOK, c.url+"/api/v1/incidents/"+open[i*len(open)/count]+"/commands", `{"command":"acknowledge","by":"ann"}`)
		took = append(took, time.Since(start))
		if !strings.Contains(answer, `"acknowledged"`) {
			t.Fatalf("acknowledged: %s", answer)
		}
	}
	slices.Sort(took)
	return took
}

// load fires alerts of hosts that no CMDB knows.
func (c *child) load(t testing.TB, active int) {
	t.Helper()
	end := time.Now().Add(time.Hour)
	for n := 0; n < active; {
		var alerts []string
		for ; len(alerts) < 1000 && n < active; n++ {
			alerts = append(alerts, alertJSON(time.Time{}, end, "alertname", fmt.Sprint("Down", n%50), "n", fmt.Sprint(n), "severity", "major",
				"host", fmt.Sprint("host-", n/5), "job", "node", "cluster", fmt.Sprint("c", n%7), "team", fmt.Sprint("team", n%11)))
		}
		mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+strings.Join(alerts, ",")+"]")
	}
}

func TestCase09AcknowledgeWhileManyAlertsAreActive(t *testing.T) {
	t.Parallel()
	took := acknowledge(t, 5_000, 50)
	t.Logf("median %v, slowest %v", took[len(took)/2], took[len(took)-1])
	// The limit is for 100,000, see the benchmark; half of the calls leaves
	// room for a busy machine.
	if median := took[len(took)/2]; median > 200*time.Millisecond {
		t.Errorf("half of the acknowledgements take longer than %v", median)
	}
}

func BenchmarkAcknowledgeWith100kActive(b *testing.B) {
	for b.Loop() {
		took := acknowledge(b, 100_000, 300)
		p99 := took[len(took)*99/100]
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
		if p99 > 200*time.Millisecond {
			b.Errorf("p99 %v, want less than 200ms", p99)
		}
	}
}

// hostile is what a penetration test leaves in labels and annotations.
var hostile = []string{
	`'; DROP TABLE alerts; --`, `" OR ""="`, `%' OR 1=1 --`, `<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `{{ .Labels }}`,
	`${jndi:ldap://x/a}`, `$(reboot)`, "`id`", `../../../../etc/passwd`, `%00%0a%0d`, "a\r\nSet-Cookie: x=y", "\x00\x01\x1b[2J", "\u202egnp.exe", "\ufeff\u2028\u2029",
	`"}],"items":[{"`, `\u0000\ud800`, `{a=~"("}`, `.*`, `(((((a*)*)*)*)*)*b`, `*`, `NULL`, `undefined`, `1e309`, "😀👩‍👩‍👧‍👦", strings.Repeat("Ⱥ", 4000),
}

func TestCase10GarbageBreaksNoListPageOrQuery(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "")
	names := map[string]string{}
	for i, text := range hostile {
		n := fmt.Sprint("h", i)
		names[n] = text
		body, err := json.Marshal([]any{map[string]any{
			"labels":       map[string]string{"alertname": text, "n": n, "host": text, "severity": text, "ci": text, text: "name"},
			"annotations":  map[string]string{"summary": text, text: text},
			"generatorURL": text,
		}})
		if err != nil {
			t.Fatal(err)
		}
		mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", string(body))
	}
	alerts := c.alertsByName(t)
	ids := map[string]bool{}
	for n, text := range names {
		a := alerts[n]
		if a.Name() != text || a.Labels.Get(text) != "name" || a.Annotations.Get(text) != text || a.Summary() != text || a.GeneratorURL != text {
			t.Errorf("%s: %.80q came back as %.80q", n, text, a.Name())
		}
		if a.Incident == "" {
			t.Errorf("%s: %.80q is in no incident", n, text)
		}
		ids[a.Incident] = true

		// Found by what it says, in every way there is to ask.
		for _, query := range []string{"/api/v1/alerts?match=", "/api/v1/events?match="} {
			var page struct {
				Items []struct{ Labels ingest.Labels }
			}
			matcher := `alertname=` + matcherText(text)
			c.mustGet(t, query+url.QueryEscape(matcher), &page)
			if len(page.Items) != 1 || page.Items[0].Labels.Get("n") != n {
				t.Errorf("%s%.100s finds %d, want %s", query, matcher, len(page.Items), n)
			}
		}
		for _, query := range []string{"/api/v1/alerts?ci=", "/api/v1/alerts?source=", "/api/v1/alerts?incident=", "/api/v1/incidents?q=", "/api/v1/incidents?service=", "/api/v1/incidents?ci=", "/api/v1/incidents?assignee="} {
			var page struct{ Items []json.RawMessage }
			if err := c.get(query+url.QueryEscape(text), &page); err != nil {
				t.Errorf("%.80q in a query: %v", text, err)
			}
		}
		// Where a grammar is asked for, garbage is refused with words.
		for _, query := range []string{"/api/v1/alerts?match=", "/api/v1/alerts?cursor=", "/api/v1/alerts?status=", "/api/v1/incidents?from=", "/api/v1/incidents/"} {
			resp, err := http.Get(c.url + query + url.PathEscape(text))
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Error struct{ Message string } }
			err = json.NewDecoder(resp.Body).Decode(&body)
			resp.Body.Close()
			if resp.StatusCode >= 500 || resp.StatusCode >= 400 && (err != nil || body.Error.Message == "") {
				t.Errorf("%s%.80q: %s, %q, %v", query, text, resp.Status, body.Error.Message, err)
			}
		}
	}
	for id := range ids {
		for _, page := range []string{"", "/alerts", "/timeline", "/evidence"} {
			var v json.RawMessage
			c.mustGet(t, "/api/v1/incidents/"+id+page, &v)
			if strings.Contains(string(v), "<script") {
				t.Errorf("incident %s%s holds a tag as it was sent", id, page)
			}
		}
	}
	for _, page := range []string{"/api/v1/incidents", "/api/v1/unbound", "/api/v1/status", "/api/v1/accounting"} {
		var v json.RawMessage
		c.mustGet(t, page, &v)
	}
	// One item a page reaches them all, each once.
	seen := map[string]int{}
	for next := ""; ; {
		var page struct {
			Items []ingest.Alert
			Next  string
		}
		c.mustGet(t, "/api/v1/alerts?limit=1&cursor="+url.QueryEscape(next), &page)
		for _, a := range page.Items {
			seen[a.Labels.Get("n")]++
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if len(seen) != len(hostile) {
		t.Errorf("page by page there are %d alerts, want %d", len(seen), len(hostile))
	}
	c.stop(t)
}

// matcherText is a string of Alertmanager's matchers.
func matcherText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// What did the alert say at 03:12? Deduplication keeps the values.
func TestCase12ValueHistorySurvivesDeduplication(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "")
	start := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	var times []time.Time
	values := []string{"81", "93", "97"}
	for _, value := range values {
		body := `[{"labels":{"alertname":"HighCPU","n":"cpu"},"annotations":{"value":"` + value + `"},"startsAt":"` + start.Format(time.RFC3339) + `"}]`
		for range 3 {
			mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", body)
		}
		times = append(times, time.Now())
	}
	a := c.alertsByName(t)["cpu"]
	if a.Count != 9 || a.Annotations.Get("value") != "97" {
		t.Errorf("sent nine times it counts %d and says %q", a.Count, a.Annotations.Get("value"))
	}
	path := "/api/v1/alerts/" + a.Fingerprint.String() + "/events"
	if events := all[ingest.Event](t, c, path+"?"); len(events) != len(values) {
		t.Errorf("%d events were stored, want one for each of %v", len(events), values)
	}
	for i, at := range times {
		var page struct{ Items []ingest.Event }
		c.mustGet(t, path+"?at="+url.QueryEscape(at.UTC().Format(time.RFC3339Nano)), &page)
		if len(page.Items) != 1 || page.Items[0].Annotations.Get("value") != values[i] {
			t.Errorf("at %v it said %+v, want %s", at, page.Items, values[i])
		}
	}
	c.stop(t)
}

func TestCase18LabelsStayAsSent(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "")
	labels := ingest.LabelsOf("AlertName", "No", "alertname", "DOWN", "Host", "DB-1", "host", "db-1", "n", "case", "Ünï-Cödé.x", " spaced ")
	body, err := json.Marshal([]any{map[string]any{"labels": labels.Map()}})
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", string(body))
	if got := c.alertsByName(t)["case"]; got.Labels.String() != labels.String() {
		t.Errorf("%v came back as %v", labels, got.Labels)
	}
	f := func(matcher string, want int) {
		t.Helper()
		var page struct{ Items []ingest.Alert }
		c.mustGet(t, "/api/v1/alerts?match="+url.QueryEscape(matcher), &page)
		if len(page.Items) != want {
			t.Errorf("%s finds %d, want %d", matcher, len(page.Items), want)
		}
	}
	f(`Host="DB-1"`, 1)
	f(`Host="db-1"`, 0)
	f(`alertname="DOWN"`, 1)
	f(`alertname="down"`, 0)
	c.stop(t)
}

func TestCase19NoSeverityIsUnknown(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "")
	for n, severity := range map[string]string{"none": "", "word": "catastrophic", "info": "info"} {
		mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(time.Time{}, time.Time{}, "alertname", n, "n", n, "severity", severity)+"]")
	}
	alerts := c.alertsByName(t)
	f := func(n string, want ingest.Severity, word string) {
		t.Helper()
		a := alerts[n]
		if a.Severity != want || a.SourceSeverity != word {
			t.Errorf("%s: %s (%q), want %s (%q)", n, a.Severity, a.SourceSeverity, want, word)
		}
		var inc correlate.Incident
		c.mustGet(t, "/api/v1/incidents/"+a.Incident, &inc)
		if inc.Severity != want {
			t.Errorf("%s: its incident is %s, want %s", n, inc.Severity, want)
		}
	}
	f("none", ingest.Unknown, "")
	f("word", ingest.Unknown, "catastrophic")
	f("info", ingest.Info, "info")
	c.stop(t)
}
