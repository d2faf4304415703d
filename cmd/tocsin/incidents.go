package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/api"
)

func newIncidentsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "incidents",
		Aliases: []string{"incident", "inc"},
		Short:   "List incidents and work on them",
	}
	cmd.AddCommand(incidentsList(), incidentsShow(), incidentsTimeline())
	cmd.AddCommand(incidentCommands()...)
	return cmd
}

// incidentID makes an ID that was said aloud or typed in a hurry the one that
// is stored.
func incidentID(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

func incidentsList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List incidents; without a filter, those that need work",
		Args:  cobra.NoArgs,
		Example: "  tocsin incidents list --severity critical,major\n" +
			"  tocsin incidents list --all --from -7d --match 'team=\"storage\"'",
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "also the resolved, closed and merged")
	f.StringSlice("status", nil, "only these: pending, open, acknowledged, on_hold, resolved, closed, merged")
	f.StringSlice("severity", nil, "only these: critical, major, minor, warning, info, unknown")
	f.StringSlice("priority", nil, "only these: P1 to P5")
	f.StringArray("match", nil, `only with these labels, such as 'team="storage"'`)
	f.String("ci", "", "only with an alert on this CI")
	f.String("service", "", "only if they hit this service")
	f.String("assignee", "", "only if assigned to")
	f.StringP("search", "q", "", "only with this text in ID or title")
	f.String("from", "", "opened at or after; RFC 3339 or -24h")
	f.String("to", "", "opened before")
	pageFlags(cmd)
	completeWords(cmd, "status", "pending", "open", "acknowledged", "on_hold", "resolved", "closed", "merged")
	completeWords(cmd, "severity", severities...)
	completeWords(cmd, "priority", "P1", "P2", "P3", "P4", "P5")
	completeWith(cmd, "ci", completeCIs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		q := queryOf(cmd, "status", "severity", "priority", "match", "ci", "service", "assignee", "search=q", "from", "to", "limit", "cursor")
		if !all && !q.Has("status") {
			q["status"] = []string{string(correlate.Open), string(correlate.Acknowledged), string(correlate.OnHold)}
		}
		var page api.List[correlate.Incident]
		raw, err := c.get(cmd.Context(), "/incidents", q, &page)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(page.Items) == 0 {
				fmt.Fprintln(p, "no incidents")
				return
			}
			p.row("ID", "PRIO", "SEVERITY", "STATUS", "ALERTS", "OPENED", "ASSIGNEE", "TITLE", "CAUSE")
			for _, inc := range page.Items {
				p.row(inc.ID, inc.Priority, inc.Severity, inc.Status, alertCount(inc.Alerts), inc.OpenedAt, inc.Assignee,
					short(inc.Title, 60), short(causeName(&inc), 40))
			}
			p.more(page.Next)
		})
	}
	return cmd
}

func pageFlags(cmd *cobra.Command) {
	cmd.Flags().Int("limit", 100, "at most this many, up to 1000")
	cmd.Flags().String("cursor", "", "go on where a list ended")
}

// more tells how to go on when a list ended before its end.
func (p *printer) more(next string) {
	if next != "" {
		fmt.Fprintf(p, "\nthere is more: --cursor %s\n", visible(next))
	}
}

// queryOf makes a query of the flags that were given, "flag" or
// "flag=parameter".
func queryOf(cmd *cobra.Command, flags ...string) url.Values {
	q := url.Values{}
	for _, name := range flags {
		name, param, ok := strings.Cut(name, "=")
		if !ok {
			param = name
		}
		f := cmd.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		switch f.Value.Type() {
		case "stringSlice":
			q[param], _ = cmd.Flags().GetStringSlice(name)
		case "stringArray":
			q[param], _ = cmd.Flags().GetStringArray(name)
		default:
			q.Set(param, f.Value.String())
		}
	}
	return q
}

func alertCount(c correlate.AlertCounts) string {
	if c.Firing == c.Total {
		return fmt.Sprint(c.Total)
	}
	return fmt.Sprintf("%d of %d", c.Firing, c.Total)
}

func causeName(inc *correlate.Incident) string {
	if len(inc.Causes) == 0 {
		return ""
	}
	return inc.Causes[0].Name
}

func incidentsShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show ID",
		Short:             "Show one incident: cause, impact, alerts",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: atMost(1, completeIncidents),
	}
	n := cmd.Flags().Int("alerts", 20, "show at most this many alerts")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var inc correlate.Incident
		raw, err := c.get(cmd.Context(), path("incidents", incidentID(args[0])), nil, &inc)
		if err != nil {
			return err
		}
		var alerts api.List[ingest.Alert]
		var links api.List[correlate.Link]
		if !wantsJSON(cmd) {
			if _, err := c.get(cmd.Context(), path("incidents", inc.ID, "links"), nil, &links); err != nil {
				return err
			}
			if *n > 0 {
				q := url.Values{"limit": {fmt.Sprint(min(*n, 1000))}}
				if _, err := c.get(cmd.Context(), path("incidents", inc.ID, "alerts"), q, &alerts); err != nil {
					return err
				}
			}
		}
		return render(cmd, raw, func(p *printer) {
			if asked := incidentID(args[0]); asked != inc.ID {
				fmt.Fprintf(p, "%s was merged into %s\n\n", visible(asked), visible(inc.ID))
			}
			p.incident(&inc)
			if len(links.Items) > 0 {
				fmt.Fprint(p, "\nLINKS\n")
				for _, l := range links.Items {
					p.row(l.From, l.Kind, l.To, l.By)
				}
			}
			if len(alerts.Items) > 0 {
				fmt.Fprintf(p, "\nALERTS (%s)\n", alertCount(inc.Alerts))
				p.alerts(alerts.Items)
			}
			if alerts.Next != "" {
				fmt.Fprintf(p, "… all of them: tocsin alerts list --incident %s\n", visible(inc.ID))
			}
		})
	}
	return cmd
}

