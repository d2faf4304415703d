package correlate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tocsin/ingest"
)

// Model is the version of the scoring, kept with every piece of evidence.
const Model = "adaptive-1"

// Points. A score is a log-likelihood in hundredths, so that its parts add up.
// Topology and time are the plain relation-aware correlation: strength of the
// path times exponential decay in time. With nothing else known, in a quiet
// estate and at the threshold of 100, an alert on the same CI joins up to 13
// minutes after the last one there, one three dependencies away up to eight,
// and one across a lateral link up to five. What the past taught adds to that
// or takes away; it never leads further than the neighbourhood, which depends
// on the estate alone.
const (
	topologyBase     = 205 // same CI; less 100·ln(1/strength) along a path
	subjectStrength  = 0.9 // same first subject, no CI known
	laterStrength    = 0.8 // same further subject, such as the service of two hosts
	secondsPerPoint  = 6   // of the gap in time
	labelPoints      = 30  // all labels shared
	templatePoints   = 15  // same name and same text but for numbers
	namePoints       = 8   // same name
	elsewherePoints  = -60 // environment or cluster differ; only without topology
	maxRunnersUp     = 5
	commonSubjectMin = 30 // firing alerts from which on a subject can be too common

	// A coincidence is worth less the more of them chance makes: 50·ln of the
	// alerts expected near within the gap (at least surpriseGap), against
	// surpriseUsual of them.
	surprisePoints              = 50
	surpriseUsual               = 0.1
	surpriseNone                = 0.05 // expected even where nothing ever happened
	surpriseGap                 = 10 * time.Second
	surpriseLeast, surpriseMost = -100, 30
)

// The kinds of evidence, as they are named in [Part.Kind] and in [Weights].
const (
	evTopology = iota
	evTime
	evSurprise
	evCompany
	evDelay
	evLabels
	evText
	evChange
	evKinds
)

var evidenceNames = [evKinds]string{"topology", "time", "surprise", "company", "delay", "labels", "text", "change"}

// EvidenceKinds are the kinds of evidence that a score is the sum of.
func EvidenceKinds() []string { return slices.Clone(evidenceNames[:]) }

// candidate is an incident that an alert may join, at its best presence.
type candidate struct {
	place    *presence
	near     []neighbour // neighbourhood of the alert's CI, nil for a subject
	at       int32       // place of the presence's CI in near
	strength float64
	gap      int64
	points   [evKinds]int
	// expected is how many alerts chance brings within the gap.
	expected float64
	// change is one that explains the alert and the presence, nil for none.
	change *change
	// elsewhere says that environment or cluster differ and no path is known.
	elsewhere bool
	// rule says that they must be linked, keptApart that they must not.
	rule, keptApart string
}

func (c *candidate) score() int {
	sum := 0
	for _, p := range c.points {
		sum += p
	}
	return sum
}

func (c *candidate) base() int { return c.points[evTopology] + c.points[evTime] }

// before orders candidates: best first; of equals the older incident, so that
// the answer depends on no list's order.
func (c *candidate) before(d *candidate) int {
	return cmp.Or(
		cmp.Compare(c.keptApart, d.keptApart), // none first
		-cmp.Compare(c.rule, d.rule),          // some first
		cmp.Compare(d.score(), c.score()),
		cmp.Compare(micros(c.place.inc.rec.OpenedAt), micros(d.place.inc.rec.OpenedAt)),
		cmp.Compare(c.place.inc.rec.ID, d.place.inc.rec.ID),
	)
}

// weigh is a number of points at the weight of their kind.
func (e *Engine) weigh(kind, points int) int { return points * e.weight[kind] / 100 }

func (e *Engine) topologyPoints(strength float64) int {
	return topologyBase + e.weigh(evTopology, int(math.Round(100*math.Log(strength))))
}

func (e *Engine) timePoints(gapMicros int64) int {
	return -e.weigh(evTime, int(min(gapMicros/(secondsPerPoint*int64(time.Second/time.Microsecond)), 1_000_000)))
}

