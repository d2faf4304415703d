package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
)

// healthy says that the server lives and takes a good alert.
func (c *child) healthy(t testing.TB, name string) {
	t.Helper()
	for _, page := range []string{"/-/healthy", "/-/ready"} {
		resp, err := http.Get(c.url + page)
		if err != nil {
			t.Fatalf("after %s: %v\n%s", name, err, c.log)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("after %s: %s is %s", name, page, resp.Status)
		}
	}
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", "["+alertJSON(time.Time{}, time.Time{}, "alertname", "Good", "n", name)+"]")
	if a := c.alertsByName(t)[name]; a.Status != ingest.Firing {
		t.Fatalf("after %s: a good alert is %q", name, a.Status)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	c := startChild(t, t.TempDir(), "")
	// f posts to the Alertmanager API and wants an answer that names what is wrong.
	f := func(name, body string, wantStatus int, want ...string) {
		t.Helper()
		answer := mustSend(t, wantStatus, c.url+"/api/v2/alerts", body)
		var text string
		if err := json.Unmarshal([]byte(answer), &text); err != nil {
			t.Errorf("%s: the answer %.200q is no JSON string: %v", name, answer, err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the answer %.300q does not name %q", name, text, w)
			}
		}
		if len(text) > 5000 {
			t.Errorf("%s: the answer has %d bytes", name, len(text))
		}
		c.healthy(t, name)
	}
	const bad, large = http.StatusBadRequest, http.StatusRequestEntityTooLarge
	f("truncated", `[{"labels":{"alertname":"x"`, bad, "body", "not JSON")
	f("an object", `{}`, bad, "body", "array")
	f("labels of a wrong type", `[{"labels":{"alertname":["x"]}}]`, bad, "event 0", "labels.alertname", "string")
	f("a number for an alert", `[1]`, bad, "event 0", "number", "object")
	f("a number for a time", `[{"labels":{"alertname":"x"},"startsAt":1700000000}]`, bad, "startsAt", "RFC 3339")
	f("no time", `[{"labels":{"alertname":"x"},"endsAt":"tomorrow"}]`, bad, "endsAt", "tomorrow", "RFC 3339")
	f("before 1970", `[{"labels":{"alertname":"x"},"startsAt":"1969-12-31T23:59:59Z"}]`, bad, "1969-12-31T23:59:59Z")
	f("a negative year", `[{"labels":{"alertname":"x"},"startsAt":"-001-01-01T00:00:00Z"}]`, bad, "startsAt", "-001")
	f("far too late", `[{"labels":{"alertname":"x"},"startsAt":"9999-12-31T23:59:59Z"}]`, bad, "9999")
	f("ends before it starts", `[{"labels":{"alertname":"x"},"startsAt":"2026-03-01T10:00:00Z","endsAt":"2026-03-01T09:00:00Z"}]`, bad, "2026-03-01T10:00:00", "2026-03-01T09:00:00")
	f("no labels", `[{"annotations":{"summary":"x"}}]`, bad, "labels", "alertname")
	f("only empty labels", `[{"labels":{"alertname":"","n":""}}]`, bad, "labels", "alertname")
	f("invalid UTF-8", "[{\"labels\":{\"alertname\":\"a\xc3\x28\"}}]", bad, "UTF-8")
	bomb := make([]string, 0, 20_000)
	for i := range 10_000 {
		bomb = append(bomb, fmt.Sprint("l", i), "x")
	}
	f("10,000 labels", "["+alertJSON(time.Time{}, time.Time{}, bomb...)+"]", bad, "labels", "10000", "128")
	f("a megabyte in a label", "["+alertJSON(time.Time{}, time.Time{}, "alertname", strings.Repeat("x", 1<<20))+"]", bad, "alertname", "1048576", "ingest.max_label_bytes")
	f("deep nesting", `[{"labels":`+strings.Repeat("[", 100_000), bad)
	f("50,000 wrong elements", "["+strings.Repeat("1,", 49_999)+"1]", bad, "event 0", "more")
	f("100,000 alerts", "["+strings.Repeat("{},", 99_999)+"{}]", large, "send smaller batches")

	// The good part of a batch is kept.
	answer := mustSend(t, bad, c.url+"/api/v2/alerts", part("part", time.Now()))
	alerts := c.alertsByName(t)
	if alerts["parta"].Status != ingest.Firing || alerts["partb"].Status != ingest.Firing {
		t.Errorf("the good alerts of a bad batch are %q and %q", alerts["parta"].Status, alerts["partb"].Status)
	}
	for _, place := range []string{"event 0:", "event 2:", "event 3:", "event 4:", "event 5:", "event 6:", "event 8:"} {
		if !strings.Contains(answer, place) {
			t.Errorf("the answer %s does not tell of %s", answer, place)
		}
	}

	// Times that mean "not known", and a CI that nobody knows, are no mistakes.
	mustSend(t, http.StatusOK, c.url+"/api/v2/alerts", `[{"labels":{"alertname":"x","n":"year1","host":"no-such-host"},"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]`)
	if a := c.alertsByName(t)["year1"]; a.Status != ingest.Firing || time.Since(a.StartsAt) > time.Minute || a.CI != "" || len(a.Tried) == 0 || a.Incident == "" {
		t.Errorf("an alert of year 1 on an unknown host is %s since %v on %q, tried %v, in %q", a.Status, a.StartsAt, a.CI, a.Tried, a.Incident)
	}

	// 100 MB, announced and unannounced: neither is read whole.
	for _, length := range []int64{100 << 20, -1} {
		req, err := http.NewRequest(http.MethodPost, c.url+"/api/v2/alerts", io.LimitReader(spaces{}, 100<<20))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		resp, err := http.DefaultClient.Do(req)
		// The server may hang up while we still send.
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != large {
				t.Errorf("100 MB: %s, want %d", resp.Status, large)
			}
		}
		c.healthy(t, fmt.Sprintf("100 MB, length %d", length))
	}
	c.checkMetrics(t)
	c.stop(t)
}

