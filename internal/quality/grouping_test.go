package quality

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// written makes a truth and a prediction of two lists of groups, one for each
// alert: "-" is null, and "." no line at all.
func written(truth, predicted string) (ts []Truth, ps []Prediction) {
	for i, g := range strings.Fields(truth) {
		if g != "." {
			ts = append(ts, Truth{AlertID: fmt.Sprint("a", i), IncidentID: strings.Trim(g, "-")})
		}
	}
	for i, g := range strings.Fields(predicted) {
		if g != "." {
			ps = append(ps, Prediction{AlertID: fmt.Sprint("a", i), IncidentID: strings.Trim(g, "-")})
		}
	}
	return ts, ps
}

// generated are 500 alerts, of which a quarter is noise and a third predicted
// wrongly. The arithmetic is spelled out here so that others can do the same.
func generated() (truth, predicted string) {
	x := 12345
	draw := func(n int) int {
		x = (x*1103515245 + 12345) % (1 << 31)
		return (x >> 16) % n
	}
	for range 500 {
		g := draw(150)
		t, p := fmt.Sprint("i", g), fmt.Sprint("p", g)
		if draw(4) == 0 {
			t = "-"
		}
		switch d := draw(10); {
		case d == 0:
			p = "."
		case d == 1:
			p = "-"
		case d < 4:
			p = fmt.Sprint("p", draw(155))
		}
		truth += t + " "
		predicted += p + " "
	}
	return truth, predicted
}

// near lets rounding pass.
var near = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9 })

