package ingest

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var judgedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func minutes(n int) time.Time { return judgedAt.Add(time.Duration(n) * time.Minute) }

// Times are in minutes from judgedAt, which is when the event arrives.
func TestJudge(t *testing.T) {
	unknown := Episode{}
	firing := Episode{Status: Firing, StartsAt: minutes(-30)}
	ended := Episode{Status: Resolved, StartsAt: minutes(-30), EndsAt: minutes(-10), BySource: true, EndedSeen: minutes(-10)}
	justEnded := ended
	justEnded.EndedSeen = judgedAt.Add(-LateWindow + time.Second)
	expired := justEnded
	expired.BySource = false

	fires := func(start int) *Event { return &Event{Status: Firing, StartsAt: minutes(start)} }
	ends := func(start, end int) *Event {
		return &Event{Status: Resolved, StartsAt: minutes(start), EndsAt: minutes(end)}
	}
	const same, other = true, false
	f := func(name string, known Episode, e *Event, same bool, want Verdict) {
		t.Helper()
		if got := Judge(known, e, same, judgedAt); got != want {
			t.Errorf("%s: verdict %d, want %d", name, got, want)
		}
	}
	f("the first firing", unknown, fires(-1), other, Fresh)
	f("an end of something never heard of", unknown, ends(-5, -1), other, Missed)

	f("sent again", firing, fires(-30), same, Resend)
	f("sent again by the other of a pair, which saw it later", firing, fires(-29), same, Resend)
	f("sent again with another severity", firing, fires(-30), other, Update)
	f("its end", firing, ends(-30, -1), other, Resolve)
	f("its end at the moment it began", firing, ends(-30, -30), other, Resolve)
	f("the end of an earlier episode", firing, ends(-90, -60), other, Late)
	f("the end of an earlier episode that says nothing new", firing, ends(-90, -60), same, Late)

	f("its end again", ended, ends(-30, -10), same, Resend)
	f("the end of a later episode", ended, ends(-5, -1), same, Missed)
	f("fires after its end", ended, fires(-9), same, Fresh)
	f("overtaken by its end", justEnded, fires(-30), same, Late)
	f("overtaken by its end, with other annotations", justEnded, fires(-30), other, Late)
	f("began at the moment of the end", justEnded, fires(-10), same, Late)
	f("still sent long after its end: somebody believes in it", ended, fires(-30), same, Again)
	f("sent again after a timeout: the end was our guess", expired, fires(-30), same, Again)
	f("fires anew after a timeout", expired, fires(-1), same, Fresh)

	// The window is half open: at its end the sender is believed.
	atTheEnd := ended
	atTheEnd.EndedSeen = judgedAt.Add(-LateWindow)
	f("the late window is over", atTheEnd, fires(-30), same, Again)
}

// folded is how an alert's episode moves with a verdict, as the engine does it.
func folded(known Episode, e *Event, same bool, now time.Time) Episode {
	switch Judge(known, e, same, now) {
	case Fresh:
		return Episode{Status: Firing, StartsAt: e.StartsAt}
	case Again:
		known.Status, known.EndsAt, known.BySource = Firing, time.Time{}, false
	case Missed:
		return Episode{Status: Resolved, StartsAt: e.StartsAt, EndsAt: e.EndsAt, BySource: true, EndedSeen: now}
	case Resolve:
		known.Status, known.EndsAt, known.BySource, known.EndedSeen = Resolved, e.EndsAt, true, now
	case Update, Resend, Late:
	}
	return known
}

// Whatever the order in which the messages of one episode come in within the
// late window, and however often, they end in one status and are one episode.
func TestJudgeIsIndependentOfTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := minutes(-rapid.IntRange(1, 60).Draw(t, "start"))
		end := start.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "length")) * time.Second)
		resolved := rapid.Bool().Draw(t, "resolved")
		var messages []*Event
		for range rapid.IntRange(1, 4).Draw(t, "firings") {
			messages = append(messages, &Event{Status: Firing, StartsAt: start})
		}
		want := Firing
		if resolved {
			want = Resolved
			for range rapid.IntRange(1, 2).Draw(t, "resolutions") {
				messages = append(messages, &Event{Status: Resolved, StartsAt: start, EndsAt: end})
			}
		}
		var got Episode
		episodes := 0
		now := judgedAt
		for _, e := range rapid.Permutation(messages).Draw(t, "order") {
			same := rapid.Bool().Draw(t, "same")
			if v := Judge(got, e, same, now); v == Fresh || v == Missed {
				episodes++
			}
			got = folded(got, e, same, now)
			now = now.Add(time.Duration(rapid.IntRange(0, 15).Draw(t, "gap")) * time.Second)
		}
		if got.Status != want || !got.StartsAt.Equal(start) || episodes != 1 {
			t.Fatalf("ended %s from %v in %d episodes; want %s from %v in one", got.Status, got.StartsAt, episodes, want, start)
		}
		if resolved && !got.EndsAt.Equal(end) {
			t.Fatalf("ended at %v, want %v", got.EndsAt, end)
		}
	})
}

// Two episodes told in any order in which the second was told of at all end as
// the second did, unless both firings overtook the first end: then the firing
// that is sent again puts it right.
func TestJudgeTwoEpisodes(t *testing.T) {
	f1, r1 := &Event{Status: Firing, StartsAt: minutes(-30)}, &Event{Status: Resolved, StartsAt: minutes(-30), EndsAt: minutes(-20)}
	f2, r2 := &Event{Status: Firing, StartsAt: minutes(-10)}, &Event{Status: Resolved, StartsAt: minutes(-10), EndsAt: minutes(-5)}
	f := func(want Status, messages ...*Event) {
		t.Helper()
		var got Episode
		for _, e := range messages {
			got = folded(got, e, true, judgedAt)
		}
		if got.Status != want {
			t.Errorf("ended %s, want %s", got.Status, want)
		}
	}
	f(Firing, f1, r1, f2)
	f(Firing, r1, f1, f2)
	f(Firing, r1, f2, f1)
	f(Firing, f2, r1, f1)
	f(Firing, f2, f1, r1)
	f(Firing, f1, f2, r1, f2)
	f(Resolved, f1, r1, f2, r2)
	f(Resolved, r2, r1, f2, f1)
	f(Resolved, f2, r2, f1, r1)
	f(Resolved, f2, r1, r2, f1)
}
