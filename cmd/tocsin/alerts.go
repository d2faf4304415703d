package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/ingest"
	"tocsin/internal/api"
)

func newAlertsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "alerts", Aliases: []string{"alert"}, Short: "List alerts and what they said"}
	cmd.AddCommand(alertsList(), alertsShow(), alertsHistory())
	return cmd
}

func alertsList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List alerts; without a filter, those that fire",
		Args:    cobra.NoArgs,
		Example: "  tocsin alerts list --severity critical --match 'host=~\"web-.*\"'",
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "also the resolved")
	f.String("status", "", "firing or resolved")
	f.StringSlice("severity", nil, "only these: critical, major, minor, warning, info, unknown")
	f.String("source", "", "only from this source")
	f.String("ci", "", "only about this CI")
	f.String("incident", "", "only in this incident, the resolved too")
	f.Bool("suppressed", false, "only the suppressed")
	f.Bool("unbound", false, "only those about no CI")
	f.StringArray("match", nil, `only with these labels, such as 'team="storage"'`)
	f.String("from", "", "started at or after; RFC 3339 or -24h")
	f.String("to", "", "started before")
	pageFlags(cmd)
	completeWords(cmd, "status", "firing", "resolved")
	completeWords(cmd, "severity", severities...)
	completeWith(cmd, "incident", completeIncidents)
	completeWith(cmd, "ci", completeCIs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		q := queryOf(cmd, "status", "severity", "source", "ci", "suppressed", "unbound", "match", "from", "to", "limit", "cursor")
		if id, _ := f.GetString("incident"); id != "" {
			q.Set("incident", incidentID(id))
			all = true
		}
		if !all && !q.Has("status") {
			q.Set("status", string(ingest.Firing))
		}
		var page api.List[ingest.Alert]
		raw, err := c.get(cmd.Context(), "/alerts", q, &page)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(page.Items) == 0 {
				fmt.Fprintln(p, "no alerts")
				return
			}
			p.alerts(page.Items)
			p.more(page.Next)
		})
	}
	return cmd
}

func alertsShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show FINGERPRINT", Short: "Show one alert: labels, binding, incident", Args: cobra.ExactArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var a ingest.Alert
		raw, err := c.get(cmd.Context(), path("alerts", args[0]), nil, &a)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) { p.alert(&a) })
	}
	return cmd
}

func (p *printer) alert(a *ingest.Alert) {
	fmt.Fprintf(p, "%s  %s\n\n", a.Fingerprint, visible(a.Summary()))
	severity := a.Severity.String()
	if a.SourceSeverity != "" && a.SourceSeverity != severity {
		severity += fmt.Sprintf(" (the source says %q)", a.SourceSeverity)
	}
	bound := a.CI
	switch {
	case a.CI != "":
		bound += " by " + a.BoundBy
	case len(a.Ambiguous) > 0:
		bound = "none: equally " + strings.Join(a.Ambiguous, ", ")
	default:
		bound = "none; tried " + strings.Join(a.Tried, ", ")
	}
	p.field("status", string(a.Status))
	p.field("severity", severity)
	p.field("source", a.Source)
	p.field("started", p.both(a.StartsAt))
	p.field("ended", p.both(a.EndsAt))
	p.field("ended by", a.EndedBy)
	p.field("expires", p.both(a.ExpiresAt))
	p.field("last seen", p.both(a.LastSeen))
	p.field("count", fmt.Sprint(a.Count))
	p.field("ci", bound)
	p.field("incident", a.Incident)
	p.field("suppressed by", a.Suppression)
	p.field("generator", a.GeneratorURL)
	p.labels("LABELS", a.Labels)
	p.labels("ANNOTATIONS", a.Annotations)
}

func (p *printer) labels(title string, ls ingest.Labels) {
	if len(ls) == 0 {
		return
	}
	fmt.Fprintf(p, "\n%s\n", title)
	for _, l := range ls {
		p.row(l.Name, l.Value)
	}
}

func alertsHistory() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "history FINGERPRINT",
		Short:   "Show what an alert said, newest first",
		Args:    cobra.ExactArgs(1),
		Example: "  tocsin alerts history 3f1c0d5e8a9b7c21 --at 2026-02-03T03:12:00Z",
	}
	f := cmd.Flags()
	f.String("at", "", "only what it said then; RFC 3339 or -24h")
	f.String("from", "", "received at or after")
	f.String("to", "", "received before")
	pageFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var page api.List[ingest.Event]
		raw, err := c.get(cmd.Context(), path("alerts", args[0], "events"), queryOf(cmd, "at", "from", "to", "limit", "cursor"), &page)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(page.Items) == 0 {
				fmt.Fprintln(p, "it had said nothing")
				return
			}
			p.row("RECEIVED", "KIND", "STATUS", "SEVERITY", "SOURCE", "SAID")
			for i := range page.Items {
				e := &page.Items[i]
				p.row(p.both(e.ReceivedAt), e.Kind, e.Status, e.Severity, e.Source, said(e))
			}
			p.more(page.Next)
		})
	}
	return cmd
}

// said is the summary of an event, and its value when it is told apart.
func said(e *ingest.Event) string {
	s := e.Summary()
	for _, name := range []string{"value", "current_value", "value_string"} {
		if v := e.Annotations.Get(name); v != "" {
			return fmt.Sprintf("%s (%s %s)", s, name, v)
		}
	}
	return s
}

func newUnboundCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unbound",
		Short: "Show which firing alerts are about no CI, and what was tried",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var u api.Unbound
		raw, err := c.get(cmd.Context(), "/unbound", url.Values{}, &u)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(u.Items) == 0 {
				fmt.Fprintln(p, "every firing alert is bound to a CI")
				return
			}
			p.row("ALERTS", "WHY", "SUCH AS", "EXAMPLE", "")
			for i := range u.Items {
				g := &u.Items[i]
				p.row(g.Count, whyUnbound(g), short(strings.Join(g.Keys, ", "), 60), g.Example.Fingerprint, short(g.Example.Name(), 40))
			}
			if u.Truncated {
				fmt.Fprintf(p, "\nonly the first %d alerts were looked at\n", u.Alerts)
			}
		})
	}
	return cmd
}

func whyUnbound(g *api.UnboundGroup) string {
	switch {
	case len(g.Ambiguous) > 0:
		return "ambiguous: " + short(strings.Join(g.Ambiguous, ", "), 60)
	case len(g.Tried) == 0:
		return "no label names a CI"
	default:
		return "no CI for " + strings.Join(g.Tried, ", ")
	}
}
