package learn

import "math"

// sample calls f with most of the numbers from 0 to total-1, or with all when
// there are no more: one out of each of as many stretches of equal length,
// scattered so that no regularity of the numbers is met by one of ours. It is
// the same each time.
func sample(total, most int, f func(i int)) {
	if total <= most {
		for i := range total {
			f(i)
		}
		return
	}
	for k := range most {
		from, to := stretch(k, total, most), stretch(k+1, total, most)
		f(from + int(scatter(uint64(k))%uint64(to-from)))
	}
}

func stretch(k, total, most int) int { return int(float64(total) * float64(k) / float64(most)) }

// scatter is the finaliser of SplitMix64.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// triangle is the i-th pair of different numbers: 0,1 0,2 1,2 0,3 and so on.
func triangle(i int) (x, y int) {
	y = int((1 + math.Sqrt(1+8*float64(i))) / 2)
	for y*(y-1)/2 > i { // where the root was rounded up
		y--
	}
	for (y+1)*y/2 <= i {
		y++
	}
	return i - y*(y-1)/2, y
}
