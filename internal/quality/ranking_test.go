package quality

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// incidentsOf reads "I1 a,b; I2 c": incidents and their roots.
func incidentsOf(text string) (out []Incident) {
	for one := range strings.SplitSeq(text, ";") {
		words := strings.Fields(one)
		if len(words) == 0 {
			continue
		}
		inc := Incident{IncidentID: words[0]}
		if len(words) > 1 {
			inc.RootCIs = strings.Split(words[1], ",")
		}
		out = append(out, inc)
	}
	return out
}

// causesOf reads "P1 x,y; P2 change:c,z": what was ranked, CIs unless it says
// otherwise.
func causesOf(text string) (out []Causes) {
	for _, inc := range incidentsOf(text) {
		c := Causes{IncidentID: inc.IncidentID}
		for _, id := range inc.RootCIs {
			kind, rest, ok := strings.Cut(id, ":")
			if !ok {
				kind, rest = KindCI, id
			}
			c.Causes = append(c.Causes, Cause{Kind: kind, ID: rest})
		}
		out = append(out, c)
	}
	return out
}

func TestRank(t *testing.T) {
	f := func(incidents, causes string, level func(string) string, want Ranking) {
		t.Helper()
		got, err := Rank(incidentsOf(incidents), causesOf(causes), nil, level)
		if err != nil {
			t.Errorf("%s, %s: %v", incidents, causes, err)
		}
		if diff := cmp.Diff(want, got, near); diff != "" {
			t.Errorf("%s, %s: -want +got\n%s", incidents, causes, diff)
		}
	}
	// Computed by an independent program in Python.
	const six = "I1 a; I2 b,c; I3 d; I4 e; I5 f; I6 g"
	f(six, "I1 a,x; I2 x,c,b; I3 1,2,3,4,d; I4 1,2,3,4,5,e; I5 x; Z q", nil,
		Ranking{Incidents: 6, Answered: 5, AC1: 1. / 6, AC3: 1. / 3, AC5: .5, Avg5: 1. / 3, MRR: .3111111111111111})
	// Only CIs are ranked, so what else may be a cause takes no place.
	f("I1 a; I2", "I1 change:a,alert:a,x,a; I2 a", nil, Ranking{Incidents: 1, Answered: 1, AC3: 1, AC5: 1, Avg5: .8, MRR: .5})
	f("I1 a", "I1 change:a", nil, Ranking{Incidents: 1})
	f("I1 a", "I1", nil, Ranking{Incidents: 1})
	// By service, the parts of one take one place together.
	const cart, shop = "eu/s/cart/", "eu/s/shop/"
	ranked := "I1 " + shop + "pod," + shop + "service," + shop + "deployment," + cart + "pod"
	f("I1 "+cart+"deployment", ranked, nil, Ranking{Incidents: 1, Answered: 1})
	f("I1 "+cart+"deployment", ranked, PathService, Ranking{Incidents: 1, Answered: 1, AC3: 1, AC5: 1, Avg5: .8, MRR: .5})
	f("I1 "+shop+"pod", ranked, PathService, Ranking{Incidents: 1, Answered: 1, AC1: 1, AC3: 1, AC5: 1, Avg5: 1, MRR: 1})
}

func TestRankRefusesWhatCannotBeCompared(t *testing.T) {
	f := func(incidents, causes string, m *Matching, want string) {
		t.Helper()
		got, err := Rank(incidentsOf(incidents), causesOf(causes), m, nil)
		if err == nil || err.Error() != want || got != (Ranking{}) {
			t.Errorf("%s, %s: %v\n got %v\nwant %s", incidents, causes, got, err, want)
		}
	}
	f("I1 a", "P1 a; P2 b", nil, `none of its 2 incidents, such as "P1", is among the 1 true ones; give the predicted alerts too, so that they can be matched`)
	f("I1 a", "P1 a; P2 b", NewMatching(written("I1", "Q1")), `none of its 2 incidents, such as "P1", is among the 1 of the predicted alerts; these files are of different runs`)
	f("I1 a", "", nil, "no incident is in it")
	f("I1; I2", "I1 a", nil, "the root_cis of all 2 incidents are empty or of no alert; there is nothing to compare with")
}

