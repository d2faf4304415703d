package correlate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/ingest"
)

// ErrForgotten says that a command needs an incident that the engine no longer
// holds with its alerts: give it back with [Engine.Recall] and try again. It
// is an [ErrNotFound] too, for there may be no such incident at all.
var ErrForgotten = fmt.Errorf("not in memory: %w", ErrNotFound)

// command carries a command out, or refuses it whole.
func (e *Engine) command(c *Command) {
	if _, repeated := e.commands[c.ID]; repeated {
		r := Reply{CommandID: c.ID}
		if inc, err := e.target(c); err == nil {
			r.Incident = inc.rec
		}
		e.out.Replies = append(e.out.Replies, r)
		return
	}
	inc, err := e.operate(c)
	r := Reply{CommandID: c.ID, Err: err}
	if inc != nil {
		r.Incident = inc.rec
	}
	e.out.Replies = append(e.out.Replies, r)
	if err != nil {
		return
	}
	raw, err := json.Marshal(c)
	if err != nil { // it consists of texts and times
		panic(err)
	}
	e.store(&ingest.Event{Kind: ingest.KindCommand, Source: "operator", Actor: c.By, StartsAt: timeOf(e.now), Raw: raw})
	e.commands[c.ID] = e.now
	e.forgetCommands()
}

// forgetCommands drops the IDs of commands beyond the horizon, now and then.
func (e *Engine) forgetCommands() {
	if len(e.commands)%256 != 0 {
		return
	}
	for id, at := range e.commands {
		if at+e.horizon() <= e.now {
			delete(e.commands, id)
		}
	}
}

// target finds the incident of a command; a merged one leads to where it went.
func (e *Engine) target(c *Command) (*incident, error) {
	id := strings.ToUpper(c.Incident)
	for range 1000 { // merges form no cycle; a bound all the same
		inc := e.incidents[id]
		if inc == nil {
			return nil, fmt.Errorf("incident %s: %w", c.Incident, ErrForgotten)
		}
		if inc.rec.Status != Merged {
			return inc, nil
		}
		id = inc.rec.MergedInto
	}
	return nil, fmt.Errorf("incident %s: merged in a circle: %w", c.Incident, ErrState)
}

func (e *Engine) operate(c *Command) (*incident, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Kind == CmdLink || c.Kind == CmdUnlink {
		return e.link(c)
	}
	inc, err := e.target(c)
	if err != nil {
		return nil, err
	}
	if c.Revision != 0 && c.Revision != inc.rec.Revision {
		return inc, fmt.Errorf("incident %s is at revision %d, you saw %d: %w", inc.rec.ID, inc.rec.Revision, c.Revision, ErrConflict)
	}
	refuse := func(format string, args ...any) (*incident, error) {
		return inc, fmt.Errorf("%s %s, which is %s: %s: %w", c.Kind, inc.rec.ID, inc.rec.Status, fmt.Sprintf(format, args...), ErrState)
	}
	status := inc.rec.Status
	// said appends the operator's comment to what happened.
	said := func(text string) string {
		if c.Comment == "" {
			return text
		}
		return text + ": " + c.Comment
	}
	switch c.Kind {
	case CmdAcknowledge:
		if !status.Active() {
			return refuse("reopen it first")
		}
		e.acknowledge(inc, c.By, said("Acknowledged"))
	case CmdAssign:
		inc.rec.Assignee = c.Assignee
		text := "Assigned to " + c.Assignee
		if c.Assignee == "" {
			text = "Assignment taken away"
		}
		e.note(inc, EntryAssigned, c.By, "%s", said(text))
	case CmdHold:
		if !status.Active() {
			return refuse("only an active incident can be held")
		}
		if !c.Until.IsZero() && micros(c.Until) <= e.now {
			return inc, fmt.Errorf("%w: until: %s is past", ErrInvalid, c.Until.Format(time.RFC3339))
		}
		inc.rec.HoldUntil = timeOf(micros(c.Until))
		e.setStatus(inc, OnHold)
		text := "On hold"
		if !c.Until.IsZero() {
			text += " until " + inc.rec.HoldUntil.Format(time.RFC3339)
			e.timers.push(timer{due: micros(inc.rec.HoldUntil), kind: timerHold, inc: inc})
		}
		e.note(inc, EntryHeld, c.By, "%s", said(text))
	case CmdResume:
		if status != OnHold {
			return refuse("it is not on hold")
		}
		e.resume(inc, c.By, "%s", said("Taken up again"))
	case CmdResolve, CmdClose:
		if status == Closed || status == Resolved && c.Kind == CmdResolve {
			return refuse("nothing to do")
		}
		if inc.firing > 0 && !c.Force {
			return refuse("%s still firing, such as %s; wait, put it on hold, or use force", plural(inc.firing, "alert"), e.nameOf(inc.anyFiring()))
		}
		e.letGo(inc)
		if c.Kind == CmdResolve {
			e.resolve(inc, c.By, "%s", said("Resolved"))
		} else {
			e.close(inc, c.By, "%s", said("Closed"))
		}
	case CmdReopen:
		if status != Resolved && status != Closed {
			return refuse("only a resolved or closed incident can be reopened")
		}
		if inc.released {
			return nil, fmt.Errorf("incident %s: %w", inc.rec.ID, ErrForgotten)
		}
		inc.rec.HeldOpen = inc.firing == 0
		e.reopen(inc, c.By, "%s", said("Reopened"))
	case CmdComment:
		e.note(inc, EntryCommented, c.By, "%s", c.Comment)
	case CmdMerge:
		return e.mergeCommand(inc, c)
	case CmdUnmerge:
		return e.unmergeCommand(inc, c)
	case CmdSplit:
		return e.split(inc, c)
	case CmdMove:
		return e.move(inc, c)
	case CmdLink, CmdUnlink: // handled above
	}
	return inc, nil
}

