package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"tocsin/ingest"
	"tocsin/ingest/mapping"
	"tocsin/internal/config"
)

const (
	// maxSample bounds a sample: the same as the door's default for a message.
	maxSample = 16 << 20
	// maxDryRun bounds the runs for finding out what is ignored.
	maxDryRun = time.Minute
)

func newMapCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "map --mapping FILE SAMPLE",
		Short: "Try a mapping of foreign JSON on a sample",
		Long: "Try a mapping of foreign JSON on a sample, without a server: print the events\n" +
			"that it makes, what it rejects and why, and what of the sample it ignores, which\n" +
			"is every value that could be left out without a difference. SAMPLE is a file, or\n" +
			"- for standard input. The mapping may stand in a file of its own, under mappings,\n" +
			"or in a configuration, whose severities and limits then hold too; its secrets are\n" +
			"not read. Exits with 1 when anything is rejected.",
		Example: "  tocsin map --mapping zabbix.yaml sample.json\n  curl -s https://tool.example/alerts | tocsin map --mapping tools.yaml --name tool -",
		Args:    cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.String("mapping", "", "YAML file with the mappings, or a configuration")
	f.String("name", "", "the mapping to try; needed when the file has several")
	// Not MarkFlagRequired: its error says nothing of the help.
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, _ := f.GetString("mapping")
		name, _ := f.GetString("name")
		if file == "" {
			return usageError{errors.New("--mapping: give the YAML file with the mappings")}
		}
		m, opt, err := readMapping(file, name)
		if err != nil {
			return err
		}
		sample, err := readSample(cmd, args[0])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), maxDryRun)
		defer cancel()
		rep := mapping.DryRun(ctx, m, sample, mapping.DryRunOptions{Normalizer: ingest.NewNormalizer(opt), Now: time.Now()})
		if err := render(cmd, rep, func(p *printer) { printDryRun(p, rep) }); err != nil {
			return err
		}
		if n := len(rep.Rejected); n > 0 {
			return fmt.Errorf("%s: %s of the sample rejected", args[0], count(n, "part"))
		}
		return nil
	}
	return cmd
}

// maxMappingFile bounds a file with mappings, as a configuration is.
const maxMappingFile = 4 << 20

// readMapping reads the named mapping, or the only one, of a file of mappings
// or a configuration, and what else the configuration says of its events.
func readMapping(file, name string) (*mapping.Mapping, ingest.NormalizerOptions, error) {
	none := ingest.NormalizerOptions{}
	data, err := readBounded(file, maxMappingFile)
	if err != nil {
		return nil, none, err
	}
	specs, opt, err := mappingsIn(file, data)
	if err != nil {
		return nil, none, err
	}
	var names []string
	for _, spec := range specs {
		names = append(names, spec.Name)
		if name == "" && len(specs) == 1 || name != "" && name == spec.Name {
			m, err := mapping.Compile(spec)
			if err != nil {
				return nil, none, fmt.Errorf("%s: %w", file, err)
			}
			return m, opt, nil
		}
	}
	if name == "" {
		return nil, none, usageError{fmt.Errorf("--name: %s has several mappings: %s", file, strings.Join(names, ", "))}
	}
	return nil, none, fmt.Errorf("--name: %s has no mapping %q; it has %s", file, name, strings.Join(names, ", "))
}

// mappingsIn tells the two kinds of file apart by their top: mappings, or the
// ingest of a configuration. What is neither is taken for the first, whose
// errors name the line. The secrets of a configuration are not read: a mapping
// can be tried where they are not.
func mappingsIn(file string, data []byte) ([]mapping.Spec, ingest.NormalizerOptions, error) {
	var top map[string]yaml.Node
	if yaml.Unmarshal(data, &top) == nil && top["mappings"].Kind == 0 && top["ingest"].Kind != 0 {
		cfg, err := config.Parse(file, data)
		if err != nil {
			return nil, ingest.NormalizerOptions{}, err
		}
		if len(cfg.Ingest.Mappings) == 0 {
			return nil, ingest.NormalizerOptions{}, fmt.Errorf("%s: no ingest.mappings; add the mapping to try", file)
		}
		return cfg.Ingest.Mappings, cfg.Ingest.Normalizer(), nil
	}
	specs, err := mapping.Parse(bytes.NewReader(data), file)
	return specs, ingest.NormalizerOptions{}, err
}

func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, name, most)
}

func readAtMost(in io.Reader, name string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes; give a shorter one", name, most)
	}
	return data, nil
}

func readSample(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return readAtMost(cmd.InOrStdin(), name, maxSample)
	}
	return readBounded(name, maxSample)
}

func printDryRun(p *printer, rep mapping.Report) {
	fmt.Fprintf(p, "%s: %s, %d rejected, %d ignored\n", visible(rep.Mapping), count(len(rep.Events), "event"), len(rep.Rejected), len(rep.Ignored))
	for _, e := range rep.Events {
		fmt.Fprintf(p, "\nevent %d\n", e.Index)
		p.field("  kind", strings.TrimSpace(string(e.Kind)+" "+string(e.Status)))
		p.field("  fingerprint", e.Fingerprint.String())
		severity := e.Severity.String()
		if e.SourceSeverity != "" && e.SourceSeverity != severity {
			severity += fmt.Sprintf(" (%q)", e.SourceSeverity)
		}
		p.field("  severity", severity)
		p.field("  starts at", timeOr(e.StartsAt, "its arrival"))
		if !e.EndsAt.IsZero() || e.Status == "resolved" {
			p.field("  ends at", timeOr(e.EndsAt, "its arrival"))
		}
		for _, l := range e.Labels {
			p.field("  label "+l.Name, l.Value)
		}
		for _, l := range e.Annotations {
			p.field("  annotation "+l.Name, short(l.Value, 120))
		}
		p.field("  generator URL", e.GeneratorURL)
		p.field("  actor", e.Actor)
	}
	if len(rep.Rejected) > 0 {
		fmt.Fprintln(p, "\nrejected")
		for _, x := range rep.Rejected {
			where := fmt.Sprintf("event %d", x.Index)
			if x.Index < 0 {
				where = "all"
			}
			p.row("  "+where, x.Reason, x.Error)
		}
	}
	if len(rep.Ignored) > 0 {
		fmt.Fprintln(p, "\nignored")
		for _, l := range rep.Ignored {
			p.row("  "+l.Path, short(l.Value, 80))
		}
	}
	if rep.Untried > 0 {
		fmt.Fprintf(p, "\n%s not tried: the sample is large; a smaller one tells more\n", count(rep.Untried, "value"))
	}
}

func timeOr(t time.Time, otherwise string) string {
	if t.IsZero() {
		return otherwise
	}
	return t.Format(time.RFC3339Nano)
}