// Better places give better figures, and a shorter list no better ones.
func TestRankLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var incidents []Incident
		var causes, better []Causes
		for i := range rapid.IntRange(1, 6).Draw(t, "incidents") {
			id := fmt.Sprint("I", i)
			incidents = append(incidents, Incident{IncidentID: id, RootCIs: []string{"root"}})
			c := Causes{IncidentID: id}
			for k := range rapid.IntRange(0, 7).Draw(t, "causes") {
				c.Causes = append(c.Causes, Cause{Kind: KindCI, ID: fmt.Sprint("ci-", k)})
			}
			if n := len(c.Causes); n > 0 && rapid.Bool().Draw(t, "named") {
				c.Causes[rapid.IntRange(0, n-1).Draw(t, "rank")].ID = "root"
			}
			causes = append(causes, c)
			first := append([]Cause{{Kind: KindCI, ID: "root"}}, c.Causes...)
			better = append(better, Causes{IncidentID: id, Causes: first})
		}
		r, err := Rank(incidents, causes, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !(0 <= r.AC1 && r.AC1 <= r.AC3 && r.AC3 <= r.AC5 && r.AC1 <= r.Avg5+1e-12 && r.Avg5 <= r.AC5+1e-12 && r.AC1 <= r.MRR+1e-12 && r.MRR <= 1+1e-12) {
			t.Errorf("%+v", r)
		}
		got, err := Rank(incidents, better, nil, nil)
		n := len(incidents)
		if diff := cmp.Diff(Ranking{n, n, 1, 1, 1, 1, 1}, got, near); diff != "" || err != nil {
			t.Errorf("the root first: %v, -want +got\n%s", err, diff)
		}
	})
}

func TestMatching(t *testing.T) {
	// P1 has more of A; P2 too, but less than P1; P3 is half of each; B is
	// spoken for by nobody but P3's tie, which the smaller ID wins.
	m := NewMatching(written("A A A A A B A B C - - D", "P1 P1 P1 P2 P2 P2 P3 P3 P5 P4 P5 -"))
	for pred, want := range map[string]string{"P1": "A", "P2": "A", "P3": "A", "P4": "", "P5": "C", "P9": ""} {
		if got := m.trueOf(pred); got != want {
			t.Errorf("%s stands for %q, want %q", pred, got, want)
		}
	}
	for truth, want := range map[string]string{"A": "P1", "B": "", "C": "P5", "D": "", "P1": ""} {
		if got := m.speakerOf(truth); got != want {
			t.Errorf("%q speaks for %s, want %q", got, truth, want)
		}
	}
	r, err := Rank(incidentsOf("A a; B b; C c"), causesOf("P1 a; P2 b; P3 x; P5 x,c"), m, nil)
	if want := (Ranking{Incidents: 3, Answered: 2, AC1: 1. / 3, AC3: 2. / 3, AC5: 2. / 3, Avg5: .6, MRR: .5}); err != nil || !cmp.Equal(want, r, near) {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
}

// With the true grouping under other names, matching is the same as no names.
func TestMatchingOfRenamedIncidents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := drawGroups(t, "true", rapid.IntRange(1, 20).Draw(t, "alerts"), trueLetters)
		ts, ps := written(truth, truth)
		other := strings.NewReplacer("a", "b", "b", "c", "c", "d", "d", "a")
		for i := range ps {
			ps[i].IncidentID = other.Replace(ps[i].IncidentID)
		}
		m := NewMatching(ts, ps)
		for i := range ts {
			if got := m.trueOf(ps[i].IncidentID); got != ts[i].IncidentID {
				t.Errorf("%s stands for %q, want %q", ps[i].IncidentID, got, ts[i].IncidentID)
			}
			if id := ts[i].IncidentID; id != "" && m.speakerOf(id) != ps[i].IncidentID {
				t.Errorf("%q speaks for %s, want %q", m.speakerOf(id), id, ps[i].IncidentID)
			}
		}
	})
}

// linksOf reads "c1>I1 c2>I1".
func linksOf(text string) (out []ChangeLink) {
	for _, one := range strings.Fields(text) {
		change, incident, _ := strings.Cut(one, ">")
		out = append(out, ChangeLink{ChangeID: change, IncidentID: incident})
	}
	return out
}

