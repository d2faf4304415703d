package learn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTriangle(t *testing.T) {
	i := 0
	for y := 1; y < 300; y++ {
		for x := range y {
			if a, b := triangle(i); a != x || b != y {
				t.Fatalf("pair %d is %d,%d, want %d,%d", i, a, b, x, y)
			}
			i++
		}
	}
	const n = 3_000_000_000 // the last pair of as many alerts
	if a, b := triangle(n*(n-1)/2 - 1); a != n-2 || b != n-1 {
		t.Errorf("the last pair is %d,%d, want %d,%d", a, b, n-2, n-1)
	}
}

// A sample has as many as it may, each once, in order, from everywhere, and is
// the same each time.
func TestSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 1<<40).Draw(t, "total")
		most := rapid.IntRange(1, 2000).Draw(t, "most")
		if rapid.Bool().Draw(t, "few") {
			total %= 3000
		}
		take := func() (out []int) {
			sample(total, most, func(i int) { out = append(out, i) })
			return out
		}
		got := take()
		if len(got) != min(total, most) {
			t.Fatalf("%d of %d, at most %d", len(got), total, most)
		}
		widest := int(math.Ceil(float64(total)/float64(most))) + 1
		last := -1
		for _, i := range got {
			if i <= last || i-last > 2*widest || i >= total {
				t.Fatalf("%d after %d, of %d", i, last, total)
			}
			last = i
		}
		if again := take(); !slices.Equal(got, again) {
			t.Fatal("it is another sample the second time")
		}
	})
}

// Small cases keep all their pairs when a large one must not.
func TestBudget(t *testing.T) {
	f := func(want int, sizes ...int) {
		t.Helper()
		e := newEvidence()
		for _, n := range sizes {
			e.Cases = append(e.Cases, Case{alerts: make([]int32, n)})
		}
		if got := e.budget(); got != want {
			t.Errorf("%s: got %d pairs a case, want %d", fmt.Sprint(sizes), got, want)
		}
	}
	f(maxPairs/3-45, 10, 100_000)
	f(maxPairs/3, 10, 50)
	f((maxPairs/3-45)/2, 10, 1000, 1000)
	f(12, slices.Repeat([]int{100}, 100_000)...)
}
