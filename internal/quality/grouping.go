package quality

import (
	"fmt"
	"math"
)

// Grouping says how well alerts were put together. Alerts whose truth is null
// are noise and count only in Alerts, PredGroups, Reduction, Noise and
// NoiseLeak; an alert without a prediction, or with null, is a group of its own.
// Every share is 0 to 1, where 1 is perfect (0 for NoiseLeak), except ARI, which
// chance brings to 0 and less.
type Grouping struct {
	Alerts       int // in the truth
	Labelled     int // those that belong to an incident
	TruthGroups  int
	TruthGroups2 int // those of two alerts or more
	PredGroups   int
	Noise        int
	// Strangers are predictions for alerts that the truth does not have. They
	// are left out.
	Strangers int

	NMI          float64 // mutual information over the mean of both entropies
	ARI          float64 // Rand index adjusted for chance
	Homogeneity  float64
	Completeness float64
	V            float64
	// PairP, PairR and PairF1 are over pairs of alerts in one group. Without a
	// predicted or a true pair there is nothing to get wrong, which is 1.
	PairP, PairR, PairF1 float64
	// Exact is the share of true groups of two or more that were found as they
	// are, Jaccard the mean of their overlap with what fits them best.
	Exact, Jaccard float64
	// Peer is the mean, over the alerts, of how many of the others in the
	// alert's groups, the true and the predicted, are the same.
	Peer float64
	// Reduction is how much less there is to read: 1 - groups/alerts.
	Reduction float64
	// NoiseLeak is the share of the noise that stands in a group with alerts
	// that belong to an incident.
	NoiseLeak float64
}

// Match says when truth and prediction do not speak of the same alerts.
func Match(truth []Truth, predicted []Prediction) error {
	if len(truth) == 0 || len(predicted) == 0 {
		return fmt.Errorf("%d alerts in the truth and %d predicted; want some of each", len(truth), len(predicted))
	}
	known := make(map[string]bool, len(truth))
	for i := range truth {
		known[truth[i].AlertID] = true
	}
	for i := range predicted {
		if known[predicted[i].AlertID] {
			return nil
		}
	}
	return fmt.Errorf("none of the %d predicted alerts is among the %d of the truth (predicted %q, true %q); these files are of different sets",
		len(predicted), len(truth), shorten(predicted[0].AlertID), shorten(truth[0].AlertID))
}

// Score compares a grouping with the truth. Of several lines for one alert the
// last counts. With groupsOnly, true groups of one alert are left out of what is
// computed over labelled alerts.
func Score(truth []Truth, predicted []Prediction, groupsOnly bool) Grouping {
	t := newTable(truth, predicted)
	if groupsOnly {
		t.dropSingles()
	}
	g := Grouping{Alerts: len(t.alerts), Strangers: t.strangers, PredGroups: t.predGroups()}
	c := t.contingency()
	g.Labelled, g.TruthGroups = c.n, c.groups
	g.information(c)
	g.pairs(c)
	g.overlap(c)
	g.noise(t)
	return g
}

// table has each alert once, with small numbers for its groups.
type table struct {
	alerts []alertGroups
	// truths and preds are how many numbers there are; some stand for nothing.
	truths, preds int
	strangers     int
}

type alertGroups struct {
	truth   int // -1 for noise
	pred    int
	dropped bool // labelled, but not to be judged
}

func newTable(truth []Truth, predicted []Prediction) *table {
	t := &table{}
	// Numbers go by the order of the truth, so that sums are the same each time.
	row := make(map[string]int, len(truth))
	truths := numbering{}
	for i := range truth {
		a := alertGroups{truth: -1, pred: -1}
		if id := truth[i].IncidentID; id != "" {
			a.truth = truths.of(id)
		}
		if at, ok := row[truth[i].AlertID]; ok {
			t.alerts[at] = a
			continue
		}
		row[truth[i].AlertID] = len(t.alerts)
		t.alerts = append(t.alerts, a)
	}
	preds := numbering{}
	strangers := map[string]bool{}
	for i := range predicted {
		at, ok := row[predicted[i].AlertID]
		switch id := predicted[i].IncidentID; {
		case !ok:
			strangers[predicted[i].AlertID] = true
		case id == "":
			t.alerts[at].pred = -1
		default:
			t.alerts[at].pred = preds.of(id)
		}
	}
	t.truths, t.preds, t.strangers = len(truths), len(preds), len(strangers)
	for i := range t.alerts {
		if t.alerts[i].pred < 0 {
			t.alerts[i].pred = t.preds
			t.preds++
		}
	}
	return t
}

// numbering gives texts numbers from 0 on.
type numbering map[string]int

func (n numbering) of(id string) int {
	i, ok := n[id]
	if !ok {
		i = len(n)
		n[id] = i
	}
	return i
}

func (t *table) dropSingles() {
	size := make([]int, t.truths)
	for _, a := range t.alerts {
		if a.truth >= 0 {
			size[a.truth]++
		}
	}
	for i := range t.alerts {
		if a := &t.alerts[i]; a.truth >= 0 && size[a.truth] == 1 {
			a.truth, a.dropped = -1, true
		}
	}
}

