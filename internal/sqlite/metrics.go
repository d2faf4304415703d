package sqlite

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	appendSeconds prometheus.Histogram
	errors        *prometheus.CounterVec
	deleted       prometheus.Counter
}

// The operations that tocsin_store_errors_total counts.
const (
	opAppend    = "append"
	opHeartbeat = "heartbeat"
	opDelivery  = "delivery"
	opRetain    = "retain"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		appendSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_store_append_duration_seconds",
			Help:    "How long it took to make a batch durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_store_errors_total",
			Help: "Transactions that the store refused, by operation.",
		}, []string{"op"}),
		deleted: f.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_store_deleted_total",
			Help: "Records deleted because the retention was over.",
		}),
	}
	for _, op := range []string{opAppend, opHeartbeat, opDelivery, opRetain} {
		m.errors.WithLabelValues(op)
	}
	return m
}
