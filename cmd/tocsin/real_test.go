package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// The tests in this file run the real Prometheus and Alertmanager with the
// configuration in deploy, and Tocsin as its command line starts it.

// peerPatience is for a machine with much else to do; all of it takes seconds.
const peerPatience = 90 * time.Second

func TestRealPrometheus(t *testing.T) {
	t.Parallel()
	peers.Require(t, peers.Prometheus)
	s, rack := serveReal(t), newRack(t)
	prom := startPrometheus(t, s, rack, s.addr)
	play(t, s, rack)

	// The same file has Prometheus scrape us.
	peers.Until(t, peerPatience, func() error {
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if err := getJSON(t, prom.URL+"/api/v1/query?query=up%7Bjob%3D%22tocsin%22%7D", &answer); err != nil {
			return err
		}
		if r := answer.Data.Result; len(r) != 1 || r[0].Value[1] != "1" {
			return fmt.Errorf("up of tocsin is %v", r)
		}
		return nil
	})
}

func TestRealAlertmanager(t *testing.T) {
	t.Parallel()
	peers.Require(t, peers.Prometheus, peers.Alertmanager)
	s, rack := serveReal(t), newRack(t)
	am := peers.StartAlertmanager(t, alertmanagerConfig(t, s))
	startPrometheus(t, s, rack, am.Addr)
	play(t, s, rack)
}

// A pair that gossips tells everything once, as long as it can; a pair that
// has lost sight of each other tells everything twice.
func TestRealAlertmanagerPair(t *testing.T) {
	t.Parallel()
	peers.Require(t, peers.Prometheus, peers.Alertmanager)
	t.Run("together", func(t *testing.T) {
		s, rack := serveReal(t), newRack(t)
		pair := peers.StartAlertmanagers(t, 2, alertmanagerConfig(t, s))
		startPrometheus(t, s, rack, pair[0].Addr, pair[1].Addr)
		play(t, s, rack)
	})
	t.Run("apart", func(t *testing.T) {
		s, rack := serveReal(t), newRack(t)
		config := alertmanagerConfig(t, s)
		startPrometheus(t, s, rack, peers.StartAlertmanager(t, config).Addr, peers.StartAlertmanager(t, config).Addr)
		play(t, s, rack)
		if total := s.accounting(t); total.Deduplicated < 3 {
			t.Errorf("two Alertmanagers told everything twice, but the accounting is %+v", total)
		}
	})
}

// play lets a rack fail host by host and recover, and checks that one incident
// opens, grows and resolves, and that nothing is doubled or lost.
func play(t *testing.T, s *realServer, r *rack) {
	t.Helper()
	r.set(false, "web-1")
	var id string
	s.until(t, func(incidents []correlate.Incident) error {
		if len(incidents) != 1 || incidents[0].Status != correlate.Open || incidents[0].Alerts.Firing != 1 {
			return errors.New("want one open incident with one alert")
		}
		id = incidents[0].ID
		return nil
	})

	r.set(false, "web-2", "web-3")
	s.until(t, func(incidents []correlate.Incident) error {
		if len(incidents) != 1 || incidents[0].ID != id || incidents[0].Alerts.Firing != 3 {
			return fmt.Errorf("want the incident %s with three alerts", id)
		}
		if causes := incidents[0].Causes; len(causes) == 0 || causes[0].ID != "feed-a" {
			return errors.New("want feed-a as the first cause: all three hosts hang on it")
		}
		return nil
	})

	r.set(true, "web-1", "web-2", "web-3")
	s.until(t, func(incidents []correlate.Incident) error {
		if len(incidents) != 1 || incidents[0].ID != id || incidents[0].Status != correlate.Resolved {
			return fmt.Errorf("want the incident %s, resolved", id)
		}
		return nil
	})

	var alerts struct{ Items []ingest.Alert }
	if err := getJSON(t, s.url+"/api/v1/alerts", &alerts); err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, a := range alerts.Items {
		hosts = append(hosts, a.Labels.Get("host"))
		if a.Status != ingest.Resolved || a.CI != a.Labels.Get("host") || a.Incident != id {
			t.Errorf("alert %v is %s, on CI %q, in incident %q; want resolved, on its host, in %s", a.Labels, a.Status, a.CI, a.Incident, id)
		}
	}
	slices.Sort(hosts)
	if !slices.Equal(hosts, []string{"web-1", "web-2", "web-3"}) {
		t.Errorf("alerts on the hosts %v; want one on each", hosts)
	}
	total := s.accounting(t)
	if total.Received != total.Stored+total.Deduplicated+total.Rejected || total.Rejected != 0 || total.Stored < 6 {
		t.Errorf("accounting %+v: want received = stored + deduplicated, at least a firing and a resolved event of each alert stored", total)
	}
}

// A realServer is `tocsin serve`, run as a shell would.
type realServer struct{ url, addr string }

