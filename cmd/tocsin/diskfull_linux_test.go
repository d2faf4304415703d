package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tocsin/ingest"
	"tocsin/internal/peers"
)

// room lets no file of a process grow beyond a size, as a disk does that is
// full: the kernel refuses to write, and the process may go on.
func room(t testing.TB, c *child, bytes uint64) {
	t.Helper()
	var now unix.Rlimit
	if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &now); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: now.Max}, nil); err != nil {
		t.Fatal(err)
	}
}

// fill posts alerts until the disk is full: until three batches were refused.
func fill(t testing.TB, c *child) (acked map[string]bool, refused []string) {
	t.Helper()
	room(t, c, 1<<20)
	acked = map[string]bool{}
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
		status, answer, err := send(c.url+"/api/v2/alerts", body)
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
	return acked, refused
}

// TestDiskFull takes the room away from a running server and gives it back.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startChild(t, dir, "limits:\n  request_timeout: 1s\n")
	url := c.url + "/api/v2/alerts"
	c.healthy(t, "start")
	acked, refused := fill(t, c)
	acked["start"] = true
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
	id := c.alertsByName(t)["start"].Incident
	mustSend(t, http.StatusServiceUnavailable, c.url+"/api/v1/incidents/"+id+"/commands", `{"command":"acknowledge","by":"ann"}`)
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

	room(t, c, unix.RLIM_INFINITY)
	peers.Until(t, 15*time.Second, func() error {
		status, answer, err := send(url, refused[0])
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("with room again: %d %s", status, answer)
		}
		return err
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

// A server that cannot store what it holds says so and ends when it is told to.
func TestStopWithAFullDisk(t *testing.T) {
	t.Parallel()
	dir, config := t.TempDir(), "limits:\n  request_timeout: 1s\n"
	c := startChild(t, dir, config)
	acked, _ := fill(t, c)
	if err := c.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.exited:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(c.log.String(), "tocsin: ") {
		t.Errorf("exit code %d, want 1 and an error:\n%s", code, c.log)
	}
	c = startChild(t, dir, config)
	alerts := c.alertsByName(t)
	for name := range acked {
		if alerts[name].Status != ingest.Firing {
			t.Errorf("the acknowledged alert %s is %q", name, alerts[name].Status)
		}
	}
	c.stop(t)
}