func (inc *incident) anyFiring() *alert {
	var first *alert
	for _, a := range inc.members {
		if a.firing && (first == nil || earlier(a, first)) {
			first = a
		}
	}
	return first
}

// letGo suppresses the alerts that still fire in an incident that people end
// all the same: they are in no open incident, and it is said why.
func (e *Engine) letGo(inc *incident) {
	for _, a := range inc.members {
		if a.firing {
			a.suppression = suppressedOperator
			e.reviseAlert(a)
		}
	}
	e.sortDirtyAlerts()
}

// takeBack undoes letGo.
func (e *Engine) takeBack(inc *incident) {
	for _, a := range inc.members {
		if a.suppression == suppressedOperator {
			a.suppression = notSuppressed
			e.reviseAlert(a)
		}
	}
	e.sortDirtyAlerts()
}

// sortDirtyAlerts makes the order of revisions independent of that of an
// incident's alerts, which is not the same after a restart.
func (e *Engine) sortDirtyAlerts() {
	slices.SortFunc(e.dirtyAlerts, func(a, b *alert) int {
		if a.fp < b.fp {
			return -1
		}
		return 1
	})
}

func (e *Engine) mergeCommand(into *incident, c *Command) (*incident, error) {
	if !into.rec.Status.Active() {
		return into, fmt.Errorf("merge into %s, which is %s: reopen it first: %w", into.rec.ID, into.rec.Status, ErrState)
	}
	var others []*incident
	for _, id := range c.Incidents {
		o, err := e.target(&Command{Incident: id})
		if err != nil {
			return nil, err
		}
		switch {
		case o == into:
			return into, fmt.Errorf("%w: incidents: %s is already merged into %s", ErrInvalid, id, into.rec.ID)
		case o.rec.Status == Closed:
			return into, fmt.Errorf("merge %s, which is closed: link it instead, or reopen it first: %w", id, ErrState)
		case !slices.Contains(others, o):
			others = append(others, o)
		}
	}
	slices.SortFunc(others, func(a, b *incident) int { return strings.Compare(a.rec.ID, b.rec.ID) })
	for _, o := range others {
		e.takeBack(o)
		// People know better than what they said before.
		without := func(list []string, id string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == id })
		}
		into.rec.Apart, o.rec.Apart = without(into.rec.Apart, o.rec.ID), without(o.rec.Apart, into.rec.ID)
	}
	why := c.Comment
	if why == "" {
		why = "by " + c.By
	}
	e.merge(into, others, c.By, why)
	return into, nil
}

func (e *Engine) unmergeCommand(from *incident, c *Command) (*incident, error) {
	if !from.rec.Status.Active() && from.rec.Status != Resolved {
		return from, fmt.Errorf("unmerge from %s, which is %s: reopen it first: %w", from.rec.ID, from.rec.Status, ErrState)
	}
	var others []*incident
	for _, id := range c.Incidents {
		id = strings.ToUpper(id)
		if !slices.Contains(from.rec.MergedFrom, id) {
			return from, fmt.Errorf("%w: incidents: %s was not merged into %s", ErrInvalid, id, from.rec.ID)
		}
		o := e.incidents[id]
		if o == nil {
			return nil, fmt.Errorf("incident %s: %w", id, ErrForgotten)
		}
		others = append(others, o)
	}
	for _, o := range others {
		e.unmerge(from, o, c.By)
	}
	return from, nil
}

