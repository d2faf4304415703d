package replay

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// Label is what somebody said of alerts by merging, splitting or moving: those
// of A belong together with those of B, or they do not.
type Label struct {
	Together bool
	A, B     []Episode
	// At, By and Edit are when it was said, by whom, and the ID of the command;
	// a move says two things at once.
	At   time.Time
	By   string
	Edit string
}

// Agreement says how far an outcome is what people said. The shares are means
// over labels, so that one merge of two large incidents does not outweigh all
// else; they are 1 when there is nothing to disagree with.
type Agreement struct {
	// Together and Apart count the labels.
	Together int `json:"together"`
	Apart    int `json:"apart"`
	// TogetherShare is the share of the pairs that belong together and are,
	// ApartShare of those that do not and are not, and Share of both.
	TogetherShare float64 `json:"together_share"`
	ApartShare    float64 `json:"apart_share"`
	Share         float64 `json:"share"`
}

// Agree compares an outcome with what people said.
func (o *Outcome) Agree(labels []Label) Agreement {
	var a Agreement
	var together, apart float64
	for _, l := range labels {
		s := o.joined(&l)
		if l.Together {
			a.Together++
			together += s
		} else {
			a.Apart++
			apart += 1 - s
		}
	}
	mean := func(sum float64, n int) float64 {
		if n == 0 {
			return 1
		}
		return sum / float64(n)
	}
	a.TogetherShare, a.ApartShare = mean(together, a.Together), mean(apart, a.Apart)
	a.Share = mean(together+apart, a.Together+a.Apart)
	return a
}

// joined is the share of a label's pairs that are in one incident.
func (o *Outcome) joined(l *Label) float64 {
	count := func(list []Episode) map[int32]int {
		n := map[int32]int{}
		for _, e := range list {
			if i, ok := o.known[e]; ok {
				n[o.final(o.episodes[i].incident)]++
			}
		}
		delete(n, nowhere)
		return n
	}
	a, b := count(l.A), count(l.B)
	pairs := 0
	for i, n := range a {
		pairs += n * b[i]
	}
	return float64(pairs) / float64(len(l.A)*len(l.B))
}

// labeller follows what happened and notes what people said of it.
type labeller struct {
	*Outcome
	members map[int32][]int32 // every episode that was ever in an incident
	Feedback
	// The command that is being looked at.
	at  time.Time
	cmd *correlate.Command
}

// moment is a record of a store, at its time.
type moment struct {
	at         time.Time
	command    *correlate.Command
	attachment *correlate.Attachment
	incident   *correlate.Incident
}

// Labels are what people said from since on, without what they took back.
func (s *Recorded) Labels(ctx context.Context, since time.Time) ([]Label, error) {
	f, err := s.Feedback(ctx, since)
	return f.Labels, err
}

// Feedback is all that people let know from since on.
func (s *Recorded) Feedback(ctx context.Context, since time.Time) (Feedback, error) {
	l := labeller{Outcome: NewOutcome(), members: map[int32][]int32{}}
	// A command before what follows from it.
	all := merge(func(m *moment) time.Time { return m.at }, s.commands(ctx),
		moments(s.Recording.Attachments(ctx, s.From, s.To), func(a *correlate.Attachment) moment { return moment{at: a.At, attachment: a} }),
		moments(s.Recording.Incidents(ctx, s.From, s.To), func(i *correlate.Incident) moment { return moment{at: i.At, incident: i} }))
	for m, err := range all {
		switch {
		case err != nil:
			return Feedback{}, err
		case m.attachment != nil:
			l.AddAttachment(m.attachment)
			if i := l.numbers[m.attachment.Incident]; !m.attachment.Detached {
				l.members[i] = append(l.members[i], l.known[EpisodeOf(m.attachment.Fingerprint, m.attachment.StartsAt)])
			}
		case m.incident != nil:
			l.AddIncident(m.incident)
		case !m.at.Before(since):
			l.at, l.cmd = m.at, m.command
			l.command(m.command)
			l.look(m.command)
		}
	}
	return l.Feedback, nil
}

