package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/demo"
)

// A rack loses its feed: 300 alerts from five kinds of source are one
// incident, and its cause is the feed. The disk in the other hall is another
// one, and noise stays apart.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--fast", "--exit", "-o", "json", "--listen", "127.0.0.1:0"}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	var result demoResult
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	if len(result.Incidents) != 2+demo.NoiseAlerts {
		t.Fatalf("%d incidents, want the feed, the disk and %d of noise\n%s", len(result.Incidents), demo.NoiseAlerts, &stdout)
	}
	check := func(inc *demoIncident, alerts int, cause string, services ...string) {
		t.Helper()
		if inc.Alerts.Total != alerts || inc.Alerts.Firing != alerts {
			t.Errorf("%s: %+v alerts, want %d", inc.Title, inc.Alerts, alerts)
		}
		if len(inc.Causes) == 0 || inc.Causes[0].ID != cause || inc.Causes[0].Reason == "" {
			t.Errorf("%s: causes %+v, want %s first, with a reason", inc.Title, inc.Causes, cause)
		}
		for _, s := range services {
			if !slices.Contains(inc.Blast.Services, s) {
				t.Errorf("%s: hits %v, want %s among them", inc.Title, inc.Blast.Services, s)
			}
		}
		for _, w := range inc.Why {
			if w.Evidence.Sentence == "" {
				t.Errorf("%s: %s is in it for no reason", inc.Title, w.Alert)
			}
		}
	}
	check(&result.Incidents[0], demo.PowerAlerts, demo.Feed, "basket", "ledger")
	check(&result.Incidents[1], demo.DiskAlerts, demo.Disk, "orders-api", "portal")
	if got := len(result.Incidents[0].Sources); got != 5 {
		t.Errorf("the feed's alerts come from %v, want five sources", result.Incidents[0].Sources)
	}
	for i := 2; i < len(result.Incidents); i++ {
		if inc := &result.Incidents[i]; inc.Alerts.Total != 1 {
			t.Errorf("noise %s has %d alerts, want 1", inc.Title, inc.Alerts.Total)
		}
	}
	stored := int64(0)
	for _, c := range result.Accounting {
		if c.Received != c.Stored+c.Deduplicated+c.Rejected {
			t.Errorf("accounting of %s does not add up: %+v", c.Source, c)
		}
		stored += c.Stored
	}
	if want := int64(demo.PowerAlerts + demo.DiskAlerts + demo.NoiseAlerts); stored != want {
		t.Errorf("%d events stored, want %d", stored, want)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("the scratch store was left behind: %v %v", left, err)
	}
}