func (p *printer) incident(inc *correlate.Incident) {
	fmt.Fprintf(p, "%s  %s\n\n", visible(inc.ID), visible(inc.Title))
	p.field("status", string(inc.Status))
	p.field("priority", fmt.Sprintf("%s (impact %d, urgency %d)", inc.Priority, inc.Impact, inc.Urgency))
	p.field("severity", inc.Severity.String())
	p.field("started", p.both(inc.StartedAt))
	p.field("opened", p.both(inc.OpenedAt))
	if !inc.AcknowledgedAt.IsZero() {
		p.field("acknowledged", p.both(inc.AcknowledgedAt)+" by "+inc.AcknowledgedBy)
	}
	p.field("assignee", inc.Assignee)
	p.field("on hold until", p.both(inc.HoldUntil))
	p.field("resolved", p.both(inc.ResolvedAt))
	p.field("closed", p.both(inc.ClosedAt))
	p.field("merged into", inc.MergedInto)
	p.field("merged from", strings.Join(inc.MergedFrom, ", "))
	p.field("split from", inc.SplitFrom)
	p.field("sources", strings.Join(inc.Sources, ", "))
	if len(inc.Labels) > 0 {
		p.field("labels", inc.Labels.String())
	}
	p.field("impacted", impacted(inc.Blast))
	signature := inc.Signature
	if signature != "" && inc.JudgedAt.IsZero() {
		signature += " (so far)"
	}
	p.field("signature", signature)
	p.field("revision", fmt.Sprint(inc.Revision))
	if len(inc.Causes) > 0 {
		fmt.Fprint(p, "\nLIKELY CAUSE\n")
		for _, c := range inc.Causes {
			p.row(fmt.Sprintf("%d%%", c.Score/10), c.Kind, c.Name, c.Reason)
		}
	}
	if len(inc.Changes) > 0 {
		fmt.Fprint(p, "\nCHANGES\n")
		for _, c := range inc.Changes {
			verdict := "possible"
			if c.Linked {
				verdict = "linked"
			}
			p.row(fmt.Sprintf("%d%%", c.Score/10), verdict, c.ID, short(c.Name, 60), c.CI, c.Reason)
		}
	}
}

func (p *printer) both(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return p.ago(t) + ", " + t.Format(time.RFC3339)
}

func impacted(b correlate.BlastRadius) string {
	if b.CIs == 0 && b.ServiceCount == 0 {
		return ""
	}
	s := count(b.CIs, "CI") + ", " + count(b.ServiceCount, "service")
	if b.Truncated {
		s += " or more"
	}
	if len(b.Services) > 0 {
		s += ": " + strings.Join(b.Services[:min(8, len(b.Services))], ", ")
	}
	if b.ServiceCount > 8 {
		s += ", …"
	}
	return s
}

func (p *printer) alerts(items []ingest.Alert) {
	p.row("FINGERPRINT", "STATUS", "SEVERITY", "STARTED", "COUNT", "CI", "NAME", "SUMMARY")
	for i := range items {
		a := &items[i]
		status := string(a.Status)
		if a.Suppression != "" {
			status += " (" + a.Suppression + ")"
		}
		p.row(a.Fingerprint, status, a.Severity, a.StartsAt, a.Count, a.CI, short(a.Name(), 40), short(a.Summary(), 60))
	}
}

func incidentsTimeline() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "timeline ID",
		Short:             "Show what happened to an incident, first to last",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: atMost(1, completeIncidents),
	}
	pageFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var page api.List[correlate.Incident]
		raw, err := c.get(cmd.Context(), path("incidents", incidentID(args[0]), "timeline"), queryOf(cmd, "limit", "cursor"), &page)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			p.row("REV", "WHEN", "BY", "WHAT", "")
			for _, rev := range page.Items {
				for _, e := range rev.Entries {
					p.row(rev.Revision, rev.At, e.By, e.Kind, e.Text)
				}
			}
			p.more(page.Next)
		})
	}
	return cmd
}

// atMost completes only the first n arguments.
func atMost(n int, complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, prefix)
	}
}

// completeIncidents offers the IDs of incidents that need work.
func completeIncidents(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	c, err := completionClient(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var page api.List[correlate.Incident]
	q := url.Values{"status": {"open,acknowledged,on_hold"}}
	if _, err := c.get(cmd.Context(), "/incidents", q, &page); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, inc := range page.Items {
		if strings.HasPrefix(inc.ID, incidentID(prefix)) {
			out = append(out, inc.ID+"\t"+visible(short(inc.Title, 60)))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
