package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// A child is `tocsin serve` as a process of its own, which can be killed.
type child struct {
	url    string
	dir    string
	cmd    *exec.Cmd
	log    *lines
	exited chan struct{}
	err    error // of the process; set before exited is closed
}

// lines is what a process said so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var servingAt = regexp.MustCompile(`msg=serving url=(\S+)`)

// launch starts `tocsin serve` in dir, where an earlier one may have run, with
// a configuration, and returns before it is up. It is killed with the test.
func launch(t testing.TB, dir, config string, args ...string) (c *child, up <-chan string) {
	t.Helper()
	file := filepath.Join(dir, "tocsin.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--config", file, "--data", filepath.Join(dir, "data")}, args...)
	c = &child{dir: dir, cmd: exec.Command("tocsin", args...), log: &lines{}, exited: make(chan struct{})}
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("log of process %d:\n%s", c.cmd.Process.Pid, c.log)
		}
	})
	url := make(chan string, 1)
	go func() {
		defer close(c.exited)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			c.log.mu.Lock()
			c.log.text.WriteString(s.Text() + "\n")
			c.log.mu.Unlock()
			if m := servingAt.FindStringSubmatch(s.Text()); m != nil {
				url <- m[1]
			}
		}
		c.err = c.cmd.Wait()
	}()
	return c, url
}

// startChild is launch that waits until the server is up.
func startChild(t testing.TB, dir, config string, args ...string) *child {
	t.Helper()
	c, up := launch(t, dir, config, args...)
	select {
	case c.url = <-up:
	case <-c.exited:
		t.Fatalf("tocsin serve ended: %v\n%s", c.err, c.log)
	case <-time.After(peerPatience):
		t.Fatalf("tocsin serve is not up:\n%s", c.log)
	}
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// stop asks it to end, and waits.
func (c *child) stop(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.exited:
		if c.err != nil {
			t.Errorf("stopped: %v\n%s", c.err, c.log)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not stop:\n%s", c.log)
	}
}

// send posts a body and returns the answer; an error means that there was none.
func send(url, body string, header ...string) (status int, answer string, err error) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// mustSend is send that wants a certain status.
func mustSend(t testing.TB, want int, url, body string, header ...string) string {
	t.Helper()
	status, answer, err := send(url, body, header...)
	if err != nil || status != want {
		t.Fatalf("POST %s %.200s: %d %.500s %v; want %d", url, body, status, answer, err, want)
	}
	return answer
}

func (c *child) get(path string, out any) error {
	resp, err := http.Get(c.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	return json.Unmarshal(body, out)
}

func (c *child) mustGet(t testing.TB, path string, out any) {
	t.Helper()
	if err := c.get(path, out); err != nil {
		t.Fatal(err)
	}
}

// all reads a list of the API page by page; path ends where a parameter may follow.
func all[T any](t testing.TB, c *child, path string) (out []T) {
	t.Helper()
	for next := ""; ; {
		var page struct {
			Items []T
			Next  string
		}
		c.mustGet(t, path+"limit=1000&cursor="+next, &page)
		out = append(out, page.Items...)
		if next = page.Next; next == "" {
			return out
		}
	}
}

// alertsByName are all alerts by a label that is different in each.
func (c *child) alertsByName(t testing.TB) map[string]ingest.Alert {
	t.Helper()
	out := map[string]ingest.Alert{}
	for _, a := range all[ingest.Alert](t, c, "/api/v1/alerts?") {
		name := a.Labels.Get("n")
		if _, twice := out[name]; twice {
			t.Errorf("the alert %s is there twice", name)
		}
		out[name] = a
	}
	return out
}

// alertJSON is an alert as the Alertmanager API takes it. Times are left out
// when they are zero.
func alertJSON(start, end time.Time, labels ...string) string {
	v := map[string]any{"labels": ingest.LabelsOf(labels...).Map()}
	if !start.IsZero() {
		v["startsAt"] = start
	}
	if !end.IsZero() {
		v["endsAt"] = end
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (c *child) incidentIDs(t testing.TB) (ids []string) {
	t.Helper()
	for _, inc := range all[correlate.Incident](t, c, "/api/v1/incidents?") {
		ids = append(ids, inc.ID)
	}
	slices.Sort(ids)
	return ids
}

func (c *child) accounting(t testing.TB) map[string]account {
	t.Helper()
	var answer struct {
		Items []struct {
			Source string
			account
		}
	}
	c.mustGet(t, "/api/v1/accounting", &answer)
	out := map[string]account{}
	for _, it := range answer.Items {
		out[it.Source] = it.account
	}
	return out
}
