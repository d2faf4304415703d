package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
	"tocsin/internal/peers"
)

var eventsTotal = regexp.MustCompile(`(?m)^tocsin_events_(received|stored|deduplicated|rejected)_total\{(?:reason="(\w+)",)?source="([^"]*)"\} (\S+)$`)

// metrics are the four counts of each source as /metrics has them, and the
// rejections by reason.
func (c *child) metrics(t testing.TB) (map[string]account, map[ingest.Reason]int64) {
	t.Helper()
	resp, err := http.Get(c.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out, reasons := map[string]account{}, map[ingest.Reason]int64{}
	for _, m := range eventsTotal.FindAllStringSubmatch(string(body), -1) {
		f, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		a, n := out[m[3]], int64(f)
		switch m[1] {
		case "received":
			a.Received += n
		case "stored":
			a.Stored += n
		case "deduplicated":
			a.Deduplicated += n
		case "rejected":
			a.Rejected += n
			reasons[ingest.Reason(m[2])] += n
		}
		out[m[3]] = a
	}
	return out, reasons
}

// checkMetrics says that the counts of every source add up; nothing may wait.
func (c *child) checkMetrics(t testing.TB) (map[string]account, map[ingest.Reason]int64) {
	t.Helper()
	counts, reasons := c.metrics(t)
	for source, a := range counts {
		if a.Received != a.Stored+a.Deduplicated+a.Rejected {
			t.Errorf("source %s: %d received = %d stored + %d deduplicated + %d rejected does not hold", source, a.Received, a.Stored, a.Deduplicated, a.Rejected)
		}
	}
	return counts, reasons
}

// garbage are messages of which nothing can be taken: each counts as one
// rejected event.
var garbage = []string{
	``, `{`, `nonsense`, `[{"labels":{"alertname":"x"`, `{"labels":{}}`, `7`, `"x"`, `[] []`, "\x00\xff\xfe",
}

// part are two good alerts, seven bad ones between them: empty labels, wrong
// types, an end before the start, times that cannot be.
func part(name string, start time.Time) string {
	at := start.UTC().Format(time.RFC3339Nano)
	return `[{"labels":{}},` +
		`{"labels":{"alertname":"Part","n":"` + name + `a"},"startsAt":"` + at + `"},` +
		`{"labels":{"alertname":5}},"x",` +
		`{"labels":{"alertname":"EndsFirst","n":"` + name + `"},"startsAt":"2026-03-01T10:00:00Z","endsAt":"2026-03-01T09:00:00Z"},` +
		`{"labels":{"alertname":"Early","n":"` + name + `"},"startsAt":"1931-01-01T00:00:00Z"},` +
		`{"labels":{"alertname":"Never","n":"` + name + `"},"startsAt":"soon"},` +
		`{"labels":{"alertname":"Part","n":"` + name + `b"},"startsAt":"` + at + `"},` +
		`{"labels":["alertname"]}]`
}

// TestAccounting lets many clients send good, bad and doubled alerts of several
// sources at once to a server that can hold few, and counts what they sent.
func TestAccounting(t *testing.T) {
	t.Parallel()
	const clients, rounds, batch = 12, 8, 40
	dir, config := t.TempDir(), "limits:\n  max_events_in_flight: 60\n"
	c := startChild(t, dir, config)
	start := time.Now().Add(-time.Minute).Truncate(time.Millisecond)

	var mu sync.Mutex
	sent, acked, turnedAway := map[string]int64{}, map[string]bool{}, 0
	client := func(n int) error {
		source := []string{"prometheus", "east", "west"}[n%3]
		url := c.url + "/api/v2/alerts?source=" + source
		// offer posts until the server has room, counting every attempt.
		offer := func(body string, events, want int, names ...string) error {
			for {
				status, answer, err := send(url, body)
				if err != nil {
					return err
				}
				mu.Lock()
				sent[source] += int64(events)
				if status == http.StatusServiceUnavailable {
					turnedAway++
				} else {
					for _, name := range names {
						acked[name] = true
					}
				}
				mu.Unlock()
				switch status {
				case http.StatusServiceUnavailable:
					<-time.After(time.Millisecond)
				case want:
					return nil
				default:
					return fmt.Errorf("%.100q: %d %s, want %d", body, status, answer, want)
				}
			}
		}
		for round := range rounds {
			var alerts, names []string
			for i := range batch {
				// Half of the alerts of a client are those of its neighbour.
				name := fmt.Sprintf("%s-%d-%d-%d", source, (n+i%2*3)%clients, round, i)
				names = append(names, name)
				alerts = append(alerts, alertJSON(start, time.Time{}, "alertname", "Count", "n", name))
			}
			body := "[" + strings.Join(alerts, ",") + "]"
			for range 2 {
				if err := offer(body, batch, http.StatusOK, names...); err != nil {
					return err
				}
			}
			if err := offer(garbage[(n+round)%len(garbage)], 1, http.StatusBadRequest); err != nil {
				return err
			}
			name := fmt.Sprintf("%s-part-%d-%d-", source, n, round)
			if err := offer(part(name, start), 9, http.StatusBadRequest, name+"a", name+"b"); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			if err := client(n); err != nil {
				t.Errorf("client %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}

	counts, reasons := c.checkMetrics(t)
	got := map[string]int64{}
	for source, a := range counts {
		if source != "tocsin" && source != "operator" {
			got[source] = a.Received
		}
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("received (-sent +counted):\n%s", diff)
	}
	t.Logf("%v sent, %d messages turned away, rejected %v", sent, turnedAway, reasons)
	if turnedAway == 0 || reasons[ingest.ReasonOverloaded] == 0 {
		t.Errorf("%d messages were answered 503, %d events counted as such: the overload was not tested", turnedAway, reasons[ingest.ReasonOverloaded])
	}
	for _, r := range []ingest.Reason{ingest.ReasonMalformed, ingest.ReasonInvalid} {
		if reasons[r] == 0 {
			t.Errorf("nothing was rejected as %s", r)
		}
	}
	// With the next good alert the store counts every rejection too.
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(start, time.Time{}, "alertname", "Last", "n", "last")+"]")
	acked["last"] = true
	counts, _ = c.checkMetrics(t)
	delete(counts, "operator")
	delete(counts, "tocsin")
	if diff := cmp.Diff(counts, c.accounting(t)); diff != "" {
		t.Errorf("accounting (-/metrics +/api/v1/accounting):\n%s", diff)
	}
	checkAcked(t, c, acked)

	// What is durable survives kill -9, and its counts with it.
	before := c.accounting(t)
	c.kill()
	c = startChild(t, dir, config)
	if diff := cmp.Diff(before, c.accounting(t)); diff != "" {
		t.Errorf("the accounting over kill -9 (-before +after):\n%s", diff)
	}
	after, _ := c.checkMetrics(t)
	for source, a := range before {
		if b := after[source]; b.Stored != a.Stored || b.Deduplicated != a.Deduplicated {
			t.Errorf("source %s: /metrics goes on from %+v, the store has %+v", source, b, a)
		}
	}
	// All of it once more is nothing new.
	for _, source := range []string{"prometheus", "east", "west"} {
		var alerts []string
		for name := range acked {
			if strings.HasPrefix(name, source) && !strings.Contains(name, "part") {
				alerts = append(alerts, alertJSON(start, time.Time{}, "alertname", "Count", "n", name))
			}
		}
		mustSend(t, http.StatusOK, c.url+"/api/v2/alerts?source="+source, "["+strings.Join(alerts, ",")+"]")
		a, b := before[source], c.accounting(t)[source]
		if b.Stored != a.Stored || b.Deduplicated != a.Deduplicated+int64(len(alerts)) {
			t.Errorf("source %s: %d alerts sent again made %+v of %+v", source, len(alerts), b, a)
		}
	}
	checkAcked(t, c, acked)
	c.checkMetrics(t)
	c.stop(t)
}

// checkAcked says that each acknowledged alert is there, found by its
// fingerprint, and that nothing was stored twice.
func checkAcked(t testing.TB, c *child, acked map[string]bool) {
	t.Helper()
	alerts := c.alertsByName(t)
	for name := range acked {
		a, ok := alerts[name]
		if !ok || a.Status != ingest.Firing {
			t.Errorf("the alert %s was acknowledged and is %q", name, a.Status)
			continue
		}
		if a.Fingerprint != ingest.FingerprintOf(a.Labels) {
			t.Errorf("the alert %s has the fingerprint %s, its labels make %s", name, a.Fingerprint, ingest.FingerprintOf(a.Labels))
		}
	}
	for name := range alerts {
		if !acked[name] {
			t.Errorf("the alert %s is there and was never acknowledged", name)
		}
	}
	checkEvents(t, c, alerts)
}

// A sender that goes away in the middle, or names itself badly, is counted too.
func TestAccountingOfOddSenders(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "limits:\n  max_body_bytes: 4096\n  request_timeout: 1s\n")
	rejected := func() int64 {
		counts, _ := c.checkMetrics(t)
		n := int64(0)
		for _, a := range counts {
			n += a.Rejected
		}
		return n
	}
	f := func(name string, want int, path, body string, header ...string) {
		t.Helper()
		before := rejected()
		answer := mustSend(t, want, c.url+path, body, header...)
		if strings.TrimSpace(answer) == "" {
			t.Errorf("%s: an answer without words", name)
		}
		if got := rejected() - before; got != 1 {
			t.Errorf("%s: counted %d times, want once", name, got)
		}
	}
	big := strings.Repeat("x", 5000)
	for _, path := range []string{"/api/v2/alerts", "/api/v1/webhooks/alertmanager", "/api/v1/events", "/v2/enqueue", "/v1/logs"} {
		f(path+": too large", http.StatusRequestEntityTooLarge, path, big)
		f(path+": no JSON", http.StatusBadRequest, path, "{")
		f(path+": not gzip", http.StatusBadRequest, path, "{}", "Content-Encoding", "gzip")
		f(path+": unknown encoding", http.StatusUnsupportedMediaType, path, "{}", "Content-Encoding", "br")
	}
	f("a source with a bad name", http.StatusBadRequest, "/api/v2/alerts?source=a%20b", "[]")

	before := rejected()
	r, w := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, c.url+"/api/v2/alerts", r)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
	}()
	fmt.Fprint(w, `[{"labels":`)
	w.CloseWithError(io.ErrClosedPipe)
	peers.Until(t, 10*time.Second, func() error {
		if got := rejected() - before; got != 1 {
			return fmt.Errorf("a body that broke off was counted %d times", got)
		}
		return nil
	})
	c.stop(t)
}

// Senders may name themselves: however many names they think of, the metrics
// stay few, and their sum stays right.
func TestAccountingOfManySources(t *testing.T) {
	t.Parallel()
	const sources = 300
	dir := t.TempDir()
	c := startChild(t, dir, "")
	for i := range sources {
		url := fmt.Sprintf("%s/api/v2/alerts?source=s%d", c.url, i)
		alert := alertJSON(time.Time{}, time.Time{}, "alertname", "Many", "n", fmt.Sprint(i))
		mustSend(t, http.StatusBadRequest, url, "["+alert+`,{"labels":{}}]`)
		mustSend(t, http.StatusOK, url, "["+alert+"]")
	}
	check := func(wantRejected int64) {
		t.Helper()
		counts, _ := c.checkMetrics(t)
		var sum account
		for source, a := range counts {
			if source != "tocsin" {
				sum.Stored, sum.Deduplicated, sum.Rejected = sum.Stored+a.Stored, sum.Deduplicated+a.Deduplicated, sum.Rejected+a.Rejected
			}
		}
		if want := (account{Stored: sources, Deduplicated: sources, Rejected: wantRejected}); sum != want {
			t.Errorf("in all %+v, want %+v", sum, want)
		}
		if len(counts) > 250 {
			t.Errorf("/metrics has %d sources", len(counts))
		}
	}
	check(sources)
	c.stop(t)
	c = startChild(t, dir, "")
	total := int64(0)
	for _, a := range c.accounting(t) {
		total += a.Rejected
	}
	if total != sources {
		t.Errorf("stopped and started again, the store counts %d rejections, want %d", total, sources)
	}
	check(0) // /metrics counts rejections anew, as their reasons are not stored
	checkEvents(t, c, c.alertsByName(t))
	c.stop(t)
}