func (e *Engine) split(inc *incident, c *Command) (*incident, error) {
	alerts, err := e.membersOf(inc, c.Alerts)
	if err != nil {
		return inc, err
	}
	if len(alerts) == len(inc.members) {
		return inc, fmt.Errorf("%w: alerts: these are all alerts of %s; leave at least one", ErrInvalid, inc.rec.ID)
	}
	if !inc.rec.Status.Active() {
		return inc, fmt.Errorf("split %s, which is %s: reopen it first: %w", inc.rec.ID, inc.rec.Status, ErrState)
	}
	first := alerts[0]
	for _, a := range alerts {
		if earlier(a, first) {
			first = a
		}
	}
	fresh := e.newIncident(first)
	fresh.rec.SplitFrom = inc.rec.ID
	fresh.rec.Apart = addSorted(nil, inc.rec.ID)
	inc.rec.Apart = addSorted(inc.rec.Apart, fresh.rec.ID)
	for _, a := range alerts {
		e.transfer(inc, fresh, a, c.By, fmt.Sprintf("Split off from %s by %s.", inc.rec.ID, c.By))
	}
	e.note(fresh, EntryOpened, c.By, "Split off from %s with %s", inc.rec.ID, plural(len(alerts), "alert"))
	e.note(inc, EntrySplit, c.By, "%s split off into %s", plural(len(alerts), "alert"), fresh.rec.ID)
	e.settle(fresh)
	e.settle(inc)
	return fresh, nil
}

func (e *Engine) move(inc *incident, c *Command) (*incident, error) {
	to, err := e.target(&Command{Incident: c.Target})
	if err != nil {
		return nil, err
	}
	alerts, err := e.membersOf(inc, c.Alerts)
	if err != nil {
		return inc, err
	}
	if to == inc || !to.rec.Status.Active() {
		return inc, fmt.Errorf("move alerts to %s, which is %s: name another, active incident: %w", to.rec.ID, to.rec.Status, ErrState)
	}
	for _, a := range alerts {
		e.transfer(inc, to, a, c.By, fmt.Sprintf("Moved here from %s by %s.", inc.rec.ID, c.By))
	}
	e.note(inc, EntryMoved, c.By, "%s moved to %s", plural(len(alerts), "alert"), to.rec.ID)
	e.note(to, EntryMoved, c.By, "%s moved here from %s", plural(len(alerts), "alert"), inc.rec.ID)
	e.settle(inc)
	e.settle(to)
	e.ripen(to)
	return to, nil
}

// link ties two records; the incidents among them have it in their timeline.
func (e *Engine) link(c *Command) (*incident, error) {
	l := *c.Link
	l.By, l.At, l.Removed = c.By, timeOf(e.now), c.Kind == CmdUnlink
	var inc *incident
	for _, ref := range []string{l.From, l.To} {
		id, ok := strings.CutPrefix(ref, "incident:")
		if !ok {
			continue
		}
		in, err := e.target(&Command{Incident: id})
		if errors.Is(err, ErrForgotten) {
			return nil, err
		}
		if err == nil && inc == nil {
			inc = in
		}
	}
	id, ci, causes := confirmedBy(&l)
	if causes {
		if in, err := e.target(&Command{Incident: id}); err == nil && in.released {
			return nil, fmt.Errorf("incident %s: %w", in.rec.ID, ErrForgotten) // what it looked like is to be learned
		}
	}
	e.revision++
	l.Revision = e.revision
	e.out.Links = append(e.out.Links, l)
	for _, ref := range []string{l.From, l.To} {
		if id, ok := strings.CutPrefix(ref, "incident:"); ok {
			if in, err := e.target(&Command{Incident: id}); err == nil {
				kind, verb := EntryLinked, "Linked"
				if l.Removed {
					kind, verb = EntryUnlinked, "Unlinked"
				}
				e.note(in, kind, c.By, "%s: %s %s %s", verb, l.From, l.Kind, l.To)
			}
		}
	}
	if causes {
		if in, err := e.target(&Command{Incident: id}); err == nil {
			e.confirm(in, ci, l.Removed)
		}
	}
	return inc, nil
}
