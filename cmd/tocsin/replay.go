package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tocsin/cmdb"
	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	config          string
	cmdb            []string
	events, changes string
	resolveTimeout  time.Duration
	without         []string
	hideSeverity    bool
	grouping        string
	out             string
	score           scoreOptions
}

func newReplayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay --events FILE",
		Short: "Run what happened through the engine again, and say what would differ",
		Long: "Replay runs recorded alerts through the engine as fast as the machine can, with\n" +
			"another configuration or another estate, without a server and without telling\n" +
			"anybody.\n\n" +
			"--events takes one JSON object a line:\n\n" +
			"  --events   {\"time\", \"end_time\"?, \"id\", \"ci\"?, \"severity\"?, \"name\"?, \"text\"?, \"fingerprint\"?, \"labels\"?}\n" +
			"  --changes  {\"id\", \"time\", \"ci\"?, \"kind\"?, \"text\"?}\n\n" +
			"with times in Unix seconds and severities from 1, the worst, to 4.\n\n" +
			"--out writes predicted.jsonl, causes.jsonl, changes.jsonl and problems.jsonl, as\n" +
			"tocsin score reads them; --truth and --incidents score at once.",
		Example: "  tocsin replay --cmdb topology.json --events alerts.jsonl --changes changes.jsonl --out out\n" +
			"  tocsin replay --cmdb topology.json --events alerts.jsonl --truth truth.jsonl --fail-if 'f1<0.9'",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.events, "events", "", "file with what happened; - is standard input")
	f.StringVar(&o.changes, "changes", "", "file with changes, to go with alerts of --events")
	f.DurationVar(&o.resolveTimeout, "resolve-timeout", 5*time.Minute, "how long an alert of --events without end_time fires unless it comes again")
	f.StringVar(&o.config, "config", "", "configuration to replay with; without, the defaults")
	f.StringArrayVar(&o.cmdb, "cmdb", nil, "estate to replay with, in YAML, JSON or CSV; may be given again")
	f.StringArrayVar(&o.without, "without", nil, "kind of evidence to leave out, such as topology, time or text; may be given again")
	f.BoolVar(&o.hideSeverity, "hide-severity", false, "make all severities unknown")
	f.StringVar(&o.grouping, "grouping", "", "file that says which alert is in which incident, as predicted.jsonl; the engine then finds only causes and problems")
	f.StringVar(&o.out, "out", "", "folder to write predicted.jsonl, causes.jsonl, changes.jsonl and problems.jsonl to")
	f.StringVar(&o.score.truth, "truth", "", "which alert belongs to which incident, to score the replay")
	f.StringVar(&o.score.incidents, "incidents", "", "true causes and problems of incidents; needs --truth")
	f.StringVar(&o.score.changeTruth, "change-truth", "", "which change led to which incident; needs --truth")
	f.StringVar(&o.score.level, "level", string(quality.LevelExact), "what causes are judged as: exact, the very CI, or service")
	f.BoolVar(&o.score.groupsOnly, "groups-only", false, "leave true incidents of a single alert out of the score")
	f.StringArrayVar(&o.score.failIf, "fail-if", nil, "condition under which to exit with 1, such as 'f1<0.9'; may be given again")
	completeWords(cmd, "level", string(quality.LevelExact), string(quality.LevelService))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		gate, err := o.check()
		if err != nil {
			return usageError{err}
		}
		rep, err := o.run(cmd)
		if err != nil {
			return err
		}
		if err := render(cmd, rep, func(p *printer) { p.replayed(rep) }); err != nil {
			return err
		}
		return gate.Check(rep.values())
	}
	return cmd
}

// check finds all mistakes in the flags.
func (o *replayOptions) check() (quality.Gate, error) {
	var errs []error
	if o.events == "" {
		errs = append(errs, errors.New("nothing to replay: give --events"))
	}
	need := func(flag, value, needs, needed string) {
		if value != "" && needed == "" {
			errs = append(errs, fmt.Errorf("--%s needs --%s", flag, needs))
		}
	}
	need("changes", o.changes, "events", o.events)
	need("incidents", o.score.incidents, "truth", o.score.truth)
	need("change-truth", o.score.changeTruth, "truth", o.score.truth)
	if o.resolveTimeout < 0 {
		errs = append(errs, fmt.Errorf("--resolve-timeout %s: want 0, for ever, or more", o.resolveTimeout))
	}
	if _, err := quality.ParseLevel(o.score.level); err != nil {
		errs = append(errs, fmt.Errorf("--%w", err))
	}
	gate, err := quality.ParseGate(o.score.failIf...)
	if err == nil {
		err = gate.Known(replayFigureNames(o.score.truth != ""))
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("--fail-if: %w", err))
	}
	return gate, errors.Join(errs...)
}

