package replay

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin/correlate"
)

// Recaller is a source that can tell again of an incident that the engine has
// forgotten, so that a command on it is carried out as it was then.
type Recaller interface {
	// Recall reads the incidents that a command names. Of what became of alerts
	// in between, only that counts of which kept holds.
	Recall(ctx context.Context, c *correlate.Command, before time.Time, kept func(Episode, string) bool) (correlate.State, error)
}

var _ Recaller = (*Recorded)(nil)

// Recall implements [Recaller]. Incidents that were merged lead to where they
// went.
func (s *Recorded) Recall(ctx context.Context, c *correlate.Command, before time.Time, kept func(Episode, string) bool) (correlate.State, error) {
	ids := append([]string{c.Incident, c.Target}, c.Incidents...)
	if c.Link != nil {
		for _, ref := range []string{c.Link.From, c.Link.To} {
			if id, ok := strings.CutPrefix(ref, "incident:"); ok {
				ids = append(ids, id)
			}
		}
	}
	var all correlate.State
	for seen := map[string]bool{"": true}; len(ids) > 0; ids = ids[1:] {
		id := strings.ToUpper(ids[0])
		if seen[id] {
			continue
		}
		seen[id] = true
		st, err := s.Recording.Incident(ctx, id, before)
		if errors.Is(err, correlate.ErrNotFound) {
			continue // the command is refused then
		}
		if err != nil {
			return all, err
		}
		all.Incidents = append(all.Incidents, st.Incidents...)
		for _, a := range st.Attachments {
			if kept(EpisodeOf(a.Fingerprint, a.StartsAt), id) {
				all.Attachments = append(all.Attachments, a)
			}
		}
		for _, a := range st.Alerts {
			a.ExpiresAt = time.Time{} // it ends when it did
			all.Alerts = append(all.Alerts, a)
		}
		ids = append(ids, st.Incidents[0].MergedInto)
	}
	return all, nil
}

// recall carries out the commands that were refused because the engine has
// forgotten what they are about, as the server did. It returns the commands that
// are still refused, with the reason.
func (r *runner) recall(replies []correlate.Reply) error {
	var again []*correlate.Command
	for i := range replies {
		err := replies[i].Err
		if err == nil {
			continue
		}
		c := r.commands[replies[i].CommandID]
		if r.source == nil || !errors.Is(err, correlate.ErrForgotten) || c == nil {
			r.res.Input.refused(err)
			continue
		}
		st, err := r.source.Recall(r.ctx, c, r.now, r.res.Outcome.wasIn)
		if err != nil {
			return err
		}
		r.engine.Recall(st)
		again = append(again, c)
	}
	for _, c := range again {
		r.engine.ObserveCommand(c)
	}
	if len(again) == 0 {
		return nil
	}
	out := r.engine.Tick(r.now)
	r.keep(out)
	for i := range out.Replies {
		if err := out.Replies[i].Err; err != nil {
			r.res.Input.refused(err)
		}
	}
	return nil
}