func (t *table) predGroups() (n int) {
	seen := make([]bool, t.preds)
	for _, a := range t.alerts {
		if !seen[a.pred] {
			seen[a.pred] = true
			n++
		}
	}
	return n
}

// contingency says how many labelled alerts each true group has in common with
// each predicted one.
type contingency struct {
	n, groups    int
	truths, pred []int // sizes, labelled alerts only
	cells        []cell
}

type cell struct{ truth, pred, n int }

func (t *table) contingency() *contingency {
	c := &contingency{truths: make([]int, t.truths), pred: make([]int, t.preds)}
	at := map[[2]int]int{}
	for _, a := range t.alerts {
		if a.truth < 0 {
			continue
		}
		c.n++
		if c.truths[a.truth] == 0 {
			c.groups++
		}
		c.truths[a.truth]++
		c.pred[a.pred]++
		k := [2]int{a.truth, a.pred}
		i, ok := at[k]
		if !ok {
			i = len(c.cells)
			at[k] = i
			c.cells = append(c.cells, cell{truth: a.truth, pred: a.pred})
		}
		c.cells[i].n++
	}
	return c
}

// entropy is of a partition of n alerts.
func entropy(sizes []int, n int) float64 {
	h := 0.0
	for _, s := range sizes {
		if s > 0 {
			p := float64(s) / float64(n)
			h -= p * math.Log(p)
		}
	}
	return h
}

func (g *Grouping) information(c *contingency) {
	n := float64(c.n)
	ht, hp := entropy(c.truths, c.n), entropy(c.pred, c.n)
	mi := 0.0
	for _, x := range c.cells {
		k := float64(x.n)
		mi += k / n * math.Log(k*n/(float64(c.truths[x.truth])*float64(c.pred[x.pred])))
	}
	// Rounding may lead out of what is possible.
	mi = max(0, min(mi, ht, hp))
	g.NMI, g.Homogeneity, g.Completeness = 1, 1, 1
	if ht+hp > 0 {
		g.NMI = 2 * mi / (ht + hp)
	}
	if ht > 0 {
		g.Homogeneity = mi / ht
	}
	if hp > 0 {
		g.Completeness = mi / hp
	}
	g.V = harmonic(g.Homogeneity, g.Completeness)
}

// harmonic is the harmonic mean; 0 when both are 0.
func harmonic(a, b float64) float64 {
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}

func pairsOf(n int) float64 { return float64(n) * float64(n-1) / 2 }

func (g *Grouping) pairs(c *contingency) {
	var both, inTruth, inPred float64
	for _, x := range c.cells {
		both += pairsOf(x.n)
	}
	for _, s := range c.truths {
		inTruth += pairsOf(s)
	}
	for _, s := range c.pred {
		inPred += pairsOf(s)
	}
	g.PairP, g.PairR = share(both, inPred), share(both, inTruth)
	g.PairF1 = harmonic(g.PairP, g.PairR)

	expected := 0.0
	if total := pairsOf(c.n); total > 0 {
		expected = inTruth * inPred / total
	}
	g.ARI = 1
	if most := (inTruth + inPred) / 2; most != expected {
		g.ARI = (both - expected) / (most - expected)
	}
}

// share is a part of a whole; of nothing it is 1, since none was missed.
func share(part, whole float64) float64 {
	if whole == 0 {
		return 1
	}
	return part / whole
}

func (g *Grouping) overlap(c *contingency) {
	best := make([]float64, len(c.truths))
	peer := 0.0
	for _, x := range c.cells {
		t, p := c.truths[x.truth], c.pred[x.pred]
		best[x.truth] = max(best[x.truth], float64(x.n)/float64(t+p-x.n))
		switch {
		case t == 1 && p == 1:
			peer++
		case t > 1:
			peer += float64(x.n) * float64(x.n-1) / float64(max(t, p)-1)
		default: // alone in truth, but not as predicted
		}
	}
	var exact, jaccard float64
	for i, size := range c.truths {
		if size < 2 {
			continue
		}
		g.TruthGroups2++
		jaccard += best[i]
		if best[i] == 1 {
			exact++
		}
	}
	g.Exact = share(exact, float64(g.TruthGroups2))
	g.Jaccard = share(jaccard, float64(g.TruthGroups2))
	g.Peer = share(peer, float64(c.n))
}

func (g *Grouping) noise(t *table) {
	used := make([]bool, t.preds)
	for _, a := range t.alerts {
		if a.truth >= 0 {
			used[a.pred] = true
		}
	}
	leaked := 0
	for _, a := range t.alerts {
		if a.truth >= 0 || a.dropped {
			continue
		}
		g.Noise++
		if used[a.pred] {
			leaked++
		}
	}
	if g.Noise > 0 {
		g.NoiseLeak = float64(leaked) / float64(g.Noise)
	}
	if g.Alerts > 0 {
		g.Reduction = 1 - float64(g.PredGroups)/float64(g.Alerts)
	}
}
