package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tocsin/ingest"
	"tocsin/internal/peers"
)

// TestDiskFull takes the room away from a running server and gives it back.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir, "limits:\n  request_timeout: 1s\n")
	pid := c.cmd.Process.Pid
	limit := func(bytes uint64) {
		t.Helper()
		var now unix.Rlimit
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &now); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: now.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	url := c.url + "/api/v2/alerts"
	c.healthy(t, "start")
	limit(1 << 20)
	acked := map[string]bool{"start": true}
	var refused []string
	deadline := time.Now().Add(20 * time.Second)
	for n := 0; len(refused) < 3; n++ {
		if time.Now().After(deadline) {
			t.Fatalf("%d batches were taken, and there is room for no more than a megabyte", n)
		}
		var alerts, names []string
		for i := range 100 {
			name := fmt.Sprintf("f%d-%d", n, i)
			names = append(names, name)
			alerts = append(alerts, alertJSON(time.Time{}, time.Now().Add(time.Hour), "alertname", "Full", "n", name, "text", fmt.Sprintf("%0200d", n*100+i)))
		}
		body := "[" + strings.Join(alerts, ",") + "]"
		status, answer, err := send(url, body)
		switch {
		case err != nil:
			t.Fatal(err)
		case status == http.StatusOK:
			for _, name := range names {
				acked[name] = true
			}
		case status == http.StatusServiceUnavailable:
			if strings.TrimSpace(answer) == "" {
				t.Error("503 without words")
			}
			refused = append(refused, body)
		default:
			t.Fatalf("%d %s, want 503 while the disk is full", status, answer)
		}
	}
	// It lives, says why it takes nothing, and can be asked.
	for page, want := range map[string]int{"/-/healthy": http.StatusOK, "/-/ready": http.StatusServiceUnavailable, "/api/v1/alerts": http.StatusOK, "/metrics": http.StatusOK} {
		resp, err := http.Get(c.url + page)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s with a full disk: %s, want %d", page, resp.Status, want)
		}
	}
	if _, reasons := c.metrics(t); reasons[ingest.ReasonStore] == 0 {
		t.Errorf("no event was counted as refused by the store: %v", reasons)
	}
	check := func(when string) {
		t.Helper()
		alerts := c.alertsByName(t)
		for name := range acked {
			if alerts[name].Status != ingest.Firing {
				t.Errorf("%s: the acknowledged alert %s is %q", when, name, alerts[name].Status)
			}
		}
	}
	check("full")

	limit(unix.RLIM_INFINITY)
	peers.Until(t, 15*time.Second, func() error {
		if status, answer, err := send(url, refused[0]); err != nil || status != http.StatusOK {
			return fmt.Errorf("with room again: %d %s %w", status, answer, errors.Join(err))
		}
		return nil
	})
	for _, body := range refused {
		mustSend(t, http.StatusOK, url, body)
	}
	c.healthy(t, "room")
	check("room again")
	c.checkMetrics(t)
	c.kill()
	c = startChild(t, dir, "")
	check("after a kill")
	checkEvents(t, c, c.alertsByName(t))
	c.stop(t)
}
