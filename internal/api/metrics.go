package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		requests: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_http_requests_total",
			Help: "Requests to the API, by operation and status code.",
		}, []string{"handler", "code"}),
		duration: promauto.With(reg).NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tocsin_http_request_duration_seconds",
			Help:    "Time to answer a request to the API.",
			Buckets: []float64{.001, .005, .02, .1, .2, .5, 1, 2.5, 10},
		}, []string{"handler"}),
	}
}

// instrument labels by the operation's pattern, of which there are few, and
// never by the path, of which there are as many as there are alerts.
func (m *metrics) instrument(rt route, next http.Handler) http.Handler {
	name := rt.path
	if rt.method != "" {
		name = rt.method + " " + rt.path
	}
	labels := prometheus.Labels{"handler": name}
	return promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(labels),
		promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(labels), next))
}
