package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/cmdb"
	"tocsin/internal/api"
)

func newCICommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ci", Aliases: []string{"cis"}, Short: "Look at the estate: configuration items and what needs what"}
	cmd.AddCommand(ciList(), ciShow(), ciReach("upstream", "Show what a CI needs, directly or not"),
		ciReach("downstream", "Show what needs a CI, directly or not"), ciImpact(), ciPath())
	return cmd
}

func ciList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List CIs", Args: cobra.NoArgs}
	f := cmd.Flags()
	f.StringSlice("class", nil, "only of these classes")
	f.StringP("search", "q", "", "only with this text in ID, name or keys")
	f.StringSlice("owner", nil, "only of these owners")
	f.StringSlice("environment", nil, "only in these environments")
	f.StringSlice("criticality", nil, "only these: critical, high, medium, low")
	pageFlags(cmd)
	completeWords(cmd, "criticality", "critical", "high", "medium", "low")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var page api.List[cmdb.CI]
		raw, err := c.get(cmd.Context(), "/cis", queryOf(cmd, "class", "search=q", "owner", "environment", "criticality", "limit", "cursor"), &page)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(page.Items) == 0 {
				fmt.Fprintln(p, "no CIs; load some with: tocsin import FILE")
				return
			}
			p.row("ID", "CLASS", "NAME", "OWNER", "ENVIRONMENT", "CRITICALITY", "SOURCE")
			for i := range page.Items {
				ci := &page.Items[i]
				p.row(ci.ID, ci.Class, ci.Name, ci.Owner, ci.Environment, ci.Criticality, ci.Source)
			}
			p.more(page.Next)
		})
	}
	return cmd
}

func ciShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "Show one CI and its direct relations", Args: cobra.ExactArgs(1), ValidArgsFunction: atMost(1, completeCIs)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var ci api.CI
		raw, err := c.get(cmd.Context(), path("cis", args[0]), nil, &ci)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) { p.ci(&ci) })
	}
	return cmd
}

func (p *printer) ci(ci *api.CI) {
	fmt.Fprintf(p, "%s  %s\n\n", visible(ci.ID), visible(ci.DisplayName()))
	p.field("class", ci.Class)
	p.field("owner", ci.Owner)
	p.field("environment", ci.Environment)
	p.field("criticality", string(ci.Criticality))
	p.field("source", ci.Source)
	p.field("written", p.both(ci.At))
	for _, k := range slices.Sorted(maps.Keys(ci.Keys)) {
		p.field("key "+k, strings.Join(ci.Keys[k], ", "))
	}
	for _, k := range slices.Sorted(maps.Keys(ci.Attributes)) {
		p.field(k, ci.Attributes[k])
	}
	p.relations("NEEDS", ci.NeedsCount, ci.Needs, func(r cmdb.Relation) string { return r.To })
	p.relations("NEEDED BY", ci.NeededByCount, ci.NeededBy, func(r cmdb.Relation) string { return r.From })
}

func (p *printer) relations(title string, count int, rels []cmdb.Relation, end func(cmdb.Relation) string) {
	if count == 0 {
		return
	}
	fmt.Fprintf(p, "\n%s (%d)\n", title, count)
	for _, r := range rels {
		group := ""
		if r.Group != "" {
			group = fmt.Sprintf("group %s, hit when %d of it fail", r.Group, r.Need)
			if r.Need == 0 {
				group = fmt.Sprintf("group %s, hit when all of it fail", r.Group)
			}
		}
		p.row(end(r), r.Type, group)
	}
	if count > len(rels) {
		fmt.Fprintf(p, "… and %d more\n", count-len(rels))
	}
}

func reachFlags(cmd *cobra.Command) {
	cmd.Flags().Int("hops", 0, "how far to go; as far as it goes when 0")
	cmd.Flags().Int("limit", 1000, "at most this many")
}

func ciReach(direction, what string) *cobra.Command {
	cmd := &cobra.Command{Use: direction + " ID", Short: what, Args: cobra.ExactArgs(1), ValidArgsFunction: atMost(1, completeCIs)}
	reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var reach api.Reach
		raw, err := c.get(cmd.Context(), path("cis", args[0], direction), queryOf(cmd, "hops", "limit"), &reach)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) { p.reached(reach.Items, reach.Truncated) })
	}
	return cmd
}

func (p *printer) reached(items []api.Reached, truncated bool) {
	if len(items) == 0 {
		fmt.Fprintln(p, "nothing")
		return
	}
	p.row("HOPS", "ID", "CLASS", "NAME", "VIA", "RELATION")
	for i := range items {
		r := &items[i]
		p.row(r.Hops, r.ID, r.Class, r.Name, r.Via, r.Type)
	}
	if truncated {
		fmt.Fprintln(p, "\nthere is more; raise --limit")
	}
}

func ciImpact() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "impact ID…",
		Short:             "Show who is hit when CIs fail together, redundancy considered",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeCIs,
	}
	reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var hit api.Impact
		raw, err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/impact", query: queryOf(cmd, "hops", "limit"),
			body: api.ImpactRequest{Failed: args}}, &hit)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			more := ""
			if hit.ServiceCount > len(hit.Services) {
				more = ", …"
			}
			fmt.Fprintf(p, "hit: %s, %s", count(len(hit.Hit), "CI"), count(hit.ServiceCount, "service"))
			if len(hit.Services) > 0 {
				fmt.Fprintf(p, ": %s%s", visible(strings.Join(hit.Services, ", ")), more)
			}
			fmt.Fprint(p, "\n\n")
			p.reached(hit.Hit, hit.Truncated)
		})
	}
	return cmd
}

func ciPath() *cobra.Command {
	cmd := &cobra.Command{Use: "path FROM TO", Short: "Show the shortest way between two CIs", Args: cobra.ExactArgs(2), ValidArgsFunction: atMost(2, completeCIs)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var way api.Path
		raw, err := c.get(cmd.Context(), "/path", url.Values{"from": {args[0]}, "to": {args[1]}}, &way)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(way.Steps) == 0 {
				fmt.Fprintln(p, "they are the same CI")
			}
			for _, s := range way.Steps {
				says := "needs"
				if s.Direction == cmdb.StepNeededBy {
					says = "is needed by"
				}
				p.row(s.From, says, s.To, s.Type)
			}
		})
	}
	return cmd
}

// completeCIs offers the CIs whose ID begins as typed.
func completeCIs(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	c, err := completionClient(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var page api.List[cmdb.CI]
	if _, err := c.get(cmd.Context(), "/cis", url.Values{"q": {prefix}}, &page); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for i := range page.Items {
		if ci := &page.Items[i]; strings.HasPrefix(ci.ID, prefix) {
			out = append(out, ci.ID+"\t"+visible(ci.Class+" "+ci.Name))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
