package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/correlate"
)

func newExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ALERT INCIDENT",
		Short: "Say why an alert is, or is not, in an incident",
		Long: "Say why an alert, named by its fingerprint, is in an incident: the evidence recorded\n" +
			"when it came in; or why it is not: what the evidence would be now.",
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeIncidents(cmd, args, prefix)
		},
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var x correlate.Explanation
		raw, err := c.get(cmd.Context(), "/explain", url.Values{"alert": {args[0]}, "incident": {incidentID(args[1])}}, &x)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) { p.explanation(&x) })
	}
	return cmd
}

func (p *printer) explanation(x *correlate.Explanation) {
	is := "is not in"
	if x.Member {
		is = "is in"
	}
	e := &x.Evidence
	fmt.Fprintf(p, "%s %s %s: %s\n\n", x.Fingerprint, is, visible(x.Incident), visible(e.Sentence))
	if len(e.Parts) > 0 {
		p.row("POINTS", "EVIDENCE", "")
		for _, part := range e.Parts {
			p.row(fmt.Sprintf("%+d", part.Points), part.Kind, part.Detail)
		}
	}
	reached := "reaches"
	if e.Score < e.Threshold {
		reached = "does not reach"
	}
	fmt.Fprintf(p, "%d, which %s the threshold of %d\n\n", e.Score, reached, e.Threshold)
	if len(e.Path) > 0 {
		p.field("path", strings.Join(e.Path, " → "))
	}
	if e.Nearest != 0 {
		p.field("nearest alert", e.Nearest.String())
		p.field("time between", e.Gap.String())
	}
	p.field("as of", p.both(x.At))
	p.field("model", e.Model)
	p.field("configuration", e.Config)
	if len(e.RunnersUp) > 0 {
		fmt.Fprint(p, "\nOTHER INCIDENTS\n")
		for _, r := range e.RunnersUp {
			p.row(r.Incident, r.Score, r.Reason)
		}
	}
}