// eachNear calls f for each presence near an alert: on its CI, on those around
// it, on the other neighbours of a hub, or about the same subject. at is the
// place of the presence's CI in the alert's neighbourhood, or -1. It stops when
// f returns false.
func (e *Engine) eachNear(a *alert, f func(p *presence, at int32, strength float64) bool) {
	if a.ci != unbound {
		near := e.estate.around(a.ci)
		if e.weight[evTopology] == 0 {
			near = near[:1] // the CI itself
		}
		for i := range near {
			for p := e.places.cis[near[i].ci]; p != nil; p = p.next {
				if !f(p, int32(i), near[i].strength) {
					return
				}
			}
		}
		if e.weight[evTopology] > 0 {
			for _, p := range e.places.hubs[a.ci] {
				// The neighbours of a hub are not listed; the path is one hop.
				if !f(p, -1, e.estate.hopStrength(a.ci, p.key.ci)) {
					return
				}
			}
		}
	}
	strength := subjectStrength
	for _, s := range e.view(a).subjects {
		if e.tooCommon(s) {
			continue
		}
		for p := e.places.subjects[s]; p != nil; p = p.next {
			if !f(p, -1, strength) {
				return
			}
		}
		strength = laterStrength
	}
}

// candidates scores all incidents near an alert, best first. Incidents whose
// topology and time leave nothing to add to are left out.
func (e *Engine) candidates(a *alert) []candidate {
	best := e.best[:0]
	var near []neighbour
	if a.ci != unbound {
		near = e.estate.around(a.ci)
	}
	e.eachNear(a, func(p *presence, at int32, strength float64) bool {
		if !p.inc.rec.Status.Active() {
			return true
		}
		c := candidate{place: p, at: at, strength: strength, gap: p.gap(a.began)}
		if at >= 0 {
			c.near = near
		}
		c.points[evTopology], c.points[evTime] = e.topologyPoints(strength), e.timePoints(c.gap)
		if c.base()+labelPoints+templatePoints <= 0 {
			return true
		}
		for i := range best {
			if best[i].place.inc != p.inc {
				continue
			}
			old := &best[i]
			if c.base() > old.base() || c.base() == old.base() && less(&c, old) {
				*old = c
			}
			return true
		}
		best = append(best, c)
		return true
	})
	best = e.mustLink(best, a)
	if len(best) > 0 {
		v := e.view(a)
		e.weights = e.weights[:0]
		for _, p := range v.pairs {
			e.weights = append(e.weights, e.rarity(p))
		}
		traffic, h, near := e.trafficNear(a), e.habitOf(a), e.changesNear(a)
		for i := range best {
			e.compare(&best[i], a, v.labels)
			e.recollect(&best[i], a, h, traffic)
			best[i].keptApart = e.keptApart(a, best[i].place.inc)
			if best[i].change = e.shared(&best[i], &near); best[i].change != nil {
				best[i].points[evChange] = e.weigh(evChange, near.points())
			}
		}
		slices.SortFunc(best, func(c, d candidate) int { return c.before(&d) })
	}
	e.best = best
	return best
}

// mustLink marks the incidents that rules put an alert into, and adds those that
// nothing else speaks for.
func (e *Engine) mustLink(best []candidate, a *alert) []candidate {
	for _, l := range e.view(a).ruling.links {
		for p := e.places.subjects[l.hash]; p != nil; p = p.next {
			if !p.inc.rec.Status.Active() {
				continue
			}
			i := slices.IndexFunc(best, func(c candidate) bool { return c.place.inc == p.inc })
			if i < 0 {
				i = len(best)
				best = append(best, candidate{place: p, at: -1, gap: p.gap(a.began)})
			}
			best[i].rule = l.rule
		}
	}
	return best
}

// lostBy says why a candidate lost against the winner, nil when none won.
func (e *Engine) lostBy(c, winner *candidate) string {
	switch {
	case c.keptApart != "":
		return "kept apart by rule " + c.keptApart
	case c.score() < e.cfg.Threshold:
		return "below the threshold"
	case winner == nil:
		return "not joined"
	case winner.rule != "":
		return "rule " + winner.rule + " decided"
	case c.score() == winner.score():
		return "equal, but the other is older"
	default:
		return "scored less"
	}
}