// The figures were computed by an independent program in Python.
func TestScoreAgreesWithAnotherProgram(t *testing.T) {
	f := func(truth, predicted string, groupsOnly bool, want Grouping) {
		t.Helper()
		ts, ps := written(truth, predicted)
		if diff := cmp.Diff(want, Score(ts, ps, groupsOnly), near); diff != "" {
			t.Errorf("%.40s\n%.40s, groups only: %v: -want +got\n%s", truth, predicted, groupsOnly, diff)
		}
	}
	genTruth, genPredicted := generated()
	f("a a a b b c - -", "x x y y y z x -", false, Grouping{Alerts: 8, Labelled: 6, TruthGroups: 3, TruthGroups2: 2, PredGroups: 4, Noise: 2,
		NMI: 0.685331478962, ARI: 0.318181818182, Homogeneity: 0.685331478962, Completeness: 0.685331478962, V: 0.685331478962, PairP: 0.5, PairR: 0.5,
		PairF1: 0.5, Exact: 0, Jaccard: 0.666666666667, Peer: 0.5, Reduction: 0.5, NoiseLeak: 0.5})
	f("a a a b b c - -", "x x y y y z x -", true, Grouping{Alerts: 8, Labelled: 5, TruthGroups: 2, TruthGroups2: 2, PredGroups: 4, Noise: 2,
		NMI: 0.432538067766, ARI: 0.166666666667, Homogeneity: 0.432538067766, Completeness: 0.432538067766, V: 0.432538067766, PairP: 0.5, PairR: 0.5,
		PairF1: 0.5, Exact: 0, Jaccard: 0.666666666667, Peer: 0.4, Reduction: 0.5, NoiseLeak: 0.5})
	f("a a a a b b", "x x x x x x", false, Grouping{Alerts: 6, Labelled: 6, TruthGroups: 2, TruthGroups2: 2, PredGroups: 1, Noise: 0,
		NMI: 0, ARI: 0, Homogeneity: 0, Completeness: 1, V: 0, PairP: 0.466666666667, PairR: 1,
		PairF1: 0.636363636364, Exact: 0, Jaccard: 0.5, Peer: 0.466666666667, Reduction: 0.833333333333, NoiseLeak: 0})
	f("a a b b", "w x y z", false, Grouping{Alerts: 4, Labelled: 4, TruthGroups: 2, TruthGroups2: 2, PredGroups: 4, Noise: 0,
		NMI: 0.666666666667, ARI: 0, Homogeneity: 1, Completeness: 0.5, V: 0.666666666667, PairP: 1, PairR: 0,
		PairF1: 0, Exact: 0, Jaccard: 0.5, Peer: 0, Reduction: 0, NoiseLeak: 0})
	f("a b c -", "x x . x", false, Grouping{Alerts: 4, Labelled: 3, TruthGroups: 3, TruthGroups2: 0, PredGroups: 2, Noise: 1,
		NMI: 0.733680436651, ARI: 0, Homogeneity: 0.579380164286, Completeness: 1, V: 0.733680436651, PairP: 0, PairR: 1,
		PairF1: 0, Exact: 1, Jaccard: 1, Peer: 0.333333333333, Reduction: 0.5, NoiseLeak: 1})
	f("a b c -", "x x . x", true, Grouping{Alerts: 4, Labelled: 0, TruthGroups: 0, TruthGroups2: 0, PredGroups: 2, Noise: 1,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0.5, NoiseLeak: 0})
	f("- - -", "x x -", false, Grouping{Alerts: 3, Labelled: 0, TruthGroups: 0, TruthGroups2: 0, PredGroups: 2, Noise: 3,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0.333333333333, NoiseLeak: 0})
	f("a", "x", false, Grouping{Alerts: 1, Labelled: 1, TruthGroups: 1, TruthGroups2: 0, PredGroups: 1, Noise: 0,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0, NoiseLeak: 0})
	f("a", "x", true, Grouping{Alerts: 1, Labelled: 0, TruthGroups: 0, TruthGroups2: 0, PredGroups: 1, Noise: 0,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0, NoiseLeak: 0})
	f("a a b c d - - -", "x x . - . y y y", false, Grouping{Alerts: 8, Labelled: 5, TruthGroups: 4, TruthGroups2: 1, PredGroups: 5, Noise: 3,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0.375, NoiseLeak: 0})
	f("a a b c d - - -", "x x . - . y y y", true, Grouping{Alerts: 8, Labelled: 2, TruthGroups: 1, TruthGroups2: 1, PredGroups: 5, Noise: 3,
		NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1,
		PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1, Reduction: 0.375, NoiseLeak: 0})
	f(genTruth, genPredicted, false, Grouping{Alerts: 500, Labelled: 376, TruthGroups: 136, TruthGroups2: 107, PredGroups: 234, Noise: 124,
		NMI: 0.902147731, ARI: 0.441894508832, Homogeneity: 0.932593169184, Completeness: 0.873627292913, V: 0.902147731, PairP: 0.542168674699, PairR: 0.377358490566,
		PairF1: 0.44499381953, Exact: 0.130841121495, Jaccard: 0.580448004747, Peer: 0.361056231003, Reduction: 0.532, NoiseLeak: 0.701612903226})
	f(genTruth, genPredicted, true, Grouping{Alerts: 500, Labelled: 347, TruthGroups: 107, TruthGroups2: 107, PredGroups: 234, Noise: 124,
		NMI: 0.896299787902, ARI: 0.452835268572, Homogeneity: 0.935346698181, Completeness: 0.860382334117, V: 0.896299787902, PairP: 0.576923076923, PairR: 0.377358490566,
		PairF1: 0.456273764259, Exact: 0.130841121495, Jaccard: 0.583544726302, Peer: 0.336475916015, Reduction: 0.532, NoiseLeak: 0.661290322581})
}

// drawGroups draws some groups for n alerts, in the form of written.
func drawGroups(t *rapid.T, name string, n int, letters []string) string {
	var b strings.Builder
	for range n {
		b.WriteString(rapid.SampledFrom(letters).Draw(t, name) + " ")
	}
	return b.String()
}

var (
	trueLetters = []string{"a", "b", "c", "d", "-"}
	predLetters = []string{"w", "x", "y", "z", "-", "."}
)

// shares are the figures that lie between 0 and 1.
func shares(g Grouping) map[string]float64 {
	out := map[string]float64{}
	for _, f := range g.Figures() {
		if !f.Count && f.Name != "ari" {
			out[f.Name] = f.Value
		}
	}
	return out
}

func TestFiguresAreShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "alerts")
		ts, ps := written(drawGroups(t, "true", n, trueLetters), drawGroups(t, "predicted", n, predLetters))
		g := Score(ts, ps, rapid.Bool().Draw(t, "groups only"))
		for name, v := range shares(g) {
			// Of rounding, no more than the last digits.
			if !(v >= 0 && v <= 1+1e-12) {
				t.Errorf("%s is %v", name, v)
			}
		}
		if !(g.ARI >= -1 && g.ARI <= 1+1e-12) {
			t.Errorf("ari is %v", g.ARI)
		}
	})
}

func TestTheTruthItselfIsPerfect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "alerts")
		truth := drawGroups(t, "true", n, trueLetters)
		ts, ps := written(truth, truth)
		g := Score(ts, ps, rapid.Bool().Draw(t, "groups only"))
		want := shares(g)
		for name := range want {
			want[name] = 1
		}
		want["reduction"], want["noise_leak"] = g.Reduction, 0
		if diff := cmp.Diff(want, shares(g), near); diff != "" || math.Abs(g.ARI-1) > 1e-9 {
			t.Errorf("%s: ari %v, -want +got\n%s", truth, g.ARI, diff)
		}
	})
}

// What groups are called, and in which order lines stand, changes nothing.
func TestNamesAndOrderDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "alerts")
		ts, ps := written(drawGroups(t, "true", n, trueLetters), drawGroups(t, "predicted", n, predLetters))
		groupsOnly := rapid.Bool().Draw(t, "groups only")
		before := Score(ts, ps, groupsOnly)
		names := rapid.Permutation([]string{"a", "b", "c", "d", "w", "x", "y", "z"}).Draw(t, "names")
		rename := func(id string) string {
			if id == "" {
				return ""
			}
			return names[strings.Index("abcdwxyz", id)]
		}
		for i := range ts {
			ts[i].IncidentID = rename(ts[i].IncidentID)
		}
		for i := range ps {
			ps[i].IncidentID = rename(ps[i].IncidentID)
		}
		after := Score(rapid.Permutation(ts).Draw(t, "order of the truth"), rapid.Permutation(ps).Draw(t, "order of the prediction"), groupsOnly)
		if diff := cmp.Diff(before, after, near); diff != "" {
			t.Errorf("-before +after\n%s", diff)
		}
	})
}

// Mistaking one for the other turns precision into recall.
func TestTruthAndPredictionAreSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "alerts")
		one, other := drawGroups(t, "one", n, trueLetters[:4]), drawGroups(t, "other", n, trueLetters[:4])
		ts, ps := written(one, other)
		a := Score(ts, ps, false)
		ts, ps = written(other, one)
		b := Score(ts, ps, false)
		got := []float64{a.PairP, a.PairR, a.PairF1, a.NMI, a.ARI, a.Homogeneity, a.Completeness, a.V}
		want := []float64{b.PairR, b.PairP, b.PairF1, b.NMI, b.ARI, b.Completeness, b.Homogeneity, b.V}
		if diff := cmp.Diff(want, got, near); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScoreOfNothing(t *testing.T) {
	want := Grouping{NMI: 1, ARI: 1, Homogeneity: 1, Completeness: 1, V: 1, PairP: 1, PairR: 1, PairF1: 1, Exact: 1, Jaccard: 1, Peer: 1}
	if diff := cmp.Diff(want, Score(nil, nil, false)); diff != "" {
		t.Error(diff)
	}
	want.Strangers = 1
	if diff := cmp.Diff(want, Score(nil, []Prediction{{"a", "x"}, {"a", ""}}, true)); diff != "" {
		t.Error(diff)
	}
}

func TestMatch(t *testing.T) {
	f := func(truth, predicted, want string) {
		t.Helper()
		ts, ps := written(truth, predicted)
		got := ""
		if err := Match(ts, ps); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s, %s:\n got %s\nwant %s", truth, predicted, got, want)
		}
	}
	f("a - .", ". x x", "")
	f("a -", "", "2 alerts in the truth and 0 predicted; want some of each")
	f("", "x", "0 alerts in the truth and 1 predicted; want some of each")
	f("a b . .", ". . x -", `none of the 2 predicted alerts is among the 2 of the truth (predicted "a2", true "a0"); these files are of different sets`)
}
