package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/bench"
)

func newBenchCommand() *cobra.Command {
	var o bench.Options
	var kind, starts string
	var visible bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Send realistic alerts to Tocsin or an Alertmanager and measure what they cost it",
		Long: "Send realistic alerts (11 labels, 4 annotations, about 870 bytes) to Tocsin or a\n" +
			"real Alertmanager on this machine and measure rate, latency, CPU and memory.\n\n" +
			"Every distinct alert is sent once (phase \"new\"), then again until --alerts are\n" +
			"sent (phase \"re-sends\"). Compare CPU per million alerts of two servers in one\n" +
			"sitting; rates alone say little on a machine that has other work.",
		Example: "  tocsin bench --alerts 1000000 --unique 100000 --pid $(pidof tocsin)\n" +
			"  tocsin bench --url http://127.0.0.1:9093/api/v2/alerts --new -o json\n" +
			"  tocsin bench --new --alerts 30000 --batch 10 --rate 1000 --measure-visible",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&kind, "target-kind", string(bench.KindAPI), "api (POST /api/v2/alerts) or webhook (Alertmanager's webhook)")
	f.StringVar(&o.URL, "url", "", "address to post to, on loopback; default that of --server for the kind")
	f.IntVar(&o.Alerts, "alerts", 100_000, "alerts to send in all")
	f.IntVar(&o.Unique, "unique", 1000, "distinct alerts among them")
	f.BoolVar(&o.New, "new", false, "every alert is a new one")
	f.IntVar(&o.Batch, "batch", 100, "alerts in a request")
	f.IntVar(&o.Concurrency, "concurrency", 4, "connections")
	f.Float64Var(&o.Rate, "rate", 0, "alerts a second; 0 is as fast as possible")
	f.DurationVar(&o.Duration, "duration", 0, "end each phase after this long; 0 is no limit")
	f.Float64Var(&o.Changing, "changing-annotations", 0, "share of re-sends, 0 to 1, whose annotations change")
	f.IntVar(&o.FirstID, "first-id", 0, "number of the first alert, so that two runs send different ones")
	f.StringVar(&starts, "starts-at", "", "start of the alerts, RFC 3339; default ten minutes ago")
	f.IntVar(&o.PID, "pid", 0, "the server's process, for its CPU and memory (Linux)")
	f.BoolVar(&visible, "measure-visible", false, "also time POST to incident readable; Tocsin only")
	f.StringVar(&o.ReadURL, "read-url", "", "Tocsin to read the incidents from; implies --measure-visible, default --server")
	if err := cmd.RegisterFlagCompletionFunc("target-kind", cobra.FixedCompletions([]string{"api", "webhook"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Kind = bench.Kind(kind)
		server := strings.TrimSuffix(cmd.Flag("server").Value.String(), "/")
		if !strings.Contains(server, "://") {
			server = "http://" + server
		}
		if o.URL == "" {
			o.URL = server + map[bench.Kind]string{bench.KindAPI: "/api/v2/alerts", bench.KindWebhook: "/api/v1/webhooks/alertmanager"}[o.Kind]
		}
		if visible && o.ReadURL == "" {
			o.ReadURL = server
		}
		if starts != "" {
			t, err := time.Parse(time.RFC3339, starts)
			if err != nil {
				return usageError{fmt.Errorf("--starts-at %q: want RFC 3339, such as 2026-01-02T15:04:05Z", starts)}
			}
			o.StartsAt = t
		}
		o.Progress = progressTo(cmd.ErrOrStderr())
		report, err := bench.Run(cmd.Context(), o)
		if len(report.Phases) > 0 {
			err = errors.Join(render(cmd, report, func(p *printer) { printReport(p, report) }), err)
		}
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted; the figures are of what was sent until then")
		}
		return err
	}
	cmd.AddCommand(newBenchCompareCommand())
	return cmd
}