// recollect adds the evidence of the past: how surprising it is that something
// begins here so soon, whether this kind of alert comes in company, and whether
// it usually comes so long after the beginning.
func (e *Engine) recollect(c *candidate, a *alert, h *Habit, traffic float64) {
	if c.place.key.ci != unbound {
		c.expected = traffic * max(time.Duration(c.gap)*time.Microsecond, surpriseGap).Seconds()
		c.points[evSurprise] = e.weigh(evSurprise,
			clamp(-surprisePoints*math.Log((c.expected+surpriseNone)/surpriseUsual), surpriseLeast, surpriseMost))
	}
	if h == nil {
		return
	}
	c.points[evCompany] = e.weigh(evCompany, h.companyPoints())
	c.points[evDelay] = e.weigh(evDelay, h.delayPoints(a.began-c.place.inc.first().began))
}

// less breaks ties between two presences of one incident.
func less(c, d *candidate) bool {
	return cmp.Or(
		cmp.Compare(c.place.key.ci, d.place.key.ci),
		cmp.Compare(c.place.key.subject, d.place.key.subject)) < 0
}

// tooCommon says that a third of all firing alerts have a subject, such as the
// instance of an exporter that reports on a whole cluster.
func (e *Engine) tooCommon(subject uint64) bool {
	n := int(e.subjectCount[short(subject)])
	return e.firing >= commonSubjectMin && 3*n > e.firing
}

// compare adds the evidence of labels and text, against the presence's latest
// alert. e.weights are those of the alert's labels.
func (e *Engine) compare(c *candidate, a *alert, labels ingest.Labels) {
	other := c.place.latest
	e.other = e.packer.unpack(e.other[:0], other.labels)
	shared, all := int64(0), int64(0)
	conflict := false
	eachPair(labels, e.other, func(i, j int) {
		switch {
		case j < 0:
			all += e.weights[i]
		case i < 0:
			all += e.rarity(pairOf(&e.other[j]))
		case labels[i].Value == e.other[j].Value:
			shared, all = shared+e.weights[i], all+e.weights[i]
		default:
			all += e.weights[i] + e.rarity(pairOf(&e.other[j]))
			switch labels[i].Name {
			case "environment", "env", "cluster":
				conflict = true
			}
		}
	})
	points := 0
	if all > 0 {
		points = int(labelPoints * shared / all)
	}
	if conflict && c.near == nil {
		c.elsewhere = true
		points += elsewherePoints
	}
	c.points[evLabels] = e.weigh(evLabels, points)
	switch {
	case a.name != other.name:
	case a.template == other.template:
		c.points[evText] = e.weigh(evText, templatePoints)
	default:
		c.points[evText] = e.weigh(evText, namePoints)
	}
}

// eachPair walks two label sets by name. f gets the places of a name in both,
// -1 where one does not have it.
func eachPair(x, y ingest.Labels, f func(i, j int)) {
	for i, j := 0, 0; i < len(x) || j < len(y); {
		switch {
		case j == len(y) || i < len(x) && x[i].Name < y[j].Name:
			f(i, -1)
			i++
		case i == len(x) || y[j].Name < x[i].Name:
			f(-1, j)
			j++
		default:
			f(i, j)
			i, j = i+1, j+1
		}
	}
}

// pairOf stands for a label in counts.
func pairOf(l *ingest.Label) uint32 { return short(hash(l.Name, l.Value)) }

// rarity weighs a label by how few of the firing alerts carry it, as inverse
// document frequency, in thousandths: ln(1 + alerts / alerts with the label).
func (e *Engine) rarity(pair uint32) int64 {
	n := max(e.labelCount[pair], 1)
	return int64(math.Round(1000 * math.Log(1+float64(max(e.firing, 1))/float64(n))))
}
