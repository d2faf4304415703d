package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/cmdb"
	"tocsin/cmdb/file"
	"tocsin/internal/api"
)

// readEstate is what the API reads imports with.
func readEstate(format, name string, r io.Reader) (api.EstateFile, error) {
	e, err := file.Parse(r, name, file.Format(format))
	if err != nil {
		return api.EstateFile{}, err
	}
	return api.EstateFile{CIs: e.CIs, Relations: e.Relations,
		Positions: cmdb.Positions{CI: e.Positions.CI, Relation: e.Positions.Relation}}, nil
}

func newImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Load CIs and relations into a server's estate",
		Long: "Load CIs and relations from YAML, JSON or CSV files into a server's estate.\n" +
			"The files together are all that the source has: what it had brought before and\n" +
			"no longer brings is retired. What other sources brought stays.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  tocsin import --dry-run estate.yaml\n  tocsin import --source netbox cis.csv relations.csv",
	}
	f := cmd.Flags()
	f.String("source", "import", "where this comes from")
	f.Bool("dry-run", false, "only say what would change")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		body, q, err := importBody(args)
		if err != nil {
			return err
		}
		source, _ := f.GetString("source")
		dryRun, _ := f.GetBool("dry-run")
		q.Set("source", source)
		q.Set("dry_run", fmt.Sprint(dryRun))
		var done api.Import
		raw, err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/cmdb/import", query: q, body: body,
			header: map[string]string{"Content-Type": "application/octet-stream"}}, &done)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) { p.imported(&done) })
	}
	return cmd
}

// importBody is one file as it is, so that the server tells positions in it,
// or several put together as one, because one import retires what it lacks.
func importBody(names []string) (io.Reader, url.Values, error) {
	if len(names) == 1 {
		format, err := file.FormatOf(names[0])
		if err != nil {
			return nil, nil, usageError{err}
		}
		b, err := os.ReadFile(names[0])
		return bytes.NewReader(b), url.Values{"format": {string(format)}, "name": {names[0]}}, err
	}
	var whole struct {
		CIs       []cmdb.CI       `json:"cis"`
		Relations []cmdb.Relation `json:"relations"`
	}
	for _, name := range names {
		e, err := parseFile(name)
		if err != nil {
			return nil, nil, err
		}
		whole.CIs = append(whole.CIs, e.CIs...)
		whole.Relations = append(whole.Relations, e.Relations...)
	}
	b, err := json.Marshal(whole)
	return bytes.NewReader(b), url.Values{"format": {string(file.JSON)}, "name": {strings.Join(names, "+")}}, err
}

func parseFile(name string) (file.Estate, error) {
	format, err := file.FormatOf(name)
	if err != nil {
		return file.Estate{}, usageError{err}
	}
	f, err := os.Open(name)
	if err != nil {
		return file.Estate{}, err
	}
	defer f.Close()
	return file.Parse(f, name, format)
}

func (p *printer) imported(done *api.Import) {
	if done.DryRun {
		fmt.Fprintln(p, "dry run, nothing is changed")
	}
	fmt.Fprintln(p, visible(done.Summary))
	const most = 50
	n := 0
	line := func(sign, what string) {
		if n++; n <= most {
			fmt.Fprintf(p, "%s %s\n", sign, visible(what))
		}
	}
	taken := func(from string) string {
		if from == "" {
			return ""
		}
		return ", taken over from " + from
	}
	rel := func(r cmdb.RelationRef) string { return r.From + " " + r.Type + " " + r.To + taken(r.TakenFrom) }
	for _, id := range done.Diff.CIs.New {
		line("+", id)
	}
	for _, c := range done.Diff.CIs.Changed {
		line("~", c.ID+": "+strings.Join(c.Fields, ", ")+taken(c.TakenFrom))
	}
	for _, id := range done.Diff.CIs.Retired {
		line("-", id)
	}
	for _, r := range done.Diff.Relations.New {
		line("+", rel(r))
	}
	for _, r := range done.Diff.Relations.Changed {
		line("~", rel(r))
	}
	for _, r := range done.Diff.Relations.Retired {
		line("-", rel(r))
	}
	if n > most {
		fmt.Fprintf(p, "… and %d more; -o json lists them all\n", n-most)
	}
}
