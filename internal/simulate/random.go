package simulate

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// source draws the random numbers of one part of the world.
type source struct{ *rand.Rand }

// newSource has a stream of its own for each name and number, so that no part
// of the world depends on how much another part draws.
func newSource(seed uint64, name string, n uint64) source {
	h := fnv.New64a()
	h.Write([]byte(name))
	return source{rand.New(rand.NewPCG(mix(seed, h.Sum64()), mix(h.Sum64(), n)))}
}

// mix folds two numbers into one that looks random.
func mix(a, b uint64) uint64 {
	x := a ^ (b+0x9e3779b97f4a7c15)*0xbf58476d1ce4e5b9
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unit makes a number from 0 up to 1 of a hash.
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// logNormal draws around a median; about two thirds lie within a factor of
// exp(sigma).
func (r source) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

// between draws from low up to high.
func (r source) between(low, high float64) float64 { return low + (high-low)*r.Float64() }

// span draws a whole number from low to high, both included.
func (r source) span(low, high int) int { return low + r.IntN(high-low+1) }

// round makes a fraction whole, up or down, so that it is right on average.
func (r source) round(x float64) int { return int(x + r.Float64()) }

// weighted draws an index; weights that are 0 are never drawn, and all of them
// must not be 0.
func (r source) weighted(n int, weight func(int) float64) int {
	total := 0.0
	for i := range n {
		total += weight(i)
	}
	x, last := r.Float64()*total, 0
	for i := range n {
		w := weight(i)
		if w <= 0 {
			continue
		}
		last = i
		if x -= w; x < 0 {
			break
		}
	}
	return last
}
