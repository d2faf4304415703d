package learn

import (
	"math"
	"testing"
)

func TestSignTest(t *testing.T) {
	f := func(better, worse int, want float64) {
		t.Helper()
		if got := SignTest(better, worse); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%d better, %d worse: p is %g, want %g", better, worse, got, want)
		}
	}
	f(0, 0, 1)
	f(0, 3, 1)
	f(1, 0, 0.5)
	f(5, 0, 1./32)
	f(6, 1, 8./128)
	f(8, 2, 56./1024)
	f(9, 3, 299./4096)
	f(5, 5, 638./1024)
	f(100, 0, math.Pow(2, -100))
	if p := SignTest(100_000, 100_000); p < 0.5 || p > 0.51 {
		t.Errorf("as many better as worse, p is %g, want little more than a half", p)
	}
}
