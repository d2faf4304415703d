package ingest

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFlappingHasHysteresis(t *testing.T) {
	fl := Flapping{Window: 10 * time.Minute, Start: 4, Stop: 1}
	var recent []time.Time
	flapping := false
	f := func(at int, wantRecent int, want bool) {
		t.Helper()
		if recent, flapping = fl.Record(recent, minutes(at), flapping); flapping != want || len(recent) != wantRecent {
			t.Fatalf("minute %d: %d recent changes, flapping %t; want %d, %t", at, len(recent), flapping, wantRecent, want)
		}
	}
	f(0, 1, false)
	f(1, 2, false)
	f(2, 3, false)
	f(3, 4, true)
	if got, want := fl.Ends(recent), minutes(2+10); !got.Equal(want) {
		t.Errorf("it ends at %v, want %v: then one change is left", got, want)
	}
	f(10, 4, true) // the change of minute 0 is ten minutes old and is forgotten
	f(12, 3, true) // fewer than Start, more than Stop: goes on
	f(22, 1, false)
	f(23, 2, false) // fewer than Start: does not begin again
	if got := fl.Ends(nil); !got.IsZero() {
		t.Errorf("without changes it ends at %v", got)
	}
}

func TestFlappingOff(t *testing.T) {
	recent, flapping := Flapping{Start: 1}.Record([]time.Time{judgedAt}, judgedAt, true)
	if recent != nil || flapping {
		t.Errorf("switched off: %v, %t", recent, flapping)
	}
}

func TestFlappingLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stop := rapid.IntRange(0, 4).Draw(t, "stop")
		fl := Flapping{Window: time.Duration(rapid.IntRange(1, 20).Draw(t, "window")) * time.Minute, Stop: stop, Start: stop + rapid.IntRange(1, 4).Draw(t, "more")}
		var recent, all []time.Time
		now, was := judgedAt, false
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 240).Draw(t, "gap")) * time.Second)
			all = append(all, now)
			inWindow := 0
			for _, at := range all {
				if now.Sub(at) < fl.Window {
					inWindow++
				}
			}
			var is bool
			recent, is = fl.Record(recent, now, was)
			switch {
			case len(recent) != inWindow:
				t.Fatalf("%d recent changes, want %d", len(recent), inWindow)
			case is && !was && inWindow < fl.Start, !is && was && inWindow > fl.Stop:
				t.Fatalf("flapping %t → %t with %d changes, %+v", was, is, inWindow, fl)
			}
			if is {
				// One moment before its end it still flaps, at it no longer.
				end := fl.Ends(recent)
				left := func(at time.Time) (n int) {
					for _, c := range recent {
						if at.Sub(c) < fl.Window {
							n++
						}
					}
					return n
				}
				if left(end) > fl.Stop || left(end.Add(-1)) <= fl.Stop {
					t.Fatalf("ends at %v with %d changes left, a moment before %d; Stop is %d", end, left(end), left(end.Add(-1)), fl.Stop)
				}
			}
			was = is
		}
	})
}
