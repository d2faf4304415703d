package repotest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// complaints is a testing.TB that keeps what it is told instead of failing.
type complaints struct {
	testing.TB
	said []string
}

func (c *complaints) Helper()           {}
func (c *complaints) Fatal(args ...any) { c.said = append(c.said, fmt.Sprint(args...)) }
func (c *complaints) Errorf(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

func TestRegistryRemembersEmptyVectors(t *testing.T) {
	reg := NewRegistry()
	promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: "tocsin_events_received_total", Help: "Events."}, []string{"source"})
	promauto.With(reg).NewGauge(prometheus.GaugeOpts{Name: "tocsin_alerts", Help: "Alerts."})
	want := []string{"tocsin_alerts", "tocsin_events_received_total"}
	if diff := cmp.Diff(want, reg.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	golden := filepath.Join(t.TempDir(), "metrics.txt")
	CheckMetrics(t, reg, golden, true)
	CheckMetrics(t, reg, golden, false)
}

func TestCheckMetricsFindsWhatIsWrong(t *testing.T) {
	reg := NewRegistry()
	promauto.With(reg).NewCounter(prometheus.CounterOpts{Name: "tocsin_events_count", Help: "Events."})
	golden := filepath.Join(t.TempDir(), "metrics.txt")
	c := &complaints{TB: t}
	CheckMetrics(c, reg, golden, true)

	promauto.With(reg).NewGauge(prometheus.GaugeOpts{Name: "other_thing", Help: "Not ours."})
	CheckMetrics(c, reg, golden, false)
	all := strings.Join(c.said, "\n")
	for _, want := range []string{"tocsin_events_count: counter metrics should have", "other_thing: a name of ours", "names differ"} {
		if !strings.Contains(all, want) {
			t.Errorf("no complaint %q in:\n%s", want, all)
		}
	}
}
