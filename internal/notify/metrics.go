package notify

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"tocsin/correlate"
)

// The results of an attempt.
const (
	resultDelivered = "delivered"
	resultRetry     = "retry"
	resultFailed    = "failed"
	resultSkipped   = "skipped"
)

type metrics struct {
	total   *prometheus.CounterVec
	pending *prometheus.GaugeVec
	delay   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, receivers []Receiver) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		total: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_notifications_total",
			Help: "Attempts to notify by result: delivered, retry (failed, comes again), failed (given up), skipped (below the receiver's priority).",
		}, []string{"receiver", "notice", "result"}),
		pending: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_notifications_pending",
			Help: "Incidents with news that the receiver did not take yet.",
		}, []string{"receiver"}),
		delay: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_notification_delay_seconds",
			Help:    "Time from the news to its delivery.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000, 3600, 14400, 86400},
		}),
	}
	for i := range receivers {
		m.pending.WithLabelValues(receivers[i].Name)
		for _, n := range correlate.Notices {
			// A rate over a counter that appears with its first failure misses it.
			for _, result := range []string{resultDelivered, resultFailed} {
				m.total.WithLabelValues(receivers[i].Name, string(n), result)
			}
		}
	}
	return m
}

func (m *metrics) count(d *correlate.Delivery, result string) {
	m.total.WithLabelValues(d.Receiver, string(d.Notice), result).Inc()
}
