package replay

import (
	"errors"
	"slices"
	"time"

	"tocsin/correlate"
)

// Counts say what a replay was given.
type Counts struct {
	// Events are alerts firing and resolved, acknowledgements and changes.
	Events  int64 `json:"events"`
	Changes int64 `json:"changes"`
	// Commands are those of operators. CommandsLeftOut were not wanted; Refused
	// do not fit any more, by the reason.
	Commands        int64            `json:"commands"`
	CommandsLeftOut int64            `json:"commands_left_out,omitempty"`
	Refused         map[string]int64 `json:"commands_refused,omitempty"`
	// Unreadable are records that are no events, by the reason, and
	// UnreadableSome the first of them.
	Unreadable     map[string]int64 `json:"unreadable,omitempty"`
	UnreadableSome []string         `json:"unreadable_some,omitempty"`
	// First and Last are the span of what happened.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Late are inputs that came further out of order than the window reaches.
	Late Late `json:"late,omitzero"`
	// Unbound are the alerts, and UnboundChanges the changes, about no CI of
	// the estate.
	Unbound        Examples `json:"unbound,omitzero"`
	UnboundChanges Examples `json:"unbound_changes,omitzero"`
}

// Late counts what was decided later than it happened.
type Late struct {
	Count int64 `json:"count"`
	// Most is how much the latest was late.
	Most    time.Duration `json:"most_ns"`
	Example string        `json:"example,omitempty"`
}

// Examples counts things and names a few of them.
type Examples struct {
	Count int64    `json:"count"`
	Some  []string `json:"some"`
}

// maxExamples is how many are named.
const maxExamples = 5

func (e *Examples) add(n int64, tried []string) {
	e.Count += n
	if len(tried) == 0 || len(e.Some) == maxExamples {
		return
	}
	if what := tried[0]; !slices.Contains(e.Some, what) {
		e.Some = append(e.Some, what)
	}
}

func (c *Counts) late(in *Input, by time.Duration) {
	c.Late.Count++
	if by <= c.Late.Most {
		return
	}
	c.Late.Most, c.Late.Example = by, in.ID
	if in.ID == "" && in.Event != nil {
		c.Late.Example = in.Event.Fingerprint.String()
	}
}

func (c *Counts) unreadable(u *Unreadable) {
	if c.Unreadable == nil {
		c.Unreadable = map[string]int64{}
	}
	c.Unreadable[string(u.Reason)]++
	if len(c.UnreadableSome) < maxExamples {
		c.UnreadableSome = append(c.UnreadableSome, u.Err.Error())
	}
}

func (c *Counts) span(at time.Time) {
	if c.First.IsZero() || at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Last) {
		c.Last = at
	}
}

// refused counts a command that does not fit what is going on any more.
func (c *Counts) refused(err error) {
	if c.Refused == nil {
		c.Refused = map[string]int64{}
	}
	reason := "other"
	for _, r := range []struct {
		err  error
		name string
	}{{correlate.ErrNotFound, "not_found"}, {correlate.ErrConflict, "changed_since"}, {correlate.ErrState, "not_possible"}, {correlate.ErrInvalid, "invalid"}} {
		if errors.Is(err, r.err) {
			reason = r.name
			break
		}
	}
	c.Refused[reason]++
}
