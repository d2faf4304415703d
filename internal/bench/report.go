package bench

import (
	"math"
	"slices"
	"time"
)

// A Report is what a run measured.
type Report struct {
	URL           string  `json:"url"`
	Kind          Kind    `json:"kind"`
	Batch         int     `json:"batch"`
	Concurrency   int     `json:"concurrency"`
	Unique        int     `json:"unique"`
	BytesPerAlert float64 `json:"bytes_per_alert"`
	Phases        []Phase `json:"phases"`
}

// The phases of a run.
const (
	PhaseNew     = "new"      // every alert for the first time
	PhaseResends = "re-sends" // the same alerts again
)

// A Phase is one part of a run, with nothing in flight before and after it.
type Phase struct {
	Name string `json:"name"`
	// Alerts were acknowledged with a 2xx; Failed were not.
	Alerts     int64  `json:"alerts"`
	Failed     int64  `json:"failed"`
	Requests   int64  `json:"requests"`
	FirstError string `json:"first_error,omitempty"`

	Seconds         float64 `json:"seconds"`
	AlertsPerSecond float64 `json:"alerts_per_second"`
	// Latency is that of requests that were acknowledged.
	Latency Quantiles `json:"latency_ms"`

	// ClientCPUPerMillion is the generator's own CPU time in seconds.
	ClientCPUPerMillion float64 `json:"client_cpu_s_per_million,omitempty"`
	Server              *Server `json:"server,omitempty"`
	Visible             *Delay  `json:"visible,omitempty"`
}

// Server is what the server's processes used.
type Server struct {
	CPUSeconds    float64 `json:"cpu_s"`
	CPUPerMillion float64 `json:"cpu_s_per_million"`
	// RSS is resident memory after the phase, Peak its greatest ever.
	RSSBeforeMiB float64 `json:"rss_before_mib"`
	RSSMiB       float64 `json:"rss_mib"`
	PeakMiB      float64 `json:"peak_mib"`
	// RSSPerAlertKiB is the growth of resident memory since before the run,
	// by active alert. It needs a server that was idle and empty before.
	RSSPerAlertKiB float64 `json:"rss_kib_per_active_alert"`
}

// Delay is how long until the incident of an alert could be read.
type Delay struct {
	Quantiles
	Samples int `json:"samples"`
	// Never are samples whose incident could not be read within the time limit.
	Never int `json:"never"`
	// Skipped are requests that were to be sampled while too many others were.
	Skipped   int    `json:"skipped"`
	LastError string `json:"last_error,omitempty"`
}

// Quantiles are in milliseconds; all zero if there was nothing to measure.
type Quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// quantiles sorts ds. A quantile is the smallest value that at least this
// share of them does not exceed.
func quantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	at := func(p float64) float64 {
		i := int(math.Ceil(p*float64(len(ds)))) - 1
		return round(float64(ds[max(i, 0)]) / float64(time.Millisecond))
	}
	return Quantiles{P50: at(0.50), P99: at(0.99), P999: at(0.999), Max: at(1)}
}

// round keeps four significant digits, so that a report does not pretend.
func round(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}

func perMillion(x float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return round(x * 1e6 / float64(n))
}
