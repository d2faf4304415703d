package replay

import (
	"slices"
	"strings"
	"time"

	"tocsin/correlate"
)

// Feedback is what people let know about incidents by what they did with them.
type Feedback struct {
	// Labels are what they said of alerts, without what they took back.
	Labels []Label
	// Looks are all commands on incidents: who acknowledges one has seen it,
	// and who then leaves it as it is has nothing to say against it.
	Looks []Look
	// Causes are what they named as causes, without what they took back.
	Causes []NamedCause
}

// Look is a command on one incident or several, with the alerts that were in
// them just before.
type Look struct {
	At       time.Time
	By       string
	Kind     correlate.CommandKind
	Episodes []Episode
}

// NamedCause is what somebody linked an incident to as its cause.
type NamedCause struct {
	At time.Time
	By string
	// Incident is its ID, Episodes the alerts that were in it.
	Incident string
	Episodes []Episode
	// Kind and ID name the cause: a ci, an alert or a change.
	Kind, ID string
}

// causedBy is the kind of the links that name a cause.
const causedBy = "caused_by"

// look notes that a command was given on incidents. What the command itself
// brings about is told only after it.
func (l *labeller) look(c *correlate.Command) {
	var ids []string
	switch c.Kind {
	case correlate.CmdLink, correlate.CmdUnlink:
		kind, id, _ := strings.Cut(c.Link.From, ":")
		if kind != "incident" {
			return
		}
		ids = []string{id}
		l.cause(c, id)
	case correlate.CmdMerge:
		ids = append(ids, c.Incidents...)
	case correlate.CmdMove:
		ids = append(ids, c.Target)
	default: // on the one incident
	}
	if c.Incident != "" {
		ids = append(ids, c.Incident)
	}
	look := Look{At: l.at, By: c.By, Kind: c.Kind}
	for _, id := range ids {
		if inc := l.find(id); inc != nowhere {
			look.Episodes = append(look.Episodes, l.in(inc, anyEpisode)...)
		}
	}
	if len(look.Episodes) > 0 {
		l.Looks = append(l.Looks, look)
	}
}

// cause notes, or takes back, that an incident has a cause.
func (l *labeller) cause(c *correlate.Command, incident string) {
	kind, id, _ := strings.Cut(c.Link.To, ":")
	inc := l.find(incident)
	if c.Link.Kind != causedBy || inc == nowhere || kind != "ci" && kind != "alert" && kind != kindChange {
		return
	}
	l.Causes = slices.DeleteFunc(l.Causes, func(old NamedCause) bool {
		return old.Incident == l.incidents[inc].ID && old.Kind == kind && old.ID == id
	})
	if alerts := l.in(inc, anyEpisode); c.Kind == correlate.CmdLink && len(alerts) > 0 {
		l.Causes = append(l.Causes, NamedCause{At: l.at, By: c.By, Incident: l.incidents[inc].ID, Episodes: alerts, Kind: kind, ID: id})
	}
}
