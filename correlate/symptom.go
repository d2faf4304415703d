package correlate

import "strconv"

// Symptom is what past incidents taught about one alert name: how often it
// comes when something near fails, and on which side of the failure. It is
// learned from what the engine itself took for the causes. Numbers are halved
// when they grow large.
type Symptom struct {
	Name string `json:"name"`
	// Hit counts the CIs on which it fired in an incident, each time. Exposed
	// counts, for the CIs on which it ever fired, the incidents near them.
	Hit     int64 `json:"hit"`
	Exposed int64 `json:"exposed"`
	// Where sums up, in thousandths, how likely the cause was the CI itself or
	// its workload, something that it needs, something that needs it, or none
	// of these.
	Where [positions]int64 `json:"where"`
}

const (
	// symptomsMost bounds how many names are learned.
	symptomsMost = 8192
	hitMost      = 1024 // from here on numbers are halved

	// What nothing is known of counts as so many incidents of the prior.
	hitPrior   = 5
	pairPrior  = 3
	wherePrior = 3
	// The prior of an alert without a reason near: a little, and more for what
	// has much upstream.
	strayLeast, strayUpstream, strayMost = 0.02, 0.05, 0.5
	// The least and most likely background: nothing is impossible or certain.
	backgroundLeast, backgroundMost = 0.005, 0.9
	liftMost                        = 3
	seenMost                        = 0.95
)

const symptomKind = "symptom"

func (s *Symptom) memory() (kind, key string) {
	return symptomKind, strconv.FormatUint(uint64(s.key()), 16)
}

func (s *Symptom) key() uint32 { return short(hash(s.Name)) }

// background is how likely an alert is on a CI when something else near it has
// failed. Symptoms that come with every incident say little about its cause.
func (e *Engine) background(ci int32, name uint32) float64 {
	b := min(strayLeast+strayUpstream*e.estate.culprits(ci).upstream, strayMost)
	if s := e.symptoms[name]; s != nil {
		b = (float64(s.Hit) + hitPrior*b) / float64(s.Exposed+hitPrior)
	}
	if s := e.sites[e.estate.At(ci).ID]; s != nil {
		b = (float64(s.count(name)) + pairPrior*b) / float64(s.Near+pairPrior)
	}
	return min(max(b, backgroundLeast), backgroundMost)
}

// lifts says by what factor a name comes more, or less, often than others from
// each side.
func (e *Engine) lifts(name uint32) [allPositions]float64 {
	lifts := [allPositions]float64{1, 1, 1, 1, 1, 1}
	s := e.symptoms[name]
	if s == nil {
		return lifts
	}
	all, own := 0.0, 0.0
	for pos, w := range e.where {
		all += float64(w) / 1000
		own += float64(s.Where[pos]) / 1000
	}
	for pos := range positions {
		base := (float64(e.where[pos])/1000 + 2) / (all + 2*float64(positions))
		lifts[pos] = min((float64(s.Where[pos])/1000+wherePrior*base)/(own+wherePrior)/base, liftMost)
	}
	return lifts
}

// symptom finds what is known of a name, or begins to learn it; nil when there
// are too many.
func (e *Engine) symptom(name uint32, text func() string) *Symptom {
	s := e.symptoms[name]
	if s == nil && len(e.symptoms) < symptomsMost {
		s = &Symptom{Name: text()}
		e.symptoms[name] = s
	}
	return s
}

// cameFrom adds to where the causes of a symptom were.
func (e *Engine) cameFrom(s *Symptom, where [positions]int64) {
	for pos, w := range where {
		s.Where[pos] += w
		e.where[pos] += w
	}
}

func (e *Engine) halveSymptom(s *Symptom) {
	s.Hit, s.Exposed = s.Hit/2, s.Exposed/2
	for pos := range s.Where {
		half := s.Where[pos] / 2
		e.where[pos] -= s.Where[pos] - half
		s.Where[pos] = half
	}
}

func (e *Engine) restoreSymptom(s *Symptom) {
	e.symptoms[s.key()] = s
	for pos, w := range s.Where {
		e.where[pos] += w
	}
}
