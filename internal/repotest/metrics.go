package repotest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Registry is a prometheus.Registry that remembers the name of every metric
// registered with it. Gathering alone would not do: a vector without samples
// yields nothing, and its name would be missing from the list by luck.
type Registry struct {
	*prometheus.Registry
	names map[string]bool
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{Registry: prometheus.NewRegistry(), names: map[string]bool{}}
}

// A Desc tells its name only in its text.
var descName = regexp.MustCompile(`fqName: "([^"]*)"`)

// Register implements prometheus.Registerer.
func (r *Registry) Register(c prometheus.Collector) error {
	if err := r.Registry.Register(c); err != nil {
		return err
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	for d := range descs {
		if m := descName.FindStringSubmatch(d.String()); m != nil {
			r.names[m[1]] = true
		}
	}
	return nil
}

// MustRegister implements prometheus.Registerer.
func (r *Registry) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// Names lists the names of all metrics registered so far, in order.
func (r *Registry) Names() []string {
	var names []string
	for name := range r.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Our own metrics start with tocsin_; these are other people's conventions.
var foreignMetric = regexp.MustCompile(`^(go|process|promhttp)_|^alertmanager_build_info$`)

// CheckMetrics fails the test if a metric's name or help breaks Prometheus's
// conventions or does not begin with tocsin_, or if the names, one a line, are
// not those in the file golden. With update it writes the file instead.
//
// The golden list is what dashboards and alert rules rely on: a change of it
// is a change for the people who run Tocsin.
func CheckMetrics(t testing.TB, r *Registry, golden string, update bool) {
	t.Helper()
	names := slices.DeleteFunc(r.Names(), foreignMetric.MatchString)
	if len(names) == 0 {
		t.Fatal("no tocsin_ metric is registered")
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "tocsin_") {
			t.Errorf("metric %s: a name of ours begins with tocsin_", name)
		}
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !foreignMetric.MatchString(p.Metric) {
			t.Errorf("metric %s: %s", p.Metric, p.Text)
		}
	}
	got := strings.Join(names, "\n") + "\n"
	if update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(want)), names); diff != "" {
		t.Errorf("metric names differ from %s (-want +got):\n%s", golden, diff)
	}
}
