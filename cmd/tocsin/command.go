package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/correlate"
	"tocsin/ingest"
)

// operatorCommand describes one operator command on an incident.
type operatorCommand struct {
	use, short string
	kind       correlate.CommandKind
	args       cobra.PositionalArgs
	// force and hold say that the command takes these flags.
	force, hold bool
	// fill takes the arguments after the ID.
	fill func(cmd *correlate.Command, args []string) error
}

func incidentCommands() []*cobra.Command {
	ids := func(cmd *correlate.Command, args []string) error {
		for _, a := range args {
			cmd.Incidents = append(cmd.Incidents, incidentID(a))
		}
		return nil
	}
	one := cobra.ExactArgs(1)
	specs := []operatorCommand{
		{use: "ack ID", short: "Say that you work on it", kind: correlate.CmdAcknowledge, args: one},
		{use: "assign ID [NAME]", short: "Give it to somebody; without a name, to nobody", kind: correlate.CmdAssign, args: cobra.RangeArgs(1, 2),
			fill: func(cmd *correlate.Command, args []string) error {
				cmd.Assignee = strings.Join(args, "")
				return nil
			}},
		{use: "hold ID", short: "Pause its clocks", kind: correlate.CmdHold, args: one, hold: true},
		{use: "resume ID", short: "End its hold", kind: correlate.CmdResume, args: one},
		{use: "resolve ID", short: "Say that it is over", kind: correlate.CmdResolve, args: one, force: true},
		{use: "close ID", short: "Close it, so that nothing reopens it", kind: correlate.CmdClose, args: one, force: true},
		{use: "reopen ID", short: "Open it again", kind: correlate.CmdReopen, args: one},
		{use: "comment ID TEXT…", short: "Add a note to its timeline", kind: correlate.CmdComment, args: cobra.MinimumNArgs(2),
			fill: func(cmd *correlate.Command, args []string) error {
				cmd.Comment = strings.Join(args, " ")
				return nil
			}},
		{use: "merge ID OTHER…", short: "Merge others into it", kind: correlate.CmdMerge, args: cobra.MinimumNArgs(2), fill: ids},
		{use: "unmerge ID OTHER…", short: "Take merged ones out of it again", kind: correlate.CmdUnmerge, args: cobra.MinimumNArgs(2), fill: ids},
		{use: "split ID FINGERPRINT…", short: "Move alerts of it to a new incident", kind: correlate.CmdSplit, args: cobra.MinimumNArgs(2), fill: fingerprints},
		{use: "move ID TARGET FINGERPRINT…", short: "Move alerts of it to another incident", kind: correlate.CmdMove, args: cobra.MinimumNArgs(3),
			fill: func(cmd *correlate.Command, args []string) error {
				cmd.Target = incidentID(args[0])
				return fingerprints(cmd, args[1:])
			}},
		{use: "link ID RECORD", short: "Link it to any record, such as change:123, ci:db-1 or an address", kind: correlate.CmdLink, args: cobra.ExactArgs(2)},
		{use: "unlink ID RECORD", short: "Remove a link", kind: correlate.CmdUnlink, args: cobra.ExactArgs(2)},
	}
	var out []*cobra.Command
	for _, spec := range specs {
		out = append(out, spec.command())
	}
	return out
}

func fingerprints(cmd *correlate.Command, args []string) error {
	for _, a := range args {
		fp, err := ingest.ParseFingerprint(a)
		if err != nil {
			return usageError{err}
		}
		cmd.Alerts = append(cmd.Alerts, fp)
	}
	return nil
}

func (spec operatorCommand) command() *cobra.Command {
	incidents := 1 // how many arguments are incidents
	switch spec.kind {
	case correlate.CmdMerge, correlate.CmdUnmerge:
		incidents = 1000
	case correlate.CmdMove:
		incidents = 2
	default:
	}
	cmd := &cobra.Command{Use: spec.use, Short: spec.short, Args: spec.args, ValidArgsFunction: atMost(incidents, completeIncidents)}
	f := cmd.Flags()
	f.Int64("revision", 0, "only if nothing happened to it since this revision")
	linking := spec.kind == correlate.CmdLink || spec.kind == correlate.CmdUnlink
	if linking {
		f.String("kind", "relates_to", "how it relates: relates_to, caused_by, duplicate_of…")
	}
	if spec.kind != correlate.CmdComment {
		f.StringP("comment", "m", "", "why, for the timeline")
	}
	if spec.force {
		f.Bool("force", false, "although alerts still fire")
	}
	if spec.hold {
		f.String("until", "", "when it ends by itself: RFC 3339 or +4h")
		f.Duration("for", 0, "how long: 90m, 4h")
		cmd.MarkFlagsMutuallyExclusive("until", "for")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		body := correlate.Command{Kind: spec.kind, Incident: incidentID(args[0])}
		f := cmd.Flags()
		body.Revision, _ = f.GetInt64("revision")
		body.Comment, _ = f.GetString("comment")
		body.Force, _ = f.GetBool("force")
		if body.Until, err = holdUntil(cmd); err != nil {
			return err
		}
		if linking {
			kind, _ := f.GetString("kind")
			body.Link = &correlate.Link{From: "incident:" + body.Incident, To: recordRef(args[1]), Kind: kind}
		}
		if spec.fill != nil {
			if err := spec.fill(&body, args[1:]); err != nil {
				return err
			}
		}
		var inc correlate.Incident
		raw, err := c.call(cmd.Context(), request{method: http.MethodPost, path: path("incidents", body.Incident, "commands"), body: body}, &inc)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			fmt.Fprintf(p, "%s is %s (revision %d): %s\n", visible(inc.ID), visible(string(inc.Status)), inc.Revision, visible(inc.Title))
			for _, e := range inc.Entries {
				fmt.Fprintf(p, "  %s: %s\n", visible(string(e.Kind)), visible(e.Text))
			}
		})
	}
	return cmd
}

func holdUntil(cmd *cobra.Command) (time.Time, error) {
	if d, _ := cmd.Flags().GetDuration("for"); d != 0 {
		return time.Now().Add(d).Truncate(time.Second), nil
	}
	if s, _ := cmd.Flags().GetString("until"); s != "" {
		t, err := timeFlag(s)
		if err != nil {
			return t, usageError{fmt.Errorf("--until: %w", err)}
		}
		return t.Truncate(time.Second), nil
	}
	return time.Time{}, nil
}

// recordRef makes the ID in incident:id the stored one.
func recordRef(s string) string {
	if kind, id, ok := strings.Cut(s, ":"); ok && kind == "incident" {
		return kind + ":" + incidentID(id)
	}
	return s
}