// spaces are white space without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// refusesToStart says that the server does not start, and what it says.
func refusesToStart(t *testing.T, dir, config string, want ...string) {
	t.Helper()
	c, up := launch(t, dir, config)
	select {
	case <-up:
		t.Fatal("it started")
	case <-time.After(peerPatience):
		t.Fatal("it neither started nor ended")
	case <-c.exited:
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	log := c.log.String()
	if strings.Contains(log, "panic") || strings.Contains(log, "goroutine") {
		t.Errorf("it panicked:\n%s", log)
	}
	for _, w := range want {
		if !strings.Contains(log, w) {
			t.Errorf("the error does not say %q:\n%s", w, log)
		}
	}
}

func TestStartsOnlyOnAStoreThatWorks(t *testing.T) {
	t.Parallel()
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		c := startChild(t, dir, "")
		c.healthy(t, "before")
		c.stop(t)
		file := filepath.Join(dir, "data", "tocsin.db")
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := func(damaged []byte) {
			t.Helper()
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			refusesToStart(t, dir, "", "tocsin.db", "restore a backup")
		}
		f([]byte("this is no database, whatever its name says; it is long enough to be read as one"))
		f(append([]byte(strings.Repeat("\x00\xff", 2048)), whole[4096:]...))
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		c = startChild(t, dir, "")
		if a := c.alertsByName(t)["before"]; a.Status != ingest.Firing {
			t.Errorf("with the backup restored the alert is %q", a.Status)
		}
		c.stop(t)
	})
	t.Run("not writable", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, dir, "", "data")
		if os.Geteuid() == 0 {
			return // root may write everywhere
		}
		dir = t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o500); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, dir, "", "data", "writable")
	})
	t.Run("in use", func(t *testing.T) {
		dir := t.TempDir()
		c := startChild(t, dir, "")
		refusesToStart(t, dir, "", "in use by another process", "stop the other one")
		c.healthy(t, "the second")
		c.stop(t)
	})
}
