package correlate

import (
	"math"
	"sort"
	"strconv"
	"time"
)

// Habit is what the past taught about one kind of alert, which is an alert name
// on one class of CI: whether it comes in company or alone, and how long after
// the beginning of its incident. Numbers are halved when they grow large, so
// that the recent past counts more.
type Habit struct {
	Class string `json:"class,omitempty"` // of the CI; empty for alerts without one
	Name  string `json:"name"`
	// Judged counts the onsets looked at, Together those near which something
	// else began at about the same time, and Chance, in thousandths, how many
	// of them would have had such company by chance.
	Judged   int64 `json:"judged"`
	Together int64 `json:"together"`
	Chance   int64 `json:"chance"`
	// Delays is a histogram, in tenths of an onset: how long after its
	// incident's first alert one of this kind began. Its bins are those
	// of delayBounds. Delayed is how many onsets are in it.
	Delays  []int64 `json:"delays,omitempty"`
	Delayed int64   `json:"delayed,omitempty"`
}

// delayBounds are where the bins of [Habit.Delays] begin, in seconds; the last
// has no end.
//
// Rules of alerting wait for a minute, five or ten before they fire: half a
// minute tells them apart where that matters most.
var delayBounds = func() []int64 {
	b := []int64{0, 15}
	for s := int64(30); s <= 480; s += 30 {
		b = append(b, s)
	}
	for s := int64(540); s <= 960; s += 60 {
		b = append(b, s)
	}
	return append(b, 1080, 1200, 1440, 1800, 2400)
}()

// delayPrior is the share of each bin while nothing is known of a kind: a
// density falling as 1/(a minute + delay), up to an hour and twenty minutes.
var delayPrior = func() []float64 {
	p := make([]float64, len(delayBounds))
	sum := 0.0
	for i, lo := range delayBounds {
		hi := int64(4800)
		if i+1 < len(delayBounds) {
			hi = delayBounds[i+1]
		}
		p[i] = math.Log(float64(60+hi) / float64(60+lo))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}()

func delayBin(delay int64) int {
	s := max(delay, 0) / int64(time.Second/time.Microsecond)
	return sort.Search(len(delayBounds), func(i int) bool { return delayBounds[i] > s }) - 1
}

const (
	// What nothing is known of counts as companyPrior onsets seen, half of
	// them in company, a tenth by chance; and as delayPriorWeight delays.
	companyPrior     = 8
	delayPriorWeight = 6
	// habitsMost bounds how many kinds are learned. An estate has hundreds;
	// more means that names hold something unique, and nothing to learn.
	habitsMost = 8192
	// From here on numbers are halved.
	judgedMost  = 512
	delayedMost = 512

	companyLeast, companyMost = -110, 20
	delayLeast, delayMost     = -150, 60
)

// points says how far this kind's company goes beyond chance, as the odds of
// being part of an incident against those of a kind of which nothing is known,
// in hundredths of a natural logarithm.
func (h *Habit) companyPoints() int {
	n := float64(h.Judged + companyPrior)
	seen := (float64(h.Together) + companyPrior/2) / n
	chance := (float64(h.Chance)/1000 + companyPrior/10.) / n
	odds := max(seen-chance, 0.02) / (1 - min(seen, 0.98))
	const unknown = (0.5 - 0.1) / (1 - 0.5)
	return clamp(100*math.Log(odds/unknown), companyLeast, companyMost)
}

// delayPoints says how usual a delay is for this kind, as the likelihood
// against that of a kind of which nothing is known.
func (h *Habit) delayPoints(delay int64) int {
	if h.Delayed == 0 {
		return 0
	}
	b := delayBin(delay)
	p := (float64(h.Delays[b])/10 + delayPriorWeight*delayPrior[b]) / float64(h.Delayed+delayPriorWeight)
	return clamp(100*math.Log(p/delayPrior[b]), delayLeast, delayMost)
}

// usualDelay is the delay of half of the onsets of this kind.
func (h *Habit) usualDelay() time.Duration {
	sum := int64(0)
	for _, n := range h.Delays {
		sum += n
	}
	part := int64(0)
	for i, n := range h.Delays {
		if part += n; 2*part >= sum {
			return time.Duration(delayBounds[i]) * time.Second
		}
	}
	return 0
}

// addDelay counts a delay, spread over the bins beside its own.
func (h *Habit) addDelay(delay int64) {
	if h.Delays == nil {
		h.Delays = make([]int64, len(delayBounds))
	}
	b := delayBin(delay)
	for i, tenths := range [...]int64{1, 2, 4, 2, 1} {
		h.Delays[min(max(b+i-2, 0), len(h.Delays)-1)] += tenths
	}
	if h.Delayed++; h.Delayed >= delayedMost {
		h.Delayed /= 2
		for i := range h.Delays {
			h.Delays[i] /= 2
		}
	}
}

// addJudged counts an onset that was looked at.
func (h *Habit) addJudged(together bool, chance int64) {
	h.Judged++
	if together {
		h.Together++
	}
	h.Chance += chance
	if h.Judged >= judgedMost {
		h.Judged, h.Together, h.Chance = h.Judged/2, h.Together/2, h.Chance/2
	}
}

func clamp(points float64, least, most int) int {
	return int(math.Round(min(max(points, float64(least)), float64(most))))
}

const habitKind = "habit"

func (h *Habit) memory() (kind, key string) {
	return habitKind, strconv.FormatUint(kindKey(h.Class, h.Name), 16)
}

// habitOf finds what is known of an alert's kind; nil when that is nothing.
func (e *Engine) habitOf(a *alert) *Habit { return e.habits[e.kindOf(a)] }

func kindKey(class, name string) uint64 { return hash(class) ^ uint64(short(hash(name))) }

func (e *Engine) kindOf(a *alert) uint64 { return hash(e.classOf(a)) ^ uint64(a.name) }

func (e *Engine) classOf(a *alert) string {
	if a.ci == unbound {
		return ""
	}
	return e.estate.At(a.ci).Class
}

// learnOf is habitOf for something new about the kind, which is stored at the
// end of the tick; nil when there are too many kinds.
func (e *Engine) learnOf(a *alert) *Habit {
	k := e.kindOf(a)
	h := e.habits[k]
	if h == nil {
		if len(e.habits) >= habitsMost {
			return nil
		}
		h = &Habit{Class: e.classOf(a), Name: e.view(a).labels.Get("alertname")}
		e.habits[k] = h
	}
	e.memorise(h)
	return h
}
