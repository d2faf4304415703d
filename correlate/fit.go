package correlate

import (
	"cmp"
	"math"
	"slices"
)

// fits says how well the failure of one CI or another explains an incident.
type fits struct {
	// ln is, for each of its culprits, the mean of ln P(alert | CI failed) over
	// the incident's pairs of CI and alert name, in thousandths. The first of
	// them count most: what comes late may have come of what came before.
	ln map[int32]int64
	// strength is how many pairs count as independent of each other, see
	// [incident.strength].
	strength int64
}

const (
	// seenByChance is how likely an alert is where nothing that failed is seen.
	seenByChance = 0.02
	// maxFitted bounds the pairs looked at, the first ones.
	maxFitted = 64
	// strongFitting is the most pairs that count as independent.
	strongFitting = 3
	// billion is the unit of likelihoods, which are added up and so have to be
	// integers.
	billion = 1_000_000_000
)

// lnByChance is 1000·ln of it.
var lnByChance = int64(math.Round(1000 * math.Log(seenByChance)))

// strength is how many of an incident's pairs of CI and alert name count as
// independent of each other; 0 when none of its alerts has a CI.
func (inc *incident) strength() int64 { return int64(min(len(inc.pairs), strongFitting)) }

// fitsOf computes how well CIs explain what an incident is so far.
func (e *Engine) fitsOf(inc *incident) fits {
	first := make(map[pair]int64, len(inc.pairs))
	for _, a := range inc.members {
		if a.ci == unbound {
			continue
		}
		p := pair{a.ci, a.name}
		if at, ok := first[p]; !ok || a.began < at {
			first[p] = a.began
		}
	}
	pairs := make([]pair, 0, len(first))
	for p := range first {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(first[a], first[b]), cmp.Compare(a.ci, b.ci), cmp.Compare(a.name, b.name))
	})
	pairs = pairs[:min(len(pairs), maxFitted)]
	f := fits{ln: map[int32]int64{}, strength: inc.strength()}
	total := int64(0)
	for i, p := range pairs {
		w := 1000 / int64(1+i)
		total += w
		for _, x := range e.estate.culprits(p.ci).list {
			ln := int64(math.Round(1000 * math.Log(seenByChance+(1-seenByChance)*x.p)))
			f.ln[x.ci] += w * (ln - lnByChance) // those of whom it is no culprit add nothing
		}
	}
	for ci, sum := range f.ln {
		f.ln[ci] = sum/total + lnByChance
	}
	return f
}

// fit is the likelihood of the incident's alerts if what has this mean failed,
// in billionths.
func (f *fits) fit(ln int64) int64 {
	return int64(math.Round(billion * math.Exp(float64(f.strength*ln)/1000)))
}

// sum is that over all CIs of the estate: at which of them an incident began
// that came of itself is not known.
func (f *fits) sum(cis int) int64 {
	sum := int64(cis-len(f.ln)) * f.fit(lnByChance)
	for _, ln := range f.ln {
		sum += f.fit(ln)
	}
	return sum
}
