package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"tocsin/internal/bench"
)

func newBenchCompareCommand() *cobra.Command {
	var ours, theirs string
	cmd := &cobra.Command{
		Use:     "compare --ours PATTERN --theirs PATTERN",
		Short:   "Print the ratios of two servers' reports",
		Long:    "Print medians and ratios of the JSON reports that `tocsin bench -o json` wrote for\ntwo servers under the same load. deploy/bench/compare.sh does the runs.",
		Example: "  tocsin bench compare --ours 'out/tocsin-*.json' --theirs 'out/alertmanager-*.json'",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&ours, "ours", "", "reports of the one server")
	f.StringVar(&theirs, "theirs", "", "reports of the other, which the first is divided by")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := readReports("ours", ours)
		if err != nil {
			return err
		}
		b, err := readReports("theirs", theirs)
		if err != nil {
			return err
		}
		ratios, err := bench.Compare(a, b)
		if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		return render(cmd, ratios, func(p *printer) {
			number := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
			between := func(r [2]float64) string { return number(r[0]) + "–" + number(r[1]) }
			p.row("PHASE", "FIGURE (median)", "OURS", "RANGE", "THEIRS", "RANGE", "OURS/THEIRS")
			for _, r := range ratios {
				p.row(r.Phase, r.Figure, number(r.Ours), between(r.OursRange), number(r.Theirs), between(r.TheirsRange), strconv.FormatFloat(r.Times, 'f', 3, 64))
			}
		})
	}
	return cmd
}

func readReports(flag, pattern string) ([]bench.Report, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, usageError{fmt.Errorf("--%s %q: no such file", flag, pattern)}
	}
	var all []bench.Report
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		var r bench.Report
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("--%s: %s is no report: %w", flag, file, err)
		}
		all = append(all, r)
	}
	return all, nil
}
