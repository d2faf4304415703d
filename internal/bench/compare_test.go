package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func run(url string, cpu float64) Report {
	return Report{URL: url, Kind: KindAPI, Batch: 100, Phases: []Phase{{Name: PhaseNew, Alerts: 10, Server: &Server{CPUPerMillion: cpu}}}}
}

func TestCompareTakesMedians(t *testing.T) {
	got, err := Compare([]Report{run("a", 9), run("a", 10), run("a", 90)}, []Report{run("b", 60), run("b", 40)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Ratio{{Phase: PhaseNew, Figure: "server CPU s per million", Ours: 10, Theirs: 50, Times: 0.2,
		OursRange: [2]float64{9, 90}, TheirsRange: [2]float64{40, 60}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompareRefusesUnequalRuns(t *testing.T) {
	f := func(change func(*Report), want string) {
		t.Helper()
		other := run("b", 1)
		change(&other)
		_, err := Compare([]Report{run("a", 1)}, []Report{other})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(r *Report) { r.Batch = 1 }, "the run against b had another load")
	f(func(r *Report) { r.Phases[0].Failed, r.Phases[0].FirstError = 3, "503" }, "b: 3 alerts failed in phase new: 503")
	f(func(r *Report) { r.Phases[0].Alerts = 9 }, "phase new of 9 alerts beside phase new of 10")
	if _, err := Compare(nil, []Report{run("b", 1)}); err == nil {
		t.Error("no runs of ours: no error")
	}
}
