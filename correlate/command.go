package correlate

import (
	"errors"
	"fmt"
	"time"

	"tocsin/ingest"
)

// CommandKind is what an operator asks for.
type CommandKind string

// The operator commands.
const (
	CmdAcknowledge CommandKind = "acknowledge"
	CmdAssign      CommandKind = "assign"
	CmdHold        CommandKind = "hold"
	CmdResume      CommandKind = "resume"
	CmdResolve     CommandKind = "resolve"
	CmdClose       CommandKind = "close"
	CmdReopen      CommandKind = "reopen"
	CmdComment     CommandKind = "comment"
	CmdMerge       CommandKind = "merge"
	CmdUnmerge     CommandKind = "unmerge"
	CmdSplit       CommandKind = "split"
	CmdMove        CommandKind = "move"
	CmdLink        CommandKind = "link"
	CmdUnlink      CommandKind = "unlink"
)

// CommandKinds are all commands.
var CommandKinds = []CommandKind{CmdAcknowledge, CmdAssign, CmdHold, CmdResume, CmdResolve, CmdClose,
	CmdReopen, CmdComment, CmdMerge, CmdUnmerge, CmdSplit, CmdMove, CmdLink, CmdUnlink}

// Command is an operator's command. It travels as an event does, so the
// timeline is complete and a replay includes it.
type Command struct {
	// ID makes a repeated command harmless: the engine remembers the IDs of
	// the commands it took within the reopen window.
	ID   string      `json:"id"`
	Kind CommandKind `json:"command"`
	// Incident is the incident acted on; empty only for link and unlink.
	Incident string `json:"incident,omitempty"`
	// Revision, when not 0, is the revision the operator saw: the command is
	// refused with [ErrConflict] when the incident has moved on since.
	Revision int64  `json:"revision,omitempty"`
	By       string `json:"by"`
	Comment  string `json:"comment,omitempty"`

	Assignee string `json:"assignee,omitempty"` // assign; "" takes the assignment away
	// Until ends a hold; zero means until resumed.
	Until time.Time `json:"until,omitzero"`
	// Force resolves or closes although alerts still fire; they are then
	// suppressed with the reason "operator" until they resolve.
	Force bool `json:"force,omitempty"`
	// Incidents are merged into Incident, or, for unmerge, taken out again.
	Incidents []string `json:"incidents,omitempty"`
	// Alerts are split off into a new incident, or moved to Target.
	Alerts []ingest.Fingerprint `json:"alerts,omitempty"`
	Target string               `json:"target,omitempty"`
	Link   *Link                `json:"link,omitempty"` // From, To and Kind
}

// Reply is the engine's answer to a command.
type Reply struct {
	CommandID string
	// Incident is the incident after the command; for split, the new one.
	Incident Incident
	Err      error
}

// The reasons for which a command is refused. They are wrapped with details.
var (
	// ErrNotFound: no such incident or alert.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the incident changed since the operator looked at it.
	ErrConflict = errors.New("changed since")
	// ErrState: the incident's status does not allow the command.
	ErrState = errors.New("not possible now")
	// ErrInvalid: the command itself is wrong.
	ErrInvalid = errors.New("invalid command")
)

// Validate reports what is wrong with the command in itself, whatever the
// state of the incident; every error wraps [ErrInvalid] and names the field.
func (c *Command) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", ErrInvalid, field, fmt.Sprintf(format, args...)))
	}
	if c.ID == "" {
		bad("id", "is empty; give each command an id of its own")
	}
	if c.By == "" {
		bad("by", "is empty; say who acts")
	}
	link := c.Kind == CmdLink || c.Kind == CmdUnlink
	if c.Incident == "" && !link {
		bad("incident", "is empty")
	}
	switch c.Kind {
	case CmdAcknowledge, CmdAssign, CmdHold, CmdResume, CmdResolve, CmdClose, CmdReopen:
	case CmdComment:
		if c.Comment == "" {
			bad("comment", "is empty")
		}
	case CmdMerge, CmdUnmerge:
		if len(c.Incidents) == 0 {
			bad("incidents", "is empty; name at least one incident to %s", c.Kind)
		}
		for _, id := range c.Incidents {
			if id == c.Incident {
				bad("incidents", "%s cannot be merged with itself", id)
			}
		}
	case CmdSplit, CmdMove:
		if len(c.Alerts) == 0 {
			bad("alerts", "is empty; name at least one fingerprint")
		}
		if c.Kind == CmdMove && (c.Target == "" || c.Target == c.Incident) {
			bad("target", "%q: name another incident", c.Target)
		}
	case CmdLink, CmdUnlink:
		if c.Link == nil {
			bad("link", "is missing; give from, to and kind")
			break
		}
		for field, ref := range map[string]string{"link.from": c.Link.From, "link.to": c.Link.To} {
			if err := ValidateRef(ref); err != nil {
				bad(field, "%v", err)
			}
		}
		if c.Link.Kind == "" {
			bad("link.kind", "is empty; relates_to is the plain one")
		}
		if c.Link.From == c.Link.To {
			bad("link", "%s cannot be linked to itself", c.Link.From)
		}
	default:
		bad("command", "%q is unknown; want one of %v", c.Kind, CommandKinds)
	}
	return errors.Join(errs...)
}