// progressTo shows progress to a person and nothing to a file or a pipe.
func progressTo(w io.Writer) func(phase string, sent, total int) {
	file, ok := terminalOf(w)
	if !ok {
		return nil
	}
	return func(phase string, sent, total int) {
		fmt.Fprintf(file, "\r\x1b[K%s: %d of %d alerts", phase, sent, total)
		if sent == total {
			fmt.Fprint(file, "\r\x1b[K")
		}
	}
}

// terminalOf is the terminal that w is, if it is one.
func terminalOf(w io.Writer) (*os.File, bool) {
	file, ok := w.(*os.File)
	if !ok {
		return nil, false
	}
	info, err := file.Stat()
	return file, err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printReport prints a figure a line and a phase a column.
func printReport(p *printer, r bench.Report) {
	fmt.Fprintf(p, "%s (%s), batches of %d, %d connections, %d distinct alerts of %.0f bytes\n\n",
		visible(r.URL), r.Kind, r.Batch, r.Concurrency, r.Unique, r.BytesPerAlert)
	line := func(name string, value func(bench.Phase) (string, bool)) {
		cells, any := []any{name}, false
		for _, ph := range r.Phases {
			s, ok := value(ph)
			any = any || ok
			cells = append(cells, s)
		}
		if any {
			p.row(cells...)
		}
	}
	number := func(name string, value func(bench.Phase) float64) {
		line(name, func(ph bench.Phase) (string, bool) {
			return strconv.FormatFloat(value(ph), 'f', -1, 64), true
		})
	}
	line("PHASE", func(ph bench.Phase) (string, bool) { return strings.ToUpper(ph.Name), true })
	number("alerts", func(ph bench.Phase) float64 { return float64(ph.Alerts) })
	line("failed", func(ph bench.Phase) (string, bool) { return strconv.FormatInt(ph.Failed, 10), ph.Failed > 0 })
	number("seconds", func(ph bench.Phase) float64 { return ph.Seconds })
	number("alerts per second", func(ph bench.Phase) float64 { return ph.AlertsPerSecond })
	number("POST p50, ms", func(ph bench.Phase) float64 { return ph.Latency.P50 })
	number("POST p99, ms", func(ph bench.Phase) float64 { return ph.Latency.P99 })
	number("client CPU s per million", func(ph bench.Phase) float64 { return ph.ClientCPUPerMillion })
	server := func(name string, value func(bench.Server) float64) {
		line(name, func(ph bench.Phase) (string, bool) {
			if ph.Server == nil {
				return "", false
			}
			return strconv.FormatFloat(value(*ph.Server), 'f', -1, 64), true
		})
	}
	server("server CPU s per million", func(s bench.Server) float64 { return s.CPUPerMillion })
	server("server RSS, MiB", func(s bench.Server) float64 { return s.RSSMiB })
	server("server peak RSS, MiB", func(s bench.Server) float64 { return s.PeakMiB })
	server("RSS growth per active alert, KiB", func(s bench.Server) float64 { return s.RSSPerAlertKiB })
	delay := func(name string, value func(bench.Delay) float64) {
		line(name, func(ph bench.Phase) (string, bool) {
			if ph.Visible == nil {
				return "", false
			}
			return strconv.FormatFloat(value(*ph.Visible), 'f', -1, 64), true
		})
	}
	delay("incident readable p50, ms", func(d bench.Delay) float64 { return d.P50 })
	delay("incident readable p99, ms", func(d bench.Delay) float64 { return d.P99 })
	delay("incident samples", func(d bench.Delay) float64 { return float64(d.Samples) })
	delay("incident never readable", func(d bench.Delay) float64 { return float64(d.Never) })
	for _, ph := range r.Phases {
		if ph.FirstError != "" {
			fmt.Fprintf(p, "\nfirst error in %s: %s\n", ph.Name, visible(ph.FirstError))
		}
		if ph.Visible != nil && ph.Visible.LastError != "" {
			fmt.Fprintf(p, "\nlast error reading in %s: %s\n", ph.Name, visible(ph.Visible.LastError))
		}
	}
}
