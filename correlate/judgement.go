package correlate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// When an incident's signature and changes are looked at: when it is opened,
// soon after, when most of its alerts are there, and for good when it is old
// enough or closes before. Then it teaches what the next ones are judged by,
// once, and not when it closes: one may stay open for days, and what comes back
// meanwhile is to be recognised. Each look takes effect at a time that follows
// from the record, so a restart looks no differently; and there are few, because
// one costs more than taking an alert in.
const (
	lookAgainAfter = 2 * time.Minute
	// JudgedAfter is how old an incident is when its signature and changes are
	// settled.
	JudgedAfter = 15 * time.Minute
)

// lookLater sets the timers of the looks that are still to come.
func (e *Engine) lookLater(inc *incident) {
	if !inc.rec.JudgedAt.IsZero() {
		return
	}
	opened := micros(inc.rec.OpenedAt)
	if due := opened + lookAgainAfter.Microseconds(); due > e.now {
		e.timers.push(timer{due: due, kind: timerLook, inc: inc})
	}
	if due := opened + JudgedAfter.Microseconds(); due > e.now {
		e.timers.push(timer{due: due, kind: timerDecide, inc: inc})
	}
}

// lookNow has an incident looked at when it is revised.
func (e *Engine) lookNow(inc *incident) {
	if inc.rec.JudgedAt.IsZero() && !inc.released {
		inc.look = true
		if len(e.changes) > 0 {
			inc.version++ // some may have come to be known since it was ranked
		}
		e.touch(inc)
	}
}

// overdue says that an incident is old enough to be judged and was not.
func (e *Engine) overdue(inc *incident) bool {
	return inc.rec.JudgedAt.IsZero() && micros(inc.rec.OpenedAt)+JudgedAfter.Microseconds() <= e.now
}

// examine looks at the signature and the changes of an incident.
func (e *Engine) examine(inc *incident) {
	if len(inc.members) == 0 || !inc.rec.JudgedAt.IsZero() || inc.rec.Status == Pending {
		return // one that is pending is looked at when it opens, if it does
	}
	if e.overdue(inc) {
		e.decide(inc)
		return
	}
	var past []Occurrence
	inc.rec.Signature = ""
	if g := e.signatures.nearest(e.tokensOf(inc)); g != nil {
		inc.rec.Signature, past = g.Name, g.Past
	}
	list, background, _ := e.accuse(inc, past)
	e.suspectChangesOf(inc, list, background)
}

// decide settles the changes of an incident and gives it a signature, and learns
// from it.
func (e *Engine) decide(inc *incident) {
	inc.rec.JudgedAt = timeOf(e.now)
	tokens := e.tokensOf(inc)
	g := e.signatures.signatureOf(tokens)
	list, background, seen := e.accuse(inc, g.Past)
	e.suspectChangesOf(inc, list, background)
	inc.rec.Signature = g.Name
	g.Last = inc.rec.JudgedAt
	if g.Founded.IsZero() {
		g.Founded = g.Last
		e.signatures.insert(g)
	}
	e.signatures.learn(g, tokens)
	e.memorise(g)
	if e.weight[evChange] == 0 || len(inc.pairs) == 0 {
		return
	}
	g.add(Occurrence{Incident: inc.rec.ID, Changed: seen})
	e.countIncident(inc.strength(), list)
}

// suspectChangesOf puts the accused into the incident's record, and says in its
// timeline when another change is taken for the cause, or none any more.
func (e *Engine) suspectChangesOf(inc *incident, list []accused, background float64) {
	linked := func(changes []SuspectChange) *SuspectChange {
		if len(changes) > 0 && changes[0].Linked {
			return &changes[0]
		}
		return nil
	}
	before := linked(inc.rec.Changes)
	inc.rec.Changes = e.suspectChanges(list, background)
	now := linked(inc.rec.Changes)
	switch {
	case now != nil && (before == nil || before.ID != now.ID):
		e.note(inc, EntryChange, self, "Linked to change %s, %s, on %s: %s", now.ID, now.Name, now.CI, now.Reason)
	case now == nil && before != nil:
		e.note(inc, EntryChange, self, "No longer linked to change %s: others explain as much", before.ID)
	}
}

// Likeness says what makes an incident one of its signature.
type Likeness struct {
	Signature string `json:"signature"`
	// Incidents is how many have taught the signature.
	Incidents int64 `json:"incidents"`
	// Similarity is in thousandths; the incident was compared with what the
	// signature is now.
	Similarity int `json:"similarity"`
	// Shared was expected and is there, Missing was expected and is not, New
	// is there and was not expected; the weightiest first.
	Shared  []LikenessToken `json:"shared"`
	Missing []LikenessToken `json:"missing"`
	New     []LikenessToken `json:"new"`
}

// LikenessToken is an alert at a place, as it was compared.
type LikenessToken struct {
	Place string `json:"place"`
	Alert string `json:"alert"`
	// Weight says how telling it is, in thousandths.
	Weight int64 `json:"weight"`
	// Seen is in how many of the signature's incidents it was seen.
	Seen int64 `json:"seen"`
}

// Likeness compares an incident with its signature. It must be in memory with
// its alerts, or the error wraps [ErrForgotten]; so does that of one which has
// no signature yet. It changes nothing.
func (e *Engine) Likeness(id string) (Likeness, error) {
	inc := e.incidents[strings.ToUpper(id)]
	if inc == nil || len(inc.members) == 0 {
		return Likeness{}, fmt.Errorf("incident %s: %w", id, ErrForgotten)
	}
	g := e.signatures.byName[inc.rec.Signature]
	if g == nil {
		return Likeness{}, fmt.Errorf("the signature of incident %s: %w", id, ErrForgotten)
	}
	out := Likeness{Signature: g.Name, Incidents: g.Incidents, Shared: []LikenessToken{}, Missing: []LikenessToken{}, New: []LikenessToken{}}
	all, similarity := e.signatures.compare(e.tokensOf(inc), g)
	out.Similarity = int(similarity / (million / milli))
	slices.SortStableFunc(all, func(a, b likeness) int { return int(b.weight - a.weight) })
	for _, l := range all {
		t := LikenessToken{Place: l.place, Alert: l.alert, Weight: l.weight}
		switch {
		case l.here && l.seen > 0:
			t.Seen = l.seen
			out.Shared = append(out.Shared, t)
		case l.here:
			out.New = append(out.New, t)
		default:
			t.Seen = l.seen
			out.Missing = append(out.Missing, t)
		}
	}
	return out, nil
}
