package correlate

import (
	"math"
	"time"

	"tocsin/ingest"
)

// Lesson is what one firing of an alert taught, judged a while after it began:
// whether something else began near it at about the same time. Lessons of the
// last [History] are part of the engine's state.
type Lesson struct {
	// Revision is the engine's record number.
	Revision    int64              `json:"revision"`
	At          time.Time          `json:"at"`
	Fingerprint ingest.Fingerprint `json:"fingerprint"`
	// Began is when the alert began to fire.
	Began time.Time `json:"began"`
	// CI is what it was bound to; empty when unbound.
	CI string `json:"ci,omitempty"`
	// Again says that it fired again within its incident: that is no news of
	// its neighbourhood.
	Again bool `json:"again,omitempty"`
	// Together says that another alert began near it within [Company] of it,
	// Chance, in thousandths, how likely that was by chance.
	Together bool  `json:"together,omitempty"`
	Chance   int64 `json:"chance,omitempty"`
}

const (
	// Company is how far apart two alerts may begin and still keep each other
	// company, and how long after its beginning an alert is judged.
	Company = 10 * time.Minute
	// History is how long a lesson matters to the engine.
	History = 7 * 24 * time.Hour
)

// judgeLater has an alert that begins to fire judged when it is known what else
// began. When that is follows from the alert's record, as does whether it is
// still to be done after a restart.
func (e *Engine) judgeLater(a *alert) {
	e.timers.push(timer{due: judgeAt(a), kind: timerJudge, key: uint64(a.fp)})
}

func judgeAt(a *alert) int64 { return a.firstSeen + Company.Microseconds() }

// judge learns from one firing of an alert.
func (e *Engine) judge(a *alert) {
	l := Lesson{At: timeOf(e.now), Fingerprint: a.fp, Began: timeOf(a.firstSeen), Again: a.again(),
		Together: e.inCompany(a), Chance: e.chanceOfCompany(a)}
	if a.ci != unbound {
		l.CI = e.estate.At(a.ci).ID
	}
	e.revision++
	l.Revision = e.revision
	e.out.Lessons = append(e.out.Lessons, l)
	e.remember(&l, a.ci)
	if !l.Again {
		if h := e.learnOf(a); h != nil {
			h.addJudged(l.Together, l.Chance)
		}
	}
	e.review(a)
}

// remember folds a lesson into what the engine knows of the past.
func (e *Engine) remember(l *Lesson, ci int32) {
	if !l.Again && ci != unbound {
		e.traffic.add(ci, micros(l.Began))
	}
	e.pasts.add(l)
	// Dropping what is too old to matter changes no decision, so it needs no
	// timer.
	if n := bucketOf(e.now); n != e.swept {
		e.swept = n
		e.traffic.sweep(e.now)
		e.pasts.sweep(e.now)
	}
}

// inCompany says whether another alert began near this one, within [Company] of
// it. It looks at where incidents are seen, so alerts that are kept out of
// incidents are no company.
func (e *Engine) inCompany(a *alert) bool {
	found := false
	e.eachNear(a, func(p *presence, _ int32, _ float64) bool {
		found = p.othersNear(a, Company.Microseconds())
		return !found
	})
	return found
}

// othersNear says whether another alert than a began here within span of it.
// Only the first and the last of the incident here are looked at: they do not
// depend on the order of its alerts, and there may be thousands.
func (p *presence) othersNear(a *alert, span int64) bool {
	within := func(began int64) bool { return max(began-a.onset(), a.onset()-began) <= span }
	if a.incident != p.inc || p.key.ci != a.ci && p.key.ci != unbound { // it is not here itself
		return within(p.first) || within(p.last)
	}
	switch {
	case len(p.members) == 1:
		return false
	case p.first == a.began && p.last == a.began:
		return within(a.began)
	default:
		return p.first != a.began && within(p.first) || p.last != a.began && within(p.last)
	}
}

// chanceOfCompany is how likely it is, in thousandths, that something begins
// near an alert within [Company] of it for no reason, from what began there in
// the hours before.
func (e *Engine) chanceOfCompany(a *alert) int64 {
	expected := e.trafficNear(a) * 2 * Company.Seconds()
	return int64(math.Round(1000 * (1 - math.Exp(-expected))))
}

const (
	bucketSpan = 30 * time.Minute
	// The half hours looked at: an incident of now must not make its own
	// neighbourhood look busy, so the newest two are left out.
	bucketsRecent = 2
	bucketsPast   = 6
)

// traffic counts what began on each CI, by half hours.
type traffic map[int32]*buckets

type buckets struct {
	newest int64 // number of the half hour that counts[0] is of
	counts [bucketsRecent + bucketsPast]uint16
}

func bucketOf(at int64) int64 { return at / bucketSpan.Microseconds() }

func (t traffic) add(ci int32, at int64) {
	n := bucketOf(at)
	b := t[ci]
	if b == nil {
		b = &buckets{newest: n}
		t[ci] = b
	}
	if step := n - b.newest; step > 0 {
		var counts [len(b.counts)]uint16
		if step < int64(len(counts)) {
			copy(counts[step:], b.counts[:])
		}
		b.counts, b.newest = counts, n
	}
	if i := b.newest - n; i < int64(len(b.counts)) && b.counts[i] < math.MaxUint16 {
		b.counts[i]++
	}
}

// past is how many alerts began on a CI in the half hours looked at.
func (t traffic) past(ci int32, now int64) int {
	b := t[ci]
	if b == nil {
		return 0
	}
	sum := 0
	age := bucketOf(now) - b.newest
	for i, n := range b.counts {
		if at := age + int64(i); at >= bucketsRecent && at < bucketsRecent+bucketsPast {
			sum += int(n)
		}
	}
	return sum
}

// sweep drops CIs of which nothing is left to count.
func (t traffic) sweep(now int64) {
	for ci, b := range t {
		if bucketOf(now)-b.newest >= int64(len(b.counts)) {
			delete(t, ci)
		}
	}
}

// trafficNear is how many alerts a second began lately near an alert, each
// counted as strongly as its CI is tied to the alert's. It is 0 for an alert
// that is bound to no CI.
func (e *Engine) trafficNear(a *alert) float64 {
	if a.ci == unbound || len(e.traffic) == 0 {
		return 0
	}
	sum := 0.0
	near := e.estate.around(a.ci)
	for i := range near {
		// A CI reached in two ways is in the list twice, the stronger first.
		if near[i].again {
			continue
		}
		sum += near[i].strength * float64(e.traffic.past(near[i].ci, e.now))
	}
	return sum / (bucketsPast * bucketSpan.Seconds())
}

// learnDelay counts how long after an incident's first alert another joins it.
// With the second alert, the delay of the first is known too: none.
func (e *Engine) learnDelay(a *alert, inc *incident) {
	if len(inc.members) == 1 {
		if h := e.learnOf(inc.members[0]); h != nil {
			h.addDelay(0)
		}
	}
	if h := e.learnOf(a); h != nil {
		h.addDelay(a.began - inc.first().began)
	}
}

// learnRefused counts the delay of an alert that would have joined an incident
// but for its delay: what is usual must not prove itself by turning away all
// that is not.
func (e *Engine) learnRefused(a *alert, cands []candidate) {
	var best *candidate
	without := func(c *candidate) int { return c.score() - c.points[evDelay] }
	for i := range cands {
		if c := &cands[i]; without(c) >= e.cfg.Threshold && (best == nil || without(c) > without(best)) {
			best = c
		}
	}
	if best == nil {
		return
	}
	if h := e.learnOf(a); h != nil {
		h.addDelay(a.began - best.place.inc.first().began)
	}
}
