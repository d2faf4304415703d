package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"tocsin/correlate"
	"tocsin/ingest"
)

// heldStore is a store in memory that can refuse and that can be slow.
type heldStore struct {
	correlate.Reader // nil: a test that reads fails loudly

	mu      sync.Mutex
	batches []*correlate.Batch
	refuse  error
	slow    time.Duration
}

func (s *heldStore) Append(_ context.Context, b *correlate.Batch) error {
	time.Sleep(s.slow) // within a bubble
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.batches = append(s.batches, b)
	return nil
}

func (s *heldStore) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *heldStore) stored() (events, batches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		events += len(b.Events)
	}
	return events, len(s.batches)
}

func (s *heldStore) Restore(context.Context, time.Duration) (correlate.State, error) {
	return correlate.State{}, nil
}
func (s *heldStore) Heartbeat(context.Context, time.Time) error { return nil }

// start runs a driver until the test's bubble ends it by calling stop.
func start(t *testing.T, s *heldStore, opt Options) (d *Driver, reg *prometheus.Registry, stop func() error) {
	t.Helper()
	engine, err := correlate.New(correlate.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reg = prometheus.NewRegistry()
	norm := ingest.NewNormalizer(ingest.NormalizerOptions{})
	opt.Engine, opt.Store, opt.Reader, opt.Normalize, opt.Registerer = engine, s, s, norm.Normalize, reg
	d = New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return d, reg, func() error { cancel(); return <-done }
}

func alerts(from, n int) []ingest.Event {
	var evs []ingest.Event
	for i := range n {
		evs = append(evs, ingest.Event{Kind: ingest.KindAlert, Status: ingest.Firing, Labels: ingest.LabelsOf("alertname", "Down", "instance", fmt.Sprint("host", from+i))})
	}
	return evs
}

// checkAccounting is the law received = stored + deduplicated + rejected.
func checkAccounting(t *testing.T, reg *prometheus.Registry, received, stored, deduplicated, rejected float64) {
	t.Helper()
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if source(m) == "test" {
				got[f.GetName()] += m.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{"tocsin_events_received_total": received, "tocsin_events_stored_total": stored,
		"tocsin_events_deduplicated_total": deduplicated, "tocsin_events_rejected_total": rejected}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s is %v, want %v", name, got[name], w)
		}
	}
}

func source(m *dto.Metric) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == "source" {
			return l.GetValue()
		}
	}
	return ""
}

func TestNothingIsAnsweredBeforeItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{slow: time.Second}
		d, reg, stop := start(t, s, Options{})
		answered := make(chan struct{})
		go func() {
			if _, err := d.Receive(t.Context(), "test", alerts(0, 3), nil); err != nil {
				t.Error(err)
			}
			close(answered)
		}()
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		select {
		case <-answered:
			t.Fatal("answered before the store had it")
		default:
		}
		<-answered
		if events, _ := s.stored(); events != 3 {
			t.Errorf("%d events stored, want 3", events)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		checkAccounting(t, reg, 3, 3, 0, 0)
	})
}

// Those who come while a commit runs share the next one.
func TestCommitsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{slow: time.Second}
		d, reg, stop := start(t, s, Options{})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, err := d.Receive(t.Context(), "test", alerts(i%40, 1), nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, batches := s.stored(); batches > 3 {
			t.Errorf("%d commits for 50 requests at once, want at most 3", batches)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		checkAccounting(t, reg, 50, 40, 10, 0)
	})
}

func TestRefusedEventsAreCountedAndTheGoodGoThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{}
		d, reg, stop := start(t, s, Options{})
		evs := alerts(0, 3)
		evs[1].Labels = nil
		rejected, err := d.Receive(t.Context(), "test", evs, []ingest.Rejection{{Index: 7, Reason: ingest.ReasonMalformed, Err: errors.New("no JSON")}})
		if err != nil || len(rejected) != 2 || rejected[1].Index != 1 {
			t.Errorf("rejected %v, error %v; want the door's and number 1", rejected, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		checkAccounting(t, reg, 4, 2, 0, 2)
	})
}

func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{slow: time.Second}
		d, reg, stop := start(t, s, Options{MaxEvents: 10})
		var wg sync.WaitGroup
		send := func(from, n int, want error) {
			wg.Go(func() {
				if _, err := d.Receive(t.Context(), "test", alerts(from, n), nil); !errors.Is(err, want) {
					t.Errorf("%d events: %v, want %v", n, err, want)
				}
			})
			synctest.Wait()
		}
		send(0, 1, nil)                    // is being stored
		send(100, 8, nil)                  // waits
		send(200, 5, ingest.ErrOverloaded) // too much
		send(300, 2, nil)                  // just fits
		wg.Wait()
		send(1000, 25, nil) // more than may wait, but alone: or it never could
		wg.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		checkAccounting(t, reg, 41, 36, 0, 5)
	})
}

