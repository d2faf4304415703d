package bench

import (
	"errors"
	"fmt"
	"slices"
)

// A Ratio is one figure of two servers under the same load, as medians of
// their runs.
type Ratio struct {
	Phase  string  `json:"phase"`
	Figure string  `json:"figure"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"`
	// Times is ours divided by theirs: 0.25 of a cost is a quarter of it.
	Times float64 `json:"ours_by_theirs"`
	// OursRange and TheirsRange are the smallest and the greatest of the runs.
	OursRange   [2]float64 `json:"ours_range"`
	TheirsRange [2]float64 `json:"theirs_range"`
}

// figures are what is compared, in this order. A figure that a run lacks is 0.
var figures = []struct {
	name string
	of   func(Phase) float64
}{
	{"server CPU s per million", func(p Phase) float64 { return server(p).CPUPerMillion }},
	{"alerts per second", func(p Phase) float64 { return p.AlertsPerSecond }},
	{"POST p99, ms", func(p Phase) float64 { return p.Latency.P99 }},
	{"server RSS, MiB", func(p Phase) float64 { return server(p).RSSMiB }},
	{"RSS growth per active alert, KiB", func(p Phase) float64 { return server(p).RSSPerAlertKiB }},
}

func server(p Phase) Server {
	if p.Server == nil {
		return Server{}
	}
	return *p.Server
}

// Compare sets the runs of two servers side by side. All runs must have had
// the same load and no alert may have failed: else it compares nothing.
func Compare(ours, theirs []Report) ([]Ratio, error) {
	if len(ours) == 0 || len(theirs) == 0 {
		return nil, fmt.Errorf("%d runs of ours and %d of theirs: want at least one of each", len(ours), len(theirs))
	}
	first := ours[0]
	var errs []error
	for _, r := range slices.Concat(ours, theirs) {
		if r.Kind != first.Kind || r.Batch != first.Batch || r.Concurrency != first.Concurrency || r.Unique != first.Unique || len(r.Phases) != len(first.Phases) {
			errs = append(errs, fmt.Errorf("the run against %s had another load than that against %s", r.URL, first.URL))
			continue
		}
		for i, p := range r.Phases {
			if p.Failed > 0 {
				errs = append(errs, fmt.Errorf("%s: %d alerts failed in phase %s: %s", r.URL, p.Failed, p.Name, p.FirstError))
			}
			if p.Name != first.Phases[i].Name || p.Alerts != first.Phases[i].Alerts {
				errs = append(errs, fmt.Errorf("%s: phase %s of %d alerts beside phase %s of %d", r.URL, p.Name, p.Alerts, first.Phases[i].Name, first.Phases[i].Alerts))
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var ratios []Ratio
	for i, phase := range first.Phases {
		for _, f := range figures {
			values := func(rs []Report) (vs []float64) {
				for _, r := range rs {
					vs = append(vs, f.of(r.Phases[i]))
				}
				slices.Sort(vs)
				return vs
			}
			a, b := values(ours), values(theirs)
			if a[len(a)-1] == 0 || b[len(b)-1] == 0 {
				continue
			}
			r := Ratio{Phase: phase.Name, Figure: f.name, Ours: median(a), Theirs: median(b),
				OursRange: [2]float64{a[0], a[len(a)-1]}, TheirsRange: [2]float64{b[0], b[len(b)-1]}}
			r.Times = round(r.Ours / r.Theirs)
			ratios = append(ratios, r)
		}
	}
	return ratios, nil
}

// median is of sorted values.
func median(vs []float64) float64 {
	n := len(vs)
	return round((vs[(n-1)/2] + vs[n/2]) / 2)
}
