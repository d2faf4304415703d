package driver

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"tocsin/correlate"
	"tocsin/ingest"
)

// maxSources bounds the label source: senders may name themselves.
const maxSources = 200

type metrics struct {
	ticks, delay prometheus.Histogram
	revisions    prometheus.Counter
	alerts       *prometheus.GaugeVec
	incidents    *prometheus.GaugeVec
	suppressed   *prometheus.GaugeVec

	received, storedTotal, deduplicated *prometheus.CounterVec
	rejected                            *prometheus.CounterVec

	mu      sync.RWMutex
	sources map[string]*sourceMetrics

	// refused are the rejections that the store does not count yet, by source.
	refusedMu sync.Mutex
	refused   map[string]int64
}

// sourceMetrics are the counters of one source, looked up once.
type sourceMetrics struct {
	name                           string
	received, stored, deduplicated prometheus.Counter
	rejected                       map[ingest.Reason]prometheus.Counter
}

// reject counts rejected events, here and for the store's next batch.
func (m *metrics) reject(s *sourceMetrics, r ingest.Reason, n int) {
	c, ok := s.rejected[r]
	if !ok {
		c = s.rejected[ingest.ReasonInvalid]
	}
	c.Add(float64(n))
	m.refusedMu.Lock()
	defer m.refusedMu.Unlock()
	m.refused[s.name] += int64(n)
}

// takeRefused moves the rejections that the store does not count yet to the
// counts of a batch.
func (m *metrics) takeRefused(o *correlate.Output) {
	m.refusedMu.Lock()
	defer m.refusedMu.Unlock()
	if o.Counts == nil && len(m.refused) > 0 {
		o.Counts = make(map[string]correlate.Counts, len(m.refused))
	}
	for source, n := range m.refused {
		c := o.Counts[source]
		c.Rejected += n
		o.Counts[source] = c
	}
	clear(m.refused)
}

func newMetrics(reg prometheus.Registerer, before map[string]correlate.Counts, waiting func() float64) *metrics {
	f := promauto.With(reg)
	buckets := prometheus.ExponentialBuckets(0.0001, 2.5, 12)
	m := &metrics{
		ticks:        f.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_correlate_tick_duration_seconds", Help: "Time one turn of the engine takes.", Buckets: buckets}),
		delay:        f.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_ingest_delay_seconds", Help: "Time from the start of a new alert to its being stored.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 10)}),
		revisions:    f.NewCounter(prometheus.CounterOpts{Name: "tocsin_incident_revisions_total", Help: "Revisions of incidents stored."}),
		alerts:       f.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_alerts", Help: "Alerts in memory by state."}, []string{"state"}),
		suppressed:   f.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_alerts_suppressed", Help: "Firing alerts kept out of incidents, by reason."}, []string{"by"}),
		incidents:    f.NewGaugeVec(prometheus.GaugeOpts{Name: "tocsin_incidents", Help: "Incidents in memory by status."}, []string{"status"}),
		received:     f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_events_received_total", Help: "Events received: stored, deduplicated, rejected and, for a moment, waiting."}, []string{"source"}),
		storedTotal:  f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_events_stored_total", Help: "Events that said something new and were stored."}, []string{"source"}),
		deduplicated: f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_events_deduplicated_total", Help: "Events that were re-sends or overtaken."}, []string{"source"}),
		rejected:     f.NewCounterVec(prometheus.CounterOpts{Name: "tocsin_events_rejected_total", Help: "Events that were not taken, by reason."}, []string{"source", "reason"}),
		sources:      map[string]*sourceMetrics{},
		refused:      map[string]int64{},
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "tocsin_events_waiting", Help: "Events that wait for the engine."}, waiting)
	for source, c := range before {
		s := m.of(source)
		s.received.Add(float64(c.Stored + c.Deduplicated))
		s.stored.Add(float64(c.Stored))
		s.deduplicated.Add(float64(c.Deduplicated))
	}
	for _, s := range correlate.Statuses {
		if s != correlate.Merged {
			m.incidents.WithLabelValues(string(s))
		}
	}
	return m
}

// of returns the counters of a source; beyond maxSources all share "other".
func (m *metrics) of(source string) *sourceMetrics {
	m.mu.RLock()
	s := m.sources[source]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sources[source]; s != nil {
		return s
	}
	name := source
	if len(m.sources) >= maxSources {
		if s := m.sources["other"]; s != nil {
			return s
		}
		name = "other"
	}
	s = &sourceMetrics{
		name:     name,
		received: m.received.WithLabelValues(name), stored: m.storedTotal.WithLabelValues(name),
		deduplicated: m.deduplicated.WithLabelValues(name), rejected: map[ingest.Reason]prometheus.Counter{},
	}
	for _, r := range ingest.Reasons {
		s.rejected[r] = m.rejected.WithLabelValues(name, string(r))
	}
	m.sources[name] = s
	return s
}

// stored counts what a stored tick took in. Events that the engine makes
// itself were received by nobody else.
func (m *metrics) stored(o *correlate.Output) {
	for source, c := range o.Counts {
		s := m.of(source)
		if source == "tocsin" || source == "operator" {
			s.received.Add(float64(c.Stored + c.Deduplicated))
		}
		s.stored.Add(float64(c.Stored))
		s.deduplicated.Add(float64(c.Deduplicated))
	}
	m.revisions.Add(float64(len(o.Incidents)))
	for i := range o.Events {
		if ev := &o.Events[i]; ev.Kind == ingest.KindAlert && ev.Status == ingest.Firing {
			m.delay.Observe(max(ev.ReceivedAt.Sub(ev.StartsAt).Seconds(), 0))
		}
	}
}

func (m *metrics) stats(s correlate.Stats) {
	m.alerts.WithLabelValues("resolved").Set(float64(s.Remembered))
	firing := 0
	m.suppressed.Reset()
	for by, n := range s.Firing {
		firing += n
		if by != "" {
			m.suppressed.WithLabelValues(by).Set(float64(n))
		}
	}
	m.alerts.WithLabelValues("firing").Set(float64(firing))
	for _, st := range correlate.Statuses {
		if st != correlate.Merged {
			m.incidents.WithLabelValues(string(st)).Set(float64(s.Incidents[st]))
		}
	}
}