// A full disk: who waits goes on waiting until their own deadline, who comes
// is turned away at once, and nothing that was decided is lost.
func TestStoreRefusesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{refuse: errors.New("disk full")}
		d, reg, stop := start(t, s, Options{})
		patient := make(chan error, 1)
		go func() {
			_, err := d.Receive(t.Context(), "test", alerts(0, 1), nil)
			patient <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := d.Receive(ctx, "test", alerts(1, 1), nil); !errors.Is(err, ingest.ErrStore) {
			t.Errorf("a newcomer got %v, want ErrStore", err)
		}
		if err := d.Ready(); !errors.Is(err, ingest.ErrStore) {
			t.Errorf("ready: %v, want ErrStore", err)
		}
		if _, err := d.Do(ctx, correlate.Command{ID: "1", By: "ann", Kind: correlate.CmdAcknowledge, Incident: "X"}); !errors.Is(err, ingest.ErrStore) {
			t.Errorf("a command got %v, want ErrStore", err)
		}
		time.Sleep(time.Minute)
		s.set(nil)
		if err := <-patient; err != nil {
			t.Errorf("who waited got %v", err)
		}
		if err := d.Ready(); err != nil {
			t.Errorf("ready again: %v", err)
		}
		if _, err := d.Receive(t.Context(), "test", alerts(1, 1), nil); err != nil {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if events, _ := s.stored(); events != 2 {
			t.Errorf("%d events stored, want 2", events)
		}
		checkAccounting(t, reg, 3, 2, 0, 1)
	})
}

// What waits when the end comes is stored and answered; what comes later is
// told to try again.
func TestShutdownFinishesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{slow: time.Second}
		d, _, stop := start(t, s, Options{})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if _, err := d.Receive(t.Context(), "test", alerts(i, 1), nil); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if events, _ := s.stored(); events != 5 {
			t.Errorf("%d events stored, want 5", events)
		}
		if _, err := d.Receive(t.Context(), "test", alerts(9, 1), nil); !errors.Is(err, ingest.ErrOverloaded) {
			t.Errorf("after the end: %v, want ErrOverloaded", err)
		}
	})
}

// Timers run without any request.
func TestTimersRunByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{}
		d, _, stop := start(t, s, Options{})
		evs := alerts(0, 1)
		evs[0].EndsAt = time.Now().Add(time.Minute)
		if _, err := d.Receive(t.Context(), "test", evs, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		var last correlate.Incident
		for _, b := range s.batches {
			for _, inc := range b.Incidents {
				last = inc
			}
		}
		if last.Status != correlate.Closed {
			t.Errorf("an hour after its alert expired the incident is %s, want closed", last.Status)
		}
	})
}

func BenchmarkReceiveResends(b *testing.B) {
	s := &heldStore{}
	engine, err := correlate.New(correlate.DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	norm := ingest.NewNormalizer(ingest.NormalizerOptions{})
	d := New(Options{Engine: engine, Store: s, Reader: s, Normalize: norm.Normalize})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Receive(ctx, "test", alerts(0, 100), nil); err != nil {
			b.Fatal(err)
		}
		s.batches = nil
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/alert")
	cancel()
	<-done
}

// A full queue must not keep the end from coming: whoever waits for a place in
// it is told to try again, and whoever has one is answered.
func TestShutdownWithAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &heldStore{slow: time.Second}
		d, reg, stop := start(t, s, Options{})
		const senders = 3 * maxWaiting
		var wg sync.WaitGroup
		var stored, refused atomic.Int64
		for i := range senders {
			wg.Go(func() {
				switch _, err := d.Receive(t.Context(), "test", alerts(i, 1), nil); {
				case err == nil:
					stored.Add(1)
				case errors.Is(err, ingest.ErrOverloaded):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait() // the first is being stored, the queue is full, the rest wait
		if err := stop(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if stored.Load()+refused.Load() != senders || refused.Load() == 0 {
			t.Errorf("%d stored and %d refused of %d, want all answered and some refused", stored.Load(), refused.Load(), senders)
		}
		checkAccounting(t, reg, senders, float64(stored.Load()), 0, float64(refused.Load()))
	})
}
