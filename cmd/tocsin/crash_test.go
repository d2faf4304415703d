package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/peers"
)

// A sender posts alerts and resolutions until it is told to stop, and repeats
// each message until it is acknowledged, as Prometheus and Alertmanager do.
type sender struct {
	n     int
	acked map[string]ingest.Status // the last acknowledged state by name
	tries int
}

// run posts until stop is closed. at gives the server of now.
func (s *sender) run(stop <-chan struct{}, at func() string) error {
	s.acked = map[string]ingest.Status{}
	start := time.Now().Add(-time.Minute).Truncate(time.Second)
	for batch := 0; ; batch++ {
		names := map[string]ingest.Status{}
		var alerts []string
		for i := range 5 {
			name := fmt.Sprintf("s%d-%d-%d", s.n, batch, i)
			names[name] = ingest.Firing
			alerts = append(alerts, alertJSON(start, time.Now().Add(time.Hour), "alertname", "Crash", "n", name, "host", fmt.Sprint("web-", i%3+1)))
		}
		// A third of those of the batch before last end.
		for i := range 2 {
			if name := fmt.Sprintf("s%d-%d-%d", s.n, batch-2, i); s.acked[name] == ingest.Firing {
				names[name] = ingest.Resolved
				alerts = append(alerts, alertJSON(start, time.Now().Add(-time.Second), "alertname", "Crash", "n", name, "host", fmt.Sprint("web-", i%3+1)))
			}
		}
		body := "[" + strings.Join(alerts, ",") + "]"
		for {
			status, answer, err := send(at()+"/api/v2/alerts", body)
			if err == nil && status == http.StatusOK {
				maps.Copy(s.acked, names)
				break
			}
			if err == nil && status != http.StatusServiceUnavailable {
				return fmt.Errorf("sender %d: %d %s", s.n, status, answer)
			}
			s.tries++
			select {
			case <-stop: // what was not acknowledged may or may not be there
				for name := range names {
					delete(s.acked, name)
				}
				return nil
			case <-time.After(5 * time.Millisecond):
			}
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// commented are the comments that were acknowledged, with their incident.
type commented map[string]string

// comment acts on the incidents that there are, until stop is closed.
func comment(stop <-chan struct{}, at func() string) (commented, error) {
	done := commented{}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return done, nil
		case <-time.After(2 * time.Millisecond):
		}
		var list struct{ Items []correlate.Incident }
		if (&child{url: at()}).get("/api/v1/incidents?limit=5", &list) != nil || len(list.Items) == 0 {
			continue
		}
		id, text := list.Items[n%len(list.Items)].ID, fmt.Sprintf("note-%d.", n)
		status, answer, err := send(at()+"/api/v1/incidents/"+id+"/commands", `{"command":"comment","comment":"`+text+`","by":"ann"}`)
		switch {
		case err == nil && status == http.StatusOK:
			done[text] = id
		case err == nil && status < 500 && status != http.StatusConflict:
			return done, fmt.Errorf("comment on %s: %d %s", id, status, answer)
		}
	}
}

// TestCrash kills the server at random moments under load, several times, and
// then looks for everything that was acknowledged.
func TestCrash(t *testing.T) {
	t.Parallel()
	const kills = 4
	dir := t.TempDir()
	cmdb := filepath.Join(dir, "estate.json")
	if err := os.WriteFile(cmdb, []byte(estate), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, dir, "", "--cmdb", cmdb)
	var mu sync.Mutex
	at := func() string { mu.Lock(); defer mu.Unlock(); return c.url }

	var wg sync.WaitGroup
	stop := make(chan struct{})
	senders := make([]*sender, 3)
	errs := make([]error, len(senders)+1)
	for i := range senders {
		senders[i] = &sender{n: i}
		wg.Go(func() { errs[i] = senders[i].run(stop, at) })
	}
	var comments commented
	wg.Go(func() { comments, errs[len(senders)] = comment(stop, at) })

	short := time.Now().Add(2 * time.Second)
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(time.Time{}, short, "alertname", "Short", "n", "short", "host", "web-1")+"]")
	ids := map[string]bool{}
	for range kills {
		c.untilStored(t, 60)
		select {
		case <-time.After(time.Duration(200+rand.IntN(700)) * time.Millisecond):
		case <-c.exited:
			t.Fatalf("it ended by itself: %v", c.err)
		}
		var list struct{ Items []correlate.Incident }
		c.mustGet(t, "/api/v1/incidents?limit=1000", &list)
		for _, inc := range list.Items {
			ids[inc.ID] = true
		}
		c.kill()
		next := startChild(t, dir, "", "--cmdb", cmdb)
		mu.Lock()
		c = next
		mu.Unlock()
	}
	close(stop)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}

	alerts := c.alertsByName(t)
	acked, resolved := 0, 0
	for _, s := range senders {
		for name, want := range s.acked {
			acked++
			if want == ingest.Resolved {
				resolved++
			}
			if a, ok := alerts[name]; !ok || a.Status != want || a.Incident == "" {
				t.Errorf("the alert %s is %q in incident %q; acknowledged was %s", name, a.Status, a.Incident, want)
			}
		}
		if s.tries == 0 {
			t.Errorf("sender %d noticed nothing of the kills", s.n)
		}
	}
	t.Logf("%d alerts acknowledged, %d resolved, %d comments, %d incidents", acked, resolved, len(comments), len(ids))
	if acked < 100 || resolved < 10 || len(comments) == 0 || len(ids) == 0 {
		t.Error("too little happened for this to prove anything")
	}
	for id := range ids {
		var inc correlate.Incident
		c.mustGet(t, "/api/v1/incidents/"+id+"?redirect=false", &inc)
		if inc.ID != id {
			t.Errorf("incident %s became %s", id, inc.ID)
		}
	}
	checkComments(t, c, comments)
	checkEvents(t, c, alerts)

	peers.Until(t, 20*time.Second, func() error {
		if a := c.alertsByName(t)["short"]; a.Status != ingest.Resolved || a.EndedBy != "timeout" {
			return fmt.Errorf("the alert with a short end is %s, ended by %q", a.Status, a.EndedBy)
		}
		return nil
	})

	// Without traffic a kill changes nothing at all.
	before, incidents := c.alertsByName(t), c.incidentIDs(t)
	c.kill()
	c = startChild(t, dir, "", "--cmdb", cmdb)
	after := c.alertsByName(t)
	if len(after) != len(before) {
		t.Errorf("%d alerts became %d", len(before), len(after))
	}
	for name, a := range before {
		if b := after[name]; b.Status != a.Status || b.Incident != a.Incident || b.Count != a.Count {
			t.Errorf("%s: %s in %s, count %d, became %s in %s, count %d", name, a.Status, a.Incident, a.Count, b.Status, b.Incident, b.Count)
		}
	}
	if got := c.incidentIDs(t); !slices.Equal(got, incidents) {
		t.Errorf("incidents %v became %v", incidents, got)
	}
	// The engine, not only the store, knows them: an end resolves.
	name := "s0-0-4"
	if after[name].Status == ingest.Firing {
		mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(after[name].StartsAt, time.Now().Add(-time.Millisecond), "alertname", "Crash", "n", name, "host", "web-2")+"]")
		if a := c.alertsByName(t)[name]; a.Status != ingest.Resolved || a.Incident != after[name].Incident {
			t.Errorf("%s was ended after the restart and is %s in %s, was in %s", name, a.Status, a.Incident, after[name].Incident)
		}
	}
	c.stop(t)
}

