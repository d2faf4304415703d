package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
)

type alert struct {
	Status       string            `json:"status"`
	Fingerprint  string            `json:"fingerprint"`
	Labels       ingest.Labels     `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// sink counts what it is sent, by fingerprint.
type sink struct {
	mu     sync.Mutex
	counts map[ingest.Fingerprint]int
	values map[ingest.Fingerprint]map[string]bool
	refuse int // of the requests, this many first ones
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		s.read(w, r)
		return
	}
	var alerts []alert
	body, err := io.ReadAll(r.Body)
	if strings.Contains(r.URL.Path, "webhook") {
		var group struct{ Alerts []alert }
		err = errors.Join(err, json.Unmarshal(body, &group))
		alerts = group.Alerts
	} else {
		err = errors.Join(err, json.Unmarshal(body, &alerts))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.refuse > 0 {
		s.refuse--
		http.Error(w, "too much", http.StatusServiceUnavailable)
		return
	}
	for _, a := range alerts {
		fp := ingest.FingerprintOf(a.Labels)
		if s.values[fp] == nil {
			s.values[fp] = map[string]bool{}
		}
		s.values[fp][a.Annotations["description"]] = true
		s.counts[fp]++
	}
}

// read answers as Tocsin does, with one incident for everything.
func (s *sink) read(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if strings.HasPrefix(r.URL.Path, "/api/v1/incidents/") {
		fmt.Fprintf(w, `{"id":%q}`, id)
		return
	}
	fp, err := ingest.ParseFingerprint(id)
	if err != nil || s.counts[fp] == 0 {
		http.NotFound(w, r)
		return
	}
	io.WriteString(w, `{"incident":"I1"}`)
}

func newSink(t *testing.T, refuse int) (*sink, string) {
	s := &sink{refuse: refuse, counts: map[ingest.Fingerprint]int{}, values: map[ingest.Fingerprint]map[string]bool{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func TestAlertsAreLikeRealOnes(t *testing.T) {
	o, err := Options{URL: "http://127.0.0.1/", Unique: 500, FirstID: 70_000}.complete()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f := func(kind Kind) {
		t.Helper()
		o.Kind = kind
		body := newGenerator(o).appendRequest(nil, 0, 500, now)
		if n := len(body) / 500; n < 800 || n > 1050 {
			t.Errorf("%s: %d bytes per alert", kind, n)
		}
		var alerts []alert
		var err error
		if kind == KindWebhook {
			var group struct{ Alerts []alert }
			err = json.Unmarshal(body, &group)
			alerts = group.Alerts
		} else {
			err = json.Unmarshal(body, &alerts)
		}
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		seen := map[ingest.Fingerprint]bool{}
		for i, a := range alerts {
			fp := ingest.FingerprintOf(a.Labels)
			if seen[fp] {
				t.Errorf("%s: alert %d is a second one with the labels %v", kind, i, a.Labels)
			}
			seen[fp] = true
			if len(a.Labels) != 11 || len(a.Annotations) != 4 || a.GeneratorURL == "" || !a.StartsAt.Before(now) {
				t.Errorf("%s: %+v", kind, a)
			}
			if kind == KindWebhook && (a.Fingerprint != fp.String() || a.Status != "firing") {
				t.Errorf("%s: fingerprint %s, status %q; want %s, firing", kind, a.Fingerprint, a.Status, fp)
			}
			if fingerprint(70_000+i) != fp {
				t.Errorf("%s: fingerprint of %d is not %s", kind, i, fp)
			}
		}
		if len(alerts) != 500 {
			t.Errorf("%s: %d alerts", kind, len(alerts))
		}
	}
	f(KindAPI)
	f(KindWebhook)
}

func TestResendsDifferOnlyInTheirEnd(t *testing.T) {
	f := func(changing float64, wantSame int) {
		t.Helper()
		o, err := Options{URL: "http://127.0.0.1/", Unique: 1000, Alerts: 3000, Changing: changing}.complete()
		if err != nil {
			t.Fatal(err)
		}
		g := newGenerator(o)
		now := time.Now()
		same := 0
		for id := range 1000 {
			first, second := g.appendAlert(nil, id, ""), g.appendAlert(nil, id+1000, "")
			third := g.appendAlert(nil, id+2000, "")
			if string(first) == string(second) && string(first) == string(third) {
				same++
			} else if string(second) == string(third) {
				t.Errorf("alert %d changes only once", id)
			}
		}
		if math.Abs(float64(same-wantSame)) > 10 {
			t.Errorf("changing %v: %d of 1,000 stay the same, want %d", changing, same, wantSame)
		}
		if a, b := g.appendRequest(nil, 0, 1, now), g.appendRequest(nil, 0, 1, now.Add(time.Second)); string(a) == string(b) {
			t.Error("a later request has the same endsAt")
		}
	}
	f(0, 1000)
	f(0.25, 750)
	f(1, 0)
}

func TestRunSendsEverythingOnceAndAgain(t *testing.T) {
	f := func(o Options, path string) {
		t.Helper()
		s, url := newSink(t, 0)
		o.URL, o.Alerts, o.Unique, o.Batch, o.Concurrency = url+path, 1050, 310, 20, 3
		o.PID, o.ReadURL = os.Getpid(), url
		o.Progress = func(string, int, int) {}
		rep, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, p := range rep.Phases {
			got[p.Name] = p.Alerts
			if p.Failed != 0 || p.Latency.P99 <= 0 || p.Latency.P50 > p.Latency.Max || p.AlertsPerSecond <= 0 {
				t.Errorf("phase %+v", p)
			}
			if p.Server == nil || p.Server.RSSMiB <= 0 || p.Server.PeakMiB < p.Server.RSSMiB {
				t.Errorf("server %+v", p.Server)
			}
			if p.Visible == nil || p.Visible.Samples == 0 || p.Visible.Never > 0 || p.Visible.P99 <= 0 {
				t.Errorf("visible %+v", p.Visible)
			}
		}
		if diff := cmp.Diff(map[string]int64{PhaseNew: 310, PhaseResends: 740}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		total := 0
		for _, n := range s.counts {
			total += n
		}
		if len(s.counts) != 310 || total != 1050 {
			t.Errorf("%s: the server saw %d alerts, %d different ones", path, total, len(s.counts))
		}
	}
	f(Options{}, "/api/v2/alerts")
	f(Options{Kind: KindWebhook}, "/webhook")
	f(Options{Rate: 4000}, "/api/v2/alerts")
}

func TestRunCountsWhatIsRefused(t *testing.T) {
	_, url := newSink(t, 3)
	rep, err := Run(t.Context(), Options{URL: url, Alerts: 100, New: true, Batch: 10})
	if err != nil {
		t.Fatal(err)
	}
	p := rep.Phases[0]
	if len(rep.Phases) != 1 || p.Alerts != 70 || p.Failed != 30 || p.Requests != 10 || p.FirstError != "503 Service Unavailable: too much\n" {
		t.Errorf("%+v", rep)
	}
}

func TestRunEndsWithItsTimeAndContext(t *testing.T) {
	_, url := newSink(t, 0)
	rep, err := Run(t.Context(), Options{URL: url, Alerts: 1 << 20, New: true, Batch: 1, Rate: 100, Duration: 200 * time.Millisecond})
	if err != nil || rep.Phases[0].Alerts > 25 {
		t.Errorf("limited: %v, %+v", err, rep)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
		cancel()
		<-r.Context().Done()
	}))
	defer hangs.Close()
	if rep, err := Run(ctx, Options{URL: hangs.URL}); !errors.Is(err, context.Canceled) || len(rep.Phases) != 1 || rep.Phases[0].Alerts != 0 {
		t.Errorf("cancelled: %v, %+v", err, rep)
	}
}

func TestOptionsTellAllMistakes(t *testing.T) {
	_, err := Run(t.Context(), Options{URL: "http://192.0.2.1/x", Kind: "soap", Batch: -1, Rate: -1, Changing: math.NaN(), ReadURL: "https://localhost", FirstID: 1 << 24})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"is not on loopback", `kind "soap"`, "batch -1", "rate -1", "NaN", `read url: "https://localhost": want http`, "first id 16777216"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if _, err := Run(t.Context(), Options{URL: "http://localhost:1", PID: 1 << 30}); err == nil || !strings.Contains(err.Error(), "process 1073741824: there is none") {
		t.Errorf("a wrong process: %v", err)
	}
}

func TestQuantiles(t *testing.T) {
	var ds []time.Duration
	for i := 1000; i > 0; i-- {
		ds = append(ds, time.Duration(i)*time.Millisecond)
	}
	if diff := cmp.Diff(Quantiles{P50: 500, P99: 990, P999: 999, Max: 1000}, quantiles(ds)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Quantiles{}, quantiles(nil)); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
	if got := round(0.00123456); got != 0.001235 {
		t.Errorf("round: %v", got)
	}
}

func TestUsageGrows(t *testing.T) {
	before, err := processUsage(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	for start := time.Now(); time.Since(start) < 60*time.Millisecond; {
	}
	after, err := processUsage(os.Getpid())
	if err != nil || after.cpu <= before.cpu || after.rss <= 1 {
		t.Errorf("before %+v, after %+v (%v)", before, after, err)
	}
}

func BenchmarkGenerate(b *testing.B) {
	o, err := Options{URL: "http://localhost/"}.complete()
	if err != nil {
		b.Fatal(err)
	}
	g, now := newGenerator(o), time.Now()
	var body []byte
	for i := 0; b.Loop(); i++ {
		body = g.appendRequest(body[:0], i*100, 100, now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/alert")
}
