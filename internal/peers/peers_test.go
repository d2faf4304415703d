package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// outcome is a testing.TB that notes how it was ended.
type outcome struct {
	testing.TB
	skipped, failed string
}

func (o *outcome) Helper() {}

func (o *outcome) Skipf(f string, args ...any) {
	o.skipped = fmt.Sprintf(f, args...)
	runtime.Goexit()
}

func (o *outcome) Fatalf(f string, args ...any) {
	o.failed = fmt.Sprintf(f, args...)
	runtime.Goexit()
}

// outcomeOf runs f to its end, as a test of its own would be.
func outcomeOf(t *testing.T, f func(t testing.TB)) *outcome {
	t.Helper()
	o := &outcome{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(o)
	}()
	<-done
	return o
}

func TestRequire(t *testing.T) {
	missing := Program{"TOCSIN_NO_SUCH", []string{"no-such-program"}, "no-such-package"}
	f := func(require string, wantSkip, wantFail bool) {
		t.Helper()
		t.Setenv(requireEnv, require)
		o := outcomeOf(t, func(t testing.TB) { Require(t, missing) })
		if (o.skipped != "") != wantSkip || (o.failed != "") != wantFail {
			t.Errorf("%s=%q: skipped %q, failed %q", requireEnv, require, o.skipped, o.failed)
		}
		if text := o.skipped + o.failed; !strings.Contains(text, "install Debian's package no-such-package") {
			t.Errorf("%q does not say what to do", text)
		}
	}
	f("", true, false)
	f("0", true, false)
	f("1", false, true)

	t.Setenv("TOCSIN_NO_SUCH", filepath.Join(t.TempDir(), "gone"))
	o := outcomeOf(t, func(t testing.TB) { Require(t, missing) })
	if !strings.Contains(o.failed, "name an executable file or unset it") {
		t.Errorf("a wrong file: %q", o.failed)
	}
}

func TestUntilTellsTheLastAnswer(t *testing.T) {
	o := outcomeOf(t, func(t testing.TB) {
		Until(t, 0, func() error { return errors.New("answer") })
	})
	if o.failed != "not after 0s: answer" {
		t.Errorf("failed with %q", o.failed)
	}
}

func TestReadyTellsOursFromOthers(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "prometheus\x00--x") }))
	defer other.Close()
	s := &Server{URL: other.URL, Dir: t.TempDir()}
	if err := s.ready(); err == nil || !strings.Contains(err.Error(), "is another program") {
		t.Errorf("got %v", err)
	}
}

func TestPrometheus(t *testing.T) {
	s := StartPrometheus(t, "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n", map[string]string{"rules.yml": `
groups:
- name: g
  rules: [{alert: Always, expr: vector(1)}]
`})
	Until(t, 20*time.Second, func() error {
		body, err := get(s.URL + "/api/v1/alerts")
		if err == nil && !strings.Contains(body, `"state":"firing"`) {
			err = fmt.Errorf("no alert fires: %s", body)
		}
		return err
	})
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr); err == nil {
		t.Error("something still listens")
	}
}

const toNobody = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"

func TestAlertmanagersFindEachOther(t *testing.T) {
	all := StartAlertmanagers(t, 2, toNobody)
	if _, err := RunAmtool(t, "--alertmanager.url="+all[0].URL, "alert", "add", "Test", "host=a"); err != nil {
		t.Fatal(err)
	}
	out, err := RunAmtool(t, "--alertmanager.url="+all[0].URL, "-o", "json", "alert", "query")
	var alerts []struct{ Labels map[string]string }
	if err = errors.Join(err, json.Unmarshal([]byte(out), &alerts)); err != nil || len(alerts) != 1 || alerts[0].Labels["host"] != "a" {
		t.Errorf("amtool shows %s (%v)", out, err)
	}
}

func TestStartShowsTheLog(t *testing.T) {
	Require(t, Alertmanager)
	file, err := Alertmanager.path()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.yml"), []byte("route: 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + freeAddr(t), Dir: dir, exited: make(chan struct{})}
	err = s.run(file, []string{"--config.file=" + filepath.Join(dir, "bad.yml"), "--cluster.listen-address="})
	if err == nil || !strings.Contains(s.log(), "bad.yml") {
		t.Errorf("error %v, log:\n%s", err, s.log())
	}
}