func moments[T any](seq iter.Seq2[T, error], of func(*T) moment) iter.Seq2[moment, error] {
	return func(yield func(moment, error) bool) {
		for v, err := range seq {
			if !yield(of(&v), err) {
				return
			}
		}
	}
}

func (s *Recorded) commands(ctx context.Context) iter.Seq2[moment, error] {
	return func(yield func(moment, error) bool) {
		for in, err := range s.events(ctx) {
			if in.Command == nil && err == nil {
				continue
			}
			if !yield(moment{at: in.At, command: in.Command}, err) {
				return
			}
		}
	}
}

// find is the incident that is meant by an ID; nowhere when it is not known.
func (l *labeller) find(id string) int32 {
	if i, ok := l.numbers[strings.ToUpper(id)]; ok { // as typed in a hurry
		return l.final(i)
	}
	return nowhere
}

// in lists the alerts that are in an incident and of which f holds.
func (l *labeller) in(incident int32, f func(Episode) bool) (out []Episode) {
	seen := map[int32]bool{}
	for _, i := range l.members[incident] {
		if e := l.episodes[i]; !seen[i] && l.final(e.incident) == incident && f(e.Episode) {
			seen[i] = true
			out = append(out, e.Episode)
		}
	}
	return out
}

func anyEpisode(Episode) bool { return true }

func (l *labeller) command(c *correlate.Command) {
	inc := l.find(c.Incident)
	if inc == nowhere {
		return // it was before what is read
	}
	switch c.Kind {
	case correlate.CmdMerge:
		for _, id := range c.Incidents {
			if other := l.find(id); other != nowhere {
				l.say(true, l.in(inc, anyEpisode), l.in(other, anyEpisode))
			}
		}
	case correlate.CmdUnmerge:
		for _, id := range c.Incidents {
			other, ok := l.numbers[strings.ToUpper(id)]
			if !ok {
				continue
			}
			was := map[Episode]bool{}
			for _, i := range l.members[other] {
				was[l.episodes[i].Episode] = true
			}
			l.say(false, l.in(inc, func(e Episode) bool { return !was[e] }), l.in(inc, func(e Episode) bool { return was[e] }))
		}
	case correlate.CmdSplit, correlate.CmdMove:
		taken := map[ingest.Fingerprint]bool{}
		for _, fp := range c.Alerts {
			taken[fp] = true
		}
		moved := l.in(inc, func(e Episode) bool { return taken[e.Fingerprint] })
		l.say(false, moved, l.in(inc, func(e Episode) bool { return !taken[e.Fingerprint] }))
		if c.Kind == correlate.CmdMove {
			if to := l.find(c.Target); to != nowhere {
				l.say(true, moved, l.in(to, anyEpisode))
			}
		}
	default: // says nothing of what belongs together
	}
}

// say notes a label, and forgets those that it takes back.
func (l *labeller) say(together bool, a, b []Episode) {
	if len(a) == 0 || len(b) == 0 {
		return
	}
	inA, inB := setOf(a), setOf(b)
	meet := func(list []Episode, set map[Episode]bool) bool {
		return slices.ContainsFunc(list, func(e Episode) bool { return set[e] })
	}
	l.Labels = slices.DeleteFunc(l.Labels, func(old Label) bool {
		return old.Together != together && (meet(old.A, inA) && meet(old.B, inB) || meet(old.A, inB) && meet(old.B, inA))
	})
	l.Labels = append(l.Labels, Label{together, a, b, l.at, l.cmd.By, l.cmd.ID})
}

func setOf(list []Episode) map[Episode]bool {
	set := make(map[Episode]bool, len(list))
	for _, e := range list {
		set[e] = true
	}
	return set
}