// run reads all there is to read first, so that a mistake in the truth is not
// told after an hour of replaying.
func (o *replayOptions) run(cmd *cobra.Command) (*replayReport, error) {
	var errs []error
	set, err := newSetup(o.config, o.cmdb)
	errs = append(errs, err)
	opt := replay.Options{HideSeverity: o.hideSeverity}
	var estate *cmdb.Snapshot
	if err == nil {
		for _, w := range set.Warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "tocsin: warning: %s\n", visible(fmt.Sprint(w)))
		}
		estate, err = set.Estate.Snapshot()
		errs = append(errs, err)
		opt.Config, opt.Rules, opt.Estate = set.Config.Correlation, set.Config.Binding.Rules, estate
		opt.SeverityLabels = set.Config.Ingest.SeverityLabels
		for _, kind := range o.without {
			if err := opt.Config.Weights.Without(kind); err != nil {
				errs = append(errs, fmt.Errorf("--without: %w", err))
			}
		}
	}
	for _, p := range readRecords(&errs, o.grouping, quality.ReadPredicted) {
		if opt.Grouping == nil {
			opt.Grouping = map[string]string{}
		}
		opt.Grouping[p.AlertID] = p.IncidentID
	}
	truth := scored{
		truth:       readRecords(&errs, o.score.truth, quality.ReadTruth),
		incidents:   readRecords(&errs, o.score.incidents, quality.ReadIncidents),
		changeTruth: readRecords(&errs, o.score.changeTruth, quality.ReadChangeLinks),
	}
	src, done, err := o.open(cmd)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	defer done()
	opt.Progress = replayProgress(cmd.ErrOrStderr(), time.Now)
	res, err := replay.Run(cmd.Context(), src, opt)
	if opt.Progress != nil {
		fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	if err != nil {
		return nil, err
	}
	rep := &replayReport{Input: res.Input, Result: res.Outcome.Totals()}
	rec := res.Records()
	if o.out != "" {
		if err := rec.Write(o.out); err != nil {
			return nil, fmt.Errorf("--out: %w", err)
		}
	}
	if o.score.truth != "" {
		if rep.Score, err = o.judge(rec, truth, estate); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

// open opens what there is to replay. done closes it.
func (o *replayOptions) open(cmd *cobra.Command) (src replay.Source, done func(), err error) {
	var files []io.Closer
	done = func() {
		for _, f := range files {
			_ = f.Close() // only read
		}
	}
	open := func(name string) (io.Reader, error) {
		if name == "" {
			return nil, nil
		}
		if name == "-" {
			return cmd.InOrStdin(), nil
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		return f, nil
	}
	events, err1 := open(o.events)
	changes, err2 := open(o.changes)
	if err := errors.Join(err1, err2); err != nil {
		done()
		return nil, nil, err
	}
	return &replay.Neutral{
		Alerts: events, AlertsName: o.events, Changes: changes, ChangesName: o.changes, Timeout: o.resolveTimeout,
	}, done, nil
}

// judge scores the records of a replay as score does files.
func (o *replayOptions) judge(rec *replay.Records, s scored, estate *cmdb.Snapshot) (*quality.Report, error) {
	const name = "the replay"
	s.predicted, s.causes, s.changes, s.problems = rec.Predicted, rec.Causes, rec.Changes, rec.Problems
	by := o.score
	by.predicted = name
	if by.incidents != "" {
		by.causes = name
		if len(rec.Problems) > 0 {
			by.problems = name
		}
	}
	if by.changeTruth != "" {
		by.changes = name
	}
	var level func(string) string
	if by.causes != "" && quality.Level(by.level) == quality.LevelService {
		level = quality.Services(estate)
	}
	return by.judge(s, level)
}

// replayProgress shows a person how far a long replay is, and a file or a pipe
// nothing.
func replayProgress(w io.Writer, now func() time.Time) func(replay.Progress) {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	start := now()
	shown := start.Add(time.Second) // most replays are over by then
	return func(p replay.Progress) {
		t := now()
		if t.Sub(shown) < 500*time.Millisecond {
			return
		}
		shown = t
		fmt.Fprintf(file, "\r\x1b[K%d events, %.0f a second, at %s", p.Events, float64(p.Events)/t.Sub(start).Seconds(), p.At.UTC().Format("2006-01-02 15:04:05"))
	}
}