// untilStored waits until so many more events are stored.
func (c *child) untilStored(t testing.TB, more int64) {
	t.Helper()
	enough := c.accounting(t)["prometheus"].Stored + more
	peers.Until(t, peerPatience, func() error {
		if n := c.accounting(t)["prometheus"].Stored; n < enough {
			return fmt.Errorf("%d events are stored, want %d", n, enough)
		}
		return nil
	})
}

// TestStopUnderLoad ends the server as a service manager does, with clients in
// the middle of their work: it leaves at once, and nothing acknowledged is lost.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir, "")
	url := c.url
	s, stop, ended := &sender{}, make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.run(stop, func() string { return url }) }()
	c.untilStored(t, 100)
	c.stop(t)
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c = startChild(t, dir, "")
	alerts := c.alertsByName(t)
	for name, want := range s.acked {
		if alerts[name].Status != want {
			t.Errorf("the alert %s is %q; acknowledged was %s", name, alerts[name].Status, want)
		}
	}
	checkEvents(t, c, alerts)
	c.stop(t)
}

// A command that is repeated because its answer was lost with the server is
// carried out once.
func TestRepeatedCommandOverACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir, "")
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(time.Time{}, time.Time{}, "alertname", "Down", "n", "x")+"]")
	id := c.alertsByName(t)["x"].Incident
	for range 2 {
		mustSend(t, http.StatusOK, c.url+"/api/v1/incidents/"+id+"/commands", `{"command":"comment","comment":"once.","by":"ann"}`, "Idempotency-Key", "k-1")
		c.kill()
		c = startChild(t, dir, "")
	}
	checkComments(t, c, commented{"once.": id})
	c.stop(t)
}

// checkComments looks for each acknowledged comment once, on its incident or
// on that which it was merged into.
func checkComments(t testing.TB, c *child, comments commented) {
	t.Helper()
	timelines := map[string]string{}
	for text, id := range comments {
		if _, ok := timelines[id]; !ok {
			raw := all[json.RawMessage](t, c, "/api/v1/incidents/"+id+"/timeline?")
			b, err := json.Marshal(raw)
			if err != nil {
				t.Fatal(err)
			}
			timelines[id] = string(b)
		}
		if n := strings.Count(timelines[id], text); n != 1 {
			t.Errorf("the comment %q is %d times on %s, want once", text, n, id)
		}
	}
}

// checkEvents says that nothing was stored twice, and that the store's
// accounting counts what is in it.
func checkEvents(t testing.TB, c *child, alerts map[string]ingest.Alert) {
	t.Helper()
	type key struct {
		fp     ingest.Fingerprint
		status ingest.Status
	}
	seen, stored := map[key]int{}, map[string]int64{}
	for _, ev := range all[ingest.Event](t, c, "/api/v1/events?") {
		stored[ev.Source]++
		if ev.Kind == ingest.KindAlert {
			seen[key{ev.Fingerprint, ev.Status}]++
		}
	}
	for k, n := range seen {
		if n > 1 {
			t.Errorf("alert %s was stored %d times as %s", k.fp, n, k.status)
		}
	}
	if len(alerts) == 0 {
		t.Error("there is no alert")
	}
	for source, a := range c.accounting(t) {
		if a.Stored != stored[source] {
			t.Errorf("source %s: the accounting says %d stored, there are %d events", source, a.Stored, stored[source])
		}
		if a.Received != a.Stored+a.Deduplicated+a.Rejected {
			t.Errorf("source %s: %+v does not add up", source, a)
		}
	}
}
