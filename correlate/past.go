package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tocsin/ingest"
)

// past is the last firings of one alert, newest first.
type past struct {
	n        int
	began    [pastKept]int64 // microseconds
	together [pastKept]bool
	chance   [pastKept]uint16 // thousandths
}

const (
	pastKept = 8
	// pastsMost bounds how many alerts are remembered.
	pastsMost = 1 << 20
	// lonelyMost is the share of firings in company, beyond what chance gives,
	// up to which an alert is said to fire alone.
	lonelyMost = 0.2
	// regularWithin is how far each interval may be from their mean, as a
	// share of it, for an alert to be periodic.
	regularWithin = 0.1
	// periodLeast is the shortest period that is one: what comes more often is
	// chronic or flaps.
	periodLeast = 20 * time.Minute
)

type pasts map[ingest.Fingerprint]*past

func (ps pasts) add(l *Lesson) {
	p := ps[l.Fingerprint]
	if p == nil {
		if len(ps) >= pastsMost {
			return
		}
		p = &past{}
		ps[l.Fingerprint] = p
	}
	copy(p.began[1:], p.began[:])
	copy(p.together[1:], p.together[:])
	copy(p.chance[1:], p.chance[:])
	p.began[0], p.together[0], p.chance[0] = micros(l.Began), l.Together, uint16(l.Chance)
	p.n = min(p.n+1, pastKept)
}

// sweep drops alerts that did not fire within [History].
func (ps pasts) sweep(now int64) {
	for fp, p := range ps {
		if p.began[0] < now-History.Microseconds() {
			delete(ps, fp)
		}
	}
}

// alone says how many of the last k firings were in company beyond chance, as
// a share, and whether that is little enough to say that it fires alone.
func (p *past) alone(k int) bool {
	sum := 0.0
	for i := range k {
		if p.together[i] {
			sum++
		}
		sum -= float64(p.chance[i]) / 1000
	}
	return sum <= lonelyMost*float64(k)
}

// within counts the firings since a time.
func (p *past) within(since int64) int {
	k := 0
	for k < p.n && p.began[k] >= since {
		k++
	}
	return k
}

// period is the mean interval of the last k firings and that from the newest
// of them to now, 0 when they are not regular.
func (p *past) period(k int, now int64) time.Duration {
	mean := (now - p.began[k-1]) / int64(k)
	if mean < periodLeast.Microseconds() {
		return 0
	}
	later := now
	for _, at := range p.began[:k] {
		if off := later - at - mean; float64(max(off, -off)) > regularWithin*float64(mean) {
			return 0
		}
		later = at
	}
	return time.Duration(mean) * time.Microsecond
}

// Noise is what an alert's own past says of it.
type Noise struct {
	Fingerprint ingest.Fingerprint `json:"fingerprint"`
	// Kind is "chronic" or "periodic".
	Kind string `json:"kind"`
	// Firings is how many there were Within a time, none of them in company
	// beyond chance. Period is the time between them, if they are regular.
	Firings int           `json:"firings"`
	Within  time.Duration `json:"within_ns"`
	Period  time.Duration `json:"period_ns,omitempty"`
	// Last is when it began to fire last.
	Last time.Time `json:"last"`
}

func (n *Noise) String() string {
	text := fmt.Sprintf("%s: %d firings alone within %s", n.Kind, n.Firings, roundGap(n.Within))
	if n.Period > 0 {
		text += ", one each " + roundGap(n.Period)
	}
	return text
}

// noiseOf says whether an alert that begins to fire at a time is noise by its
// own past: it fires again and again, or at regular intervals, and nothing else
// ever begins with it.
func (e *Engine) noiseOf(fp ingest.Fingerprint, at int64) (Noise, bool) {
	p := e.pasts[fp]
	if p == nil {
		return Noise{}, false
	}
	cfg := &e.cfg.Noise
	if k := min(cfg.Periodic, pastKept); k > 0 && p.within(at-History.Microseconds()) >= k && p.alone(k) {
		if period := p.period(k, at); period > 0 {
			return Noise{Fingerprint: fp, Kind: suppressedPeriodic.String(), Firings: k,
				Within: time.Duration(at-p.began[k-1]) * time.Microsecond, Period: period, Last: timeOf(p.began[0])}, true
		}
	}
	window := time.Duration(cfg.Window)
	if k := min(p.within(at-window.Microseconds()), pastKept); cfg.Chronic > 0 && k >= cfg.Chronic && p.alone(k) {
		return Noise{Fingerprint: fp, Kind: suppressedChronic.String(), Firings: k, Within: window, Last: timeOf(p.began[0])}, true
	}
	return Noise{}, false
}

// Noise lists the alerts that are noise by their own past as of the newest tick:
// those that would stay out of incidents if they fired once more, and those that
// do. The chronic come first, then by firings and fingerprint.
func (e *Engine) Noise() []Noise {
	var out []Noise
	for fp, p := range e.pasts {
		// A periodic alert is one when it comes at its time, so it is asked
		// for as of its last firing.
		n, ok := e.noiseOf(fp, e.now)
		if !ok && p.n > 1 {
			n, ok = e.periodicAt(fp, p)
		}
		if ok {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b Noise) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Firings, a.Firings), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}

// periodicAt says whether an alert was periodic when it last began to fire.
func (e *Engine) periodicAt(fp ingest.Fingerprint, p *past) (Noise, bool) {
	before := *p
	copy(before.began[:], p.began[1:])
	copy(before.together[:], p.together[1:])
	copy(before.chance[:], p.chance[1:])
	before.n--
	k := e.cfg.Noise.Periodic
	if k == 0 || before.n < k || !before.alone(k) || p.began[0] < e.now-History.Microseconds() {
		return Noise{}, false
	}
	period := before.period(k, p.began[0])
	return Noise{Fingerprint: fp, Kind: suppressedPeriodic.String(), Firings: k + 1, Within: time.Duration(p.began[0]-before.began[k-1]) * time.Microsecond,
		Period: period, Last: timeOf(p.began[0])}, period > 0
}
