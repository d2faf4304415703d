package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/config"
	"tocsin/internal/simulate"
)

func newSimulateCommand() *cobra.Command {
	o := simulate.Defaults()
	var profile, start, duration, out string
	var force bool
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Make an estate with faults, alerts and changes, and the truth about them",
		Long: "Make an estate of any size and what happens in it: faults that travel along the\n" +
			"relations, the alerts that they raise, noise and changes. Written to --out are\n" +
			"topology.json, alerts.jsonl and changes.jsonl, and the truth about them:\n" +
			"truth.jsonl, incidents.jsonl and change_truth.jsonl. Times are Unix seconds.\n\n" +
			"The same flags make the same files, to the byte.",
		Example: "  tocsin simulate --out week\n" +
			"  tocsin simulate --out net --profile network --cis 400 --faults 120 --noise 0.6\n" +
			"  tocsin simulate --out storm --cis 20000 --faults 0 --noise 0 --storm 100000",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "folder to write to; made when it is not there")
	f.BoolVar(&force, "force", false, "write although the folder has something in it")
	f.StringVar(&profile, "profile", string(o.Profile), "kind of estate: application, kubernetes, network or mixed")
	f.IntVar(&o.CIs, "cis", o.CIs, "CIs of the estate")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "what makes worlds with the same flags differ")
	f.StringVar(&start, "start", o.Start.Format(time.RFC3339), "when it begins, RFC 3339")
	f.StringVar(&duration, "duration", "7d", "time in which faults begin, such as 7d or 12h")
	f.IntVar(&o.Faults, "faults", o.Faults, "faults")
	f.Float64Var(&o.Overlap, "overlap", o.Overlap, "share of faults that strike within 15 minutes of another and near it")
	f.Float64Var(&o.Noise, "noise", o.Noise, "share of alerts that no fault caused")
	f.IntVar(&o.NoiseSeverity, "noise-severity", o.NoiseSeverity, "severity of all noise, 1 to 4; 0 is that of other alerts")
	f.Float64Var(&o.Flap, "flap", o.Flap, "share of a fault's alerts that fire several times")
	f.Float64Var(&o.Missed, "missed", o.Missed, "share of a fault's alerts that do not fire")
	f.IntVar(&o.Changes, "changes", o.Changes, "changes that caused nothing")
	f.Float64Var(&o.Caused, "caused", o.Caused, "share of faults that a further change caused")
	f.Float64Var(&o.Problems, "problems", o.Problems, "share of faults that recur")
	f.IntVar(&o.Storm, "storm", o.Storm, "different alerts in ten seconds around a CI with ten thousand neighbours; 0 is no storm")
	names := make([]string, 0, 4)
	for _, p := range simulate.Profiles() {
		names = append(names, string(p))
	}
	if err := errors.Join(
		cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)),
		cmd.MarkFlagDirname("out")); err != nil {
		panic(err) // the flags are defined above
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var mistakes []error
		if out == "" {
			mistakes = append(mistakes, errors.New("--out is missing: want a folder to write to"))
		}
		var err error
		if o.Start, err = time.Parse(time.RFC3339, start); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--start %q: want RFC 3339, such as 2026-01-02T15:04:05Z", start))
		}
		if o.Duration, err = config.ParseDuration(duration); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--%w", err))
		}
		o.Profile = simulate.Profile(profile)
		// Nothing means the default in the package, but not on the command line.
		if o.CIs == 0 {
			mistakes = append(mistakes, fmt.Errorf("--cis 0: want %d to %d", simulate.MinCIs, simulate.MaxCIs))
		}
		if err == nil && o.Duration == 0 {
			mistakes = append(mistakes, fmt.Errorf("--duration %s: want one minute to ten years", duration))
		}
		if err := errors.Join(append(mistakes, o.Validate())...); err != nil {
			return usageError{err}
		}
		if err := emptyFolder(out, force); err != nil {
			return err
		}
		o.Progress = stepsTo(cmd.ErrOrStderr())
		w, err := simulate.New(o)
		if err != nil {
			return err
		}
		if err := writeWorld(cmd.Context(), w, out); err != nil {
			return err
		}
		s := w.Summary()
		return render(cmd, s, func(p *printer) {
			fmt.Fprintf(p, "%s: %s\n", visible(out), simulatedText(s))
		})
	}
	return cmd
}

// simulatedText is the summary in one line.
func simulatedText(s simulate.Summary) string {
	noise := 0.0
	if s.Alerts > 0 {
		noise = 100 * float64(s.Noise) / float64(s.Alerts)
	}
	return strings.Join([]string{
		count(s.CIs, "CI"), count(s.Relations, "relation"),
		fmt.Sprintf("%s (%d distinct, %.0f %% noise)", count(s.Alerts, "alert"), s.Distinct, noise),
		fmt.Sprintf("%s (%d overlap, %d of %s)", count(s.Incidents, "incident"), s.Overlapping, s.Recurring, count(s.Problems, "problem")),
		fmt.Sprintf("%s (%d caused an incident)", count(s.Changes, "change"), s.Causing),
	}, ", ")
}

// emptyFolder makes the folder, and refuses one that has something in it.
func emptyFolder(dir string, force bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if len(entries) > 0 && !force {
		return fmt.Errorf("--out %s: the folder is not empty; name another one, or overwrite with --force", dir)
	}
	return nil
}

// writeWorld writes the files of a world. Each has its name only when it is
// whole.
func writeWorld(ctx context.Context, w *simulate.World, dir string) error {
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"topology.json", w.WriteTopology}, {"alerts.jsonl", w.WriteAlerts}, {"truth.jsonl", w.WriteTruth},
		{"incidents.jsonl", w.WriteIncidents}, {"changes.jsonl", w.WriteChanges}, {"change_truth.jsonl", w.WriteChangeTruth},
	} {
		if err := writeWhole(ctx, filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
	}
	return nil
}

func writeWhole(ctx context.Context, name string, write func(io.Writer) error) error {
	part := name + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	err = write(untilDone{ctx, f})
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, name)
	}
	if err == nil {
		return nil
	}
	if gone := os.Remove(part); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; the files that are there are whole")
	}
	return err
}

// untilDone stops writing when the context ends.
type untilDone struct {
	ctx context.Context
	io.Writer
}

func (u untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Writer.Write(b)
}

// stepsTo shows a person the progress of steps, a few times a second.
func stepsTo(w io.Writer) func(step string, done, total int) {
	file, ok := terminalOf(w)
	if !ok {
		return nil
	}
	var last time.Time
	return func(step string, done, total int) {
		if done == total {
			fmt.Fprint(file, "\r\x1b[K")
			return
		}
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond {
			last = now
			fmt.Fprintf(file, "\r\x1b[K%s: %d of %d", step, done, total)
		}
	}
}
