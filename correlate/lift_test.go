package correlate

import (
	"math"
	"testing"
	"time"
)

// Worked by hand: 10 of 100 changes were followed within an hour, where 30
// incidents began in 720 hours.
//
//	share     .1, and by Wilson with z² = 3.8416:
//	          (.1 + .019208 ± 1.96·√(.0009 + .00009604)) / 1.038416 = .0552 … .1744
//	base      1 − exp(−30/720) = .04081
//	lift      .1/.04081 = 2.4504
//	spread    exp(1.96·√(.9/10 + 1/30)) = exp(.68833) = 1.9903
//	interval  1.2311 … 4.8771
func TestChangeLift(t *testing.T) {
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 0.0001 {
			t.Errorf("%s: %.5f, want %.4f", name, got, want)
		}
	}
	l, ok := ChangeLift(100, 10, time.Hour, 30, 720*time.Hour)
	if !ok {
		t.Fatal("too small, it says")
	}
	near("share", l.Share, 0.1)
	near("share_low", l.ShareLow, 0.0552)
	near("share_high", l.ShareHigh, 0.1744)
	near("base", l.Base, 0.0408)
	near("lift", l.Lift, 2.4504)
	near("low", l.Low, 1.2311)
	near("high", l.High, 4.8771)
	if !l.Effect() {
		t.Error("the interval excludes 1, and yet there is no effect")
	}
	// Half as many followed: 1.2252, spread exp(1.96·√(.95/5 + 1/30)) = 2.5249.
	if l, ok = ChangeLift(100, 5, time.Hour, 30, 720*time.Hour); !ok || l.Effect() {
		t.Errorf("%+v, %v: want no effect", l, ok)
	}
	near("low", l.Low, 0.4853)
	near("high", l.High, 3.0936)
}

func TestChangeLiftOfLittleIsNotSaid(t *testing.T) {
	type sample struct {
		changes, followed int
		within            time.Duration
		incidents         int
		span              time.Duration
	}
	good := sample{20, 5, time.Hour, 5, 20 * time.Hour}
	for name, s := range map[string]sample{
		"":                           good,
		"19 changes":                 {19, 5, time.Hour, 5, 20 * time.Hour},
		"4 followed":                 {20, 4, time.Hour, 5, 20 * time.Hour},
		"4 incidents":                {20, 5, time.Hour, 4, 20 * time.Hour},
		"watched for a short time":   {20, 5, time.Hour, 5, 20*time.Hour - 1},
		"nothing looked at":          {20, 5, 0, 5, 20 * time.Hour},
		"more followed than changes": {20, 21, time.Hour, 30, 20 * time.Hour},
	} {
		if _, ok := ChangeLift(s.changes, s.followed, s.within, s.incidents, s.span); ok != (s == good) {
			t.Errorf("%q: said %v", name, ok)
		}
	}
}

func TestWilson(t *testing.T) {
	for _, c := range []struct{ k, n, low, high float64 }{
		{0, 0, 0, 1}, // nothing is known
		{0, 20, 0, 0.1611},
		{20, 20, 0.8389, 1},
		{5, 20, 0.1119, 0.4687},
	} {
		low, high := Wilson(c.k, c.n)
		if math.Abs(low-c.low) > 0.0001 || math.Abs(high-c.high) > 0.0001 {
			t.Errorf("%g of %g: %.4f to %.4f, want %.4f to %.4f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}