func TestLink(t *testing.T) {
	f := func(truth, predicted string, m *Matching, want Links) {
		t.Helper()
		got, err := Link(linksOf(truth), linksOf(predicted), m)
		if diff := cmp.Diff(want, got, near); diff != "" || err != nil {
			t.Errorf("%s, %s: %v, -want +got\n%s", truth, predicted, err, diff)
		}
	}
	f("c1>I1 c2>I2", "c1>I1 c2>I2", nil, Links{2, 2, 2, 1, 1, 1, 1})
	f("c1>I1 c2>I2 c3>I3", "c1>I1 c2>I3 c9>I9 c3>I4", nil, Links{3, 4, 1, 1. / 3, .25, 2. / 7, .5})
	f("c1>I1", "", nil, Links{1, 0, 0, 0, 1, 0, 1})
	// P1 and P2 are A in two pieces; P4 has only noise, so both its links are
	// wrong, each for itself.
	m := NewMatching(written("A A B - -", "P1 P2 P3 P4 P5"))
	f("c1>A c2>B", "c1>P1 c1>P2 c2>P3 c1>P4 c1>P5 c1>P5", m, Links{2, 4, 2, 1, .5, 2. / 3, 1})
	f("c1>A", "", m, Links{1, 0, 0, 0, 1, 0, 1})

	for _, c := range []struct {
		truth, predicted string
		m                *Matching
		want             string
	}{
		{"", "c1>I1", nil, "the truth has no link between a change and an incident; there is nothing to compare with"},
		{"c1>A", "c1>I1", m, `none of its 1 incidents, such as "I1", is among the 5 of the predicted alerts; these files are of different runs`},
	} {
		if _, err := Link(linksOf(c.truth), linksOf(c.predicted), c.m); err == nil || err.Error() != c.want {
			t.Errorf("%s, %s:\n got %v\nwant %s", c.truth, c.predicted, err, c.want)
		}
	}
}

func TestRecur(t *testing.T) {
	problems := func(text string) (incidents []Incident, signatures []Recurrence) {
		for _, one := range strings.Fields(text) { // incident:problem:signature
			w := strings.Split(one, ":")
			incidents = append(incidents, Incident{IncidentID: w[0], ProblemID: w[1]})
			if w[2] != "." {
				signatures = append(signatures, Recurrence{w[0], w[2]})
			}
		}
		return incidents, signatures
	}
	f := func(text string, want Problems) {
		t.Helper()
		incidents, signatures := problems(text)
		got, err := Recur(incidents, signatures, nil)
		if diff := cmp.Diff(want, got, near); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", text, err, diff)
		}
	}
	f("I1:p:s I2:p:s I3:q:t", Problems{3, 2, 2, 1, 1, 1})
	f("I1:p:s I2:p:s I3:p:t I4:q:s", Problems{4, 2, 2, 1. / 3, 1. / 3, 1. / 3})
	// No signature, and no line at all, are like no other; I5's problem is not
	// known, so it is not judged.
	f("I1:p:s I2:p: I3:p:. I4:p:s I5::s", Problems{4, 1, 3, 1, 1. / 6, 2. / 7})

	incidents, signatures := problems("I1::s I2::s")
	if _, err := Recur(incidents, signatures, nil); err == nil || err.Error() != "the problem_id of all 2 incidents is missing or of no alert; there is nothing to compare with" {
		t.Error(err)
	}
	incidents, _ = problems("I1:p:s")
	if _, err := Recur(incidents, []Recurrence{{"P1", "s"}}, nil); err == nil || !strings.HasPrefix(err.Error(), `none of its 1 incidents, such as "P1", is among`) {
		t.Error(err)
	}
	if got, err := Recur(incidents, []Recurrence{{"P1", "s"}}, NewMatching(written("I1", "P1"))); err != nil || got != (Problems{1, 1, 1, 1, 1, 1}) {
		t.Error(got, err)
	}
}

func TestWithAlerts(t *testing.T) {
	ts, _ := written("I1 - I3", "")
	got := WithAlerts(incidentsOf("I1 a; I2 b; I3"), ts)
	if diff := cmp.Diff(incidentsOf("I1 a; I3"), got); diff != "" {
		t.Error(diff)
	}
}