// estate is a rack: three hosts on one power feed.
const estate = `{"cis": [{"id": "feed-a", "type": "power_feed"}, {"id": "web-1", "type": "host"}, {"id": "web-2", "type": "host"}, {"id": "web-3", "type": "host"}],
"edges": [{"from": "web-1", "to": "feed-a", "type": "depends_on"}, {"from": "web-2", "to": "feed-a", "type": "depends_on"}, {"from": "web-3", "to": "feed-a", "type": "depends_on"}]}`

func serveReal(t *testing.T) *realServer {
	t.Helper()
	dir := t.TempDir()
	config, cmdb := filepath.Join(dir, "tocsin.yml"), filepath.Join(dir, "estate.json")
	for file, text := range map[string]string{config: "correlation:\n  resolve_delay: 1s\n", cmdb: estate} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var out bytes.Buffer // read once ended
	var code int
	go func() {
		defer close(ended)
		code = run(ctx, []string{"serve", "--listen", addr, "--data", filepath.Join(dir, "data"), "--config", config, "--cmdb", cmdb}, strings.NewReader(""), &out, &out)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		if code != 0 || t.Failed() {
			t.Errorf("tocsin serve ended with %d:\n%s", code, out.String())
		}
	})
	s := &realServer{"http://" + addr, addr}
	peers.Until(t, peerPatience, func() error {
		select {
		case <-ended:
			t.Fatal("tocsin serve ended")
		default:
		}
		resp, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
	return s
}

// until waits for incidents to be as wanted and says how they are if they never are.
func (s *realServer) until(t *testing.T, wanted func([]correlate.Incident) error) {
	t.Helper()
	peers.Until(t, peerPatience, func() error {
		var list struct{ Items []correlate.Incident }
		if err := getJSON(t, s.url+"/api/v1/incidents", &list); err != nil {
			return err
		}
		err := wanted(list.Items)
		if err == nil {
			return nil
		}
		for _, inc := range list.Items {
			err = fmt.Errorf("%w; got %s %s %+v causes %+v", err, inc.ID, inc.Status, inc.Alerts, inc.Causes)
		}
		return err
	})
}

// account is one source's accounting.
type account struct{ Received, Stored, Deduplicated, Rejected int64 }

func (s *realServer) accounting(t *testing.T) account {
	t.Helper()
	var answer struct{ Total account }
	if err := getJSON(t, s.url+"/api/v1/accounting", &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Total
}

func getJSON(t *testing.T, url string, out any) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s: %s", url, resp.Status, body)
	}
	return json.Unmarshal(body, out)
}

// A rack tells Prometheus which of its hosts are up.
type rack struct {
	addr string
	mu   sync.Mutex
	up   map[string]bool
}

func newRack(t *testing.T) *rack {
	r := &rack{up: map[string]bool{"web-1": true, "web-2": true, "web-3": true}}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.addr = srv.Listener.Addr().String()
	return r
}

func (r *rack) set(up bool, hosts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range hosts {
		r.up[h] = up
	}
}

func (r *rack) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for host, up := range r.up {
		value := 0
		if up {
			value = 1
		}
		fmt.Fprintf(w, "host_up{host=%q} %d\n", host, value)
	}
}

const rackRules = `
groups:
  - name: rack
    rules:
      - alert: HostDown
        expr: host_up == 0
        labels: {severity: critical}
        annotations: {summary: "Host {{ $labels.host }} does not answer"}
`

// startPrometheus runs Prometheus with the file in deploy, faster and with the
// rack, and with the given addresses as its Alertmanagers.
func startPrometheus(t *testing.T, s *realServer, r *rack, alertmanagers ...string) *peers.Server {
	t.Helper()
	config := edited(t, "prometheus/prometheus.yml",
		`["127.0.0.1:9094"] # Tocsin; was Alertmanager, 127.0.0.1:9093`, `["`+strings.Join(alertmanagers, `", "`)+`"]`,
		`["127.0.0.1:9094"]`, `["`+s.addr+`"]`,
		"scrape_interval: 15s", "scrape_interval: 1s",
		"evaluation_interval: 15s", "evaluation_interval: 1s",
		"scrape_configs:\n", "scrape_configs:\n  - job_name: rack\n    static_configs:\n      - targets: [\""+r.addr+"\"]\n")
	return peers.StartPrometheus(t, config, map[string]string{"rules.yml": rackRules})
}

func alertmanagerConfig(t *testing.T, s *realServer) string {
	t.Helper()
	return edited(t, "alertmanager/alertmanager.yml", "127.0.0.1:9094", s.addr, "group_interval: 10s", "group_interval: 1s")
}

// edited returns a file of deploy with old, new, old, new… replaced. Each old
// must be there: else the test would run something else than people do.
func edited(t *testing.T, file string, pairs ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("deploy/%s does not hold %q", file, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}
