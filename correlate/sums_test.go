package correlate

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/ingest"
)

// What is added up as alerts come and go is what their pairs add up to.
func TestSumsFollowFromThePairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := New(DefaultConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		e.ObserveEstate(genEstate(t))
		e.Tick(t0)
		inc := newIncident(Incident{})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p := pair{int32(rapid.IntRange(0, e.estate.Len()-1).Draw(t, "ci")), uint32(rapid.IntRange(1, 6).Draw(t, "name"))}
			if inc.pairs[p]++; inc.pairs[p] == 1 {
				e.addPair(inc, p)
			} else {
				delete(inc.pairs, p)
				e.removePair(inc, p)
			}
			if len(inc.pairs) == 0 {
				continue
			}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				e.generation++
			case 1, 2, 3, 4:
				e.sumsOf(inc)
			default:
				continue
			}
			checkSums(t, e, inc)
		}
	})
}

func checkSums(t rapid.TB, e *Engine, inc *incident) {
	got, fresh := e.sumsOf(inc), &sums{}
	e.fill(fresh, inc)
	if got.full() != fresh.full() || len(got.tallies) != len(fresh.tallies) {
		t.Fatalf("kept: %d of %d CIs; anew: %d of %d", got.full(), len(got.tallies), fresh.full(), len(fresh.tallies))
	}
	for i := range fresh.tallies {
		want := &fresh.tallies[i]
		have := &got.tallies[got.at[want.ci]]
		if have.ci != want.ci || have.pairs != want.pairs || got.explains(have) != fresh.explains(want) {
			t.Fatalf("kept %+v, %d points; anew %+v, %d points", have, got.explains(have), want, fresh.explains(want))
		}
	}
}

// A storm is ranked from a sample of its alerts, whatever its size, and taught
// from no more of it.
func TestSumsOfAStormAreBounded(t *testing.T) {
	const leaves = 3000
	relations := make([]string, leaves)
	for i := range relations {
		relations[i] = fmt.Sprintf("leaf%d needs hub", i)
	}
	b := newBench(t, estateOf(t, relations...))
	b.e.ObserveEvent(event("Down", "hub", b.now, ingest.Firing))
	for i := range leaves {
		b.e.ObserveEvent(event("Down", fmt.Sprintf("leaf%d", i), b.now, ingest.Firing))
		if i%100 == 0 {
			b.tick()
			b.now = b.now.Add(time.Second)
			for _, inc := range b.e.incidents {
				checkSums(t, b.e, inc)
			}
		}
	}
	b.tick()
	inc := b.e.alerts[event("Down", "hub", b.now, ingest.Firing).Fingerprint].incident
	if len(inc.pairs) != leaves+1 || inc.rec.Causes[0].ID != "hub" {
		t.Fatalf("%d pairs, causes %+v; want one incident of all, caused by the hub", len(inc.pairs), inc.rec.Causes)
	}
	s := b.e.sumsOf(inc)
	if n := len(s.voices[0].told); n > voiceMost || n < voiceMost/4 {
		t.Errorf("%d of %d pairs speak for their name, want a quarter of %d to all of it", n, len(inc.pairs), voiceMost)
	}
	for i := range leaves {
		b.e.ObserveEvent(event("Down", fmt.Sprintf("leaf%d", i), b.now, ingest.Resolved))
	}
	b.e.ObserveEvent(event("Down", "hub", b.now, ingest.Resolved))
	b.tick()
	b.after(time.Hour)
	if inc.rec.Status != Closed || len(b.e.sites) == 0 || len(b.e.sites) > taughtCulprits+voiceMost {
		t.Errorf("the storm is %s and taught of %d CIs", inc.rec.Status, len(b.e.sites))
	}
}
