package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/cmdb"
	"tocsin/cmdb/file"
	"tocsin/internal/config"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and an estate as serve would read them",
		Long: "Read the configuration, the secrets and the estate that it names exactly as\n" +
			"serve does at its start, and print what was found, or every mistake with its\n" +
			"position. Nothing is started and no server is needed.",
		Example: "  tocsin check --config tocsin.yaml\n  tocsin check --cmdb cis.csv --cmdb relations.csv",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.String("config", "", "configuration file")
	f.StringArray("cmdb", nil, "file with CIs and relations, in YAML, JSON or CSV; may be given again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		configFile, _ := f.GetString("config")
		cmdbFiles, _ := f.GetStringArray("cmdb")
		s, err := newSetup(configFile, cmdbFiles)
		if err != nil {
			if wantsJSON(cmd) {
				if err := render(cmd, failedCheck(err), nil); err != nil {
					return err
				}
			}
			return fmt.Errorf("not usable:\n%w", err)
		}
		return render(cmd, newChecked(configFile, s), func(p *printer) { newChecked(configFile, s).print(p) })
	}
	return cmd
}

// checked is what check found.
type checked struct {
	OK        bool           `json:"ok"`
	Config    string         `json:"config,omitempty"`
	Receivers int            `json:"receivers"`
	Sources   int            `json:"sources"`
	Mappings  int            `json:"mappings"`
	Rules     int            `json:"binding_rules"`
	Defaults  bool           `json:"default_binding_rules"`
	Watchdogs int            `json:"watchdogs"`
	Files     []string       `json:"cmdb_files"`
	CIs       int            `json:"cis"`
	Relations int            `json:"relations"`
	Warnings  []file.Warning `json:"warnings"`
}

func newChecked(configFile string, s *setup) *checked {
	rules := s.Config.Binding.Rules
	c := &checked{
		OK: true, Config: configFile,
		Receivers: len(s.Receivers), Sources: len(s.Config.Ingest.Sources), Mappings: len(s.Mappings), Watchdogs: len(s.Config.Correlation.Watchdogs),
		Rules: len(rules), Defaults: reflect.DeepEqual(rules, cmdb.DefaultRules()), Files: append([]string{}, s.Config.CMDB.Files...),
		CIs: len(s.Estate.CIs), Relations: len(s.Estate.Relations), Warnings: append([]file.Warning{}, s.Warnings...),
	}
	return c
}

func (c *checked) print(p *printer) {
	name := c.Config
	if name == "" {
		name = "none, so the defaults"
	}
	rules := count(c.Rules, "binding rule")
	if c.Defaults {
		rules += " (the defaults)"
	}
	p.row("configuration", name)
	p.row(" ", strings.Join([]string{count(c.Sources, "source"), count(c.Mappings, "mapping"), rules, count(c.Watchdogs, "watchdog"), count(c.Receivers, "receiver")}, ", "))
	if len(c.Files) == 0 {
		p.row("estate", "none, so alerts are bound to nothing")
	} else {
		p.row("estate", strings.Join(c.Files, ", "))
		p.row(" ", count(c.CIs, "CI")+", "+count(c.Relations, "relation"))
	}
	for _, w := range c.Warnings {
		p.row("warning", w)
	}
	p.row("result", "usable")
}

// checkFailure is what check prints as JSON when there are mistakes.
type checkFailure struct {
	OK       bool           `json:"ok"`
	Mistakes []checkMistake `json:"mistakes"`
}

// checkMistake is a mistake for scripts. Position is file:line:column, or
// empty when the file could not be read at all.
type checkMistake struct {
	Position string `json:"position,omitempty"`
	Key      string `json:"key,omitempty"`
	Detail   string `json:"detail"`
}

func failedCheck(err error) *checkFailure {
	f := &checkFailure{Mistakes: []checkMistake{}}
	f.add(err)
	return f
}

func (f *checkFailure) add(err error) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *config.Mistake:
		m := checkMistake{Position: e.File, Key: e.Key, Detail: e.Detail}
		if e.Line > 0 {
			m.Position = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
		}
		f.Mistakes = append(f.Mistakes, m)
	case *cmdb.Mistake:
		f.Mistakes = append(f.Mistakes, checkMistake{Position: e.Position, Detail: e.Detail})
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			f.add(x)
		}
	default:
		f.Mistakes = append(f.Mistakes, checkMistake{Detail: err.Error()})
	}
}
