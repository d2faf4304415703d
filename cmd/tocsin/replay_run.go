package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tocsin/ingest"
	"tocsin/internal/quality"
	"tocsin/internal/replay"
	"tocsin/internal/sqlite"
)

// replayJob is a replay with all that it needs read.
type replayJob struct {
	*replayOptions
	options replay.Options
	// baselineOptions are for the replay to compare with, if there is one.
	baselineOptions *replay.Options
	baseline        []quality.Prediction
	truth           scored
	recorded        *replay.Recorded // of a store
	normalize       replay.Normalize
	progress        func(replay.Progress)
}

// run reads all there is to read first, so that a mistake in the truth is not
// told after an hour of replaying.
func (o *replayOptions) run(cmd *cobra.Command) (*replayReport, error) {
	j := &replayJob{replayOptions: o}
	var errs []error
	errs = append(errs, j.setUp(cmd.ErrOrStderr()))
	for _, p := range readRecords(&errs, o.grouping, quality.ReadPredicted) {
		if j.options.Grouping == nil {
			j.options.Grouping = map[string]string{}
		}
		j.options.Grouping[p.AlertID] = p.IncidentID
	}
	j.baseline = readRecords(&errs, o.baseline, quality.ReadPredicted)
	j.truth = scored{
		truth:       readRecords(&errs, o.score.truth, quality.ReadTruth),
		incidents:   readRecords(&errs, o.score.incidents, quality.ReadIncidents),
		changeTruth: readRecords(&errs, o.score.changeTruth, quality.ReadChangeLinks),
	}
	for _, name := range []string{o.events, o.changes} {
		if name != "" && name != "-" {
			if _, err := os.Stat(name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if o.store != "" {
		history, err := sqlite.OpenHistory(cmd.Context(), filepath.Join(o.store, "tocsin.db"))
		if err != nil {
			errs = append(errs, err)
		} else {
			defer func() { _ = history.Close() }() // only read
			j.recorded = o.recording(history)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return j.run(cmd)
}

// replaySettle is how long the engine may look at what happened last.
const replaySettle = 30 * time.Minute

// recording is what is replayed of a store.
func (o *replayOptions) recording(history *sqlite.History) *replay.Recorded {
	r := &replay.Recorded{Recording: history, To: o.toTime}
	if !o.fromTime.IsZero() {
		r.From = o.fromTime.Add(-o.warmUp)
	}
	return r
}

// setUp reads configurations and estates.
func (j *replayJob) setUp(stderr io.Writer) error {
	options := func(config string) (replay.Options, error) {
		set, err := newSetup(config, j.cmdb)
		if err != nil {
			return replay.Options{}, err
		}
		for _, w := range set.Warnings {
			fmt.Fprintf(stderr, "tocsin: warning: %s\n", visible(fmt.Sprint(w)))
		}
		opt := replay.Options{
			Config: set.Config.Correlation, Rules: set.Config.Binding.Rules, Since: j.fromTime, Folded: len(j.kafka) == 0,
			HideSeverity: j.hideSeverity, SeverityLabels: set.Config.Ingest.SeverityLabels, WithoutCommands: j.withoutCommands,
		}
		j.normalize = ingest.NewNormalizer(set.Config.Ingest.Normalizer()).Normalize
		if j.store == "" {
			opt.Settle = replaySettle // a store ends at its own end
		}
		// The files that a configuration names are the server's, whose estate is
		// in its store as it was.
		if j.store == "" || len(j.cmdb) > 0 {
			opt.KeepEstate = true
			if opt.Estate, err = set.Estate.Snapshot(); err != nil {
				return replay.Options{}, err
			}
		}
		return opt, nil
	}
	var errs []error
	var err error
	if j.options, err = options(j.config); err != nil {
		errs = append(errs, err)
	}
	for _, kind := range j.without {
		if err := j.options.Config.Weights.Without(kind); err != nil {
			errs = append(errs, fmt.Errorf("--without: %w", err))
		}
	}
	if j.dryRun != "" && j.options.Config.Threshold != 0 {
		opt, err := withoutRule(j.options, j.dryRun)
		if err != nil {
			errs = append(errs, err)
		}
		j.baselineOptions = &opt
	}
	if j.baselineConfig != "" {
		opt, err := options(j.baselineConfig)
		if err != nil {
			errs = append(errs, err)
		}
		j.baselineOptions = &opt
	}
	return errors.Join(errs...)
}

// withoutRule are options without one of their rules.
func withoutRule(opt replay.Options, name string) (replay.Options, error) {
	var names []string
	rules := opt.Config.Rules
	opt.Config.Rules = nil
	for i := range rules {
		names = append(names, rules[i].Name)
		if rules[i].Name != name {
			opt.Config.Rules = append(opt.Config.Rules, rules[i])
		}
	}
	if len(opt.Config.Rules) == len(rules) {
		return opt, usageError{fmt.Errorf("--dry-run %q: the configuration has no such rule; it has %q", name, names)}
	}
	return opt, nil
}

func (j *replayJob) run(cmd *cobra.Command) (*replayReport, error) {
	ctx := cmd.Context()
	if j.cmdbNow {
		estate, err := j.recorded.Latest(ctx)
		if err != nil {
			return nil, err
		}
		j.options.Estate, j.options.KeepEstate = estate, true
	}
	if show := replayProgress(cmd.ErrOrStderr(), time.Now); show != nil {
		j.progress = show
		defer fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	res, err := j.replay(cmd, j.options)
	if err != nil {
		return nil, err
	}
	before, err := j.before(ctx, cmd, res)
	if err != nil {
		return nil, err
	}
	rep := &replayReport{Input: res.Input, Result: res.Outcome.Totals()}
	if before != nil {
		rep.Difference = replay.Compare(before, res.Outcome)
	}
	if j.recorded != nil {
		labels, err := j.recorded.Labels(ctx, j.fromTime)
		if err != nil {
			return nil, err
		}
		if len(labels) > 0 {
			agreement := res.Outcome.Agree(labels)
			rep.People = &agreement
		}
	}
	rec := res.Records()
	if j.out != "" {
		if err := rec.Write(j.out); err != nil {
			return nil, fmt.Errorf("--out: %w", err)
		}
	}
	if j.score.truth != "" {
		if rep.Score, err = j.judge(ctx, rec); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

func (j *replayJob) replay(cmd *cobra.Command, opt replay.Options) (*replay.Result, error) {
	src, done, err := j.open(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	opt.Progress = j.progress
	return replay.Run(cmd.Context(), src, opt)
}

// before is the outcome to compare with; nil when there is none.
func (j *replayJob) before(ctx context.Context, cmd *cobra.Command, res *replay.Result) (*replay.Outcome, error) {
	switch {
	case j.baselineOptions != nil:
		other, err := j.replay(cmd, *j.baselineOptions)
		if err != nil {
			return nil, fmt.Errorf("--baseline-config: %w", err)
		}
		return other.Outcome, nil
	case j.replayOptions.baseline != "":
		o, err := res.Baseline(j.baseline)
		return o, inFile(j.replayOptions.baseline, err)
	case j.recorded != nil:
		return j.recorded.Happened(ctx, j.fromTime)
	default:
		return nil, nil
	}
}

// open opens what there is to replay. done closes it.
func (j *replayJob) open(cmd *cobra.Command) (src replay.Source, done func(), err error) {
	switch {
	case j.recorded != nil:
		return j.recorded, func() {}, nil
	case len(j.kafka) > 0:
		return &replay.Kafka{Brokers: j.kafka, Topic: j.topic, From: j.fromTime, Normalize: j.normalize}, func() {}, nil
	}
	var files []io.Closer
	closeAll := func() {
		for _, f := range files {
			_ = f.Close() // only read
		}
	}
	open := func(name string) (io.Reader, error) {
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
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	events, err := open(j.events)
	if err != nil {
		return nil, nil, err
	}
	name := j.events
	if name == "-" {
		name = "standard input"
	}
	events, form, err := formOf(events)
	if err != nil {
		return nil, nil, inFile(name, err)
	}
	if form == replay.FormEvents {
		if j.changes != "" {
			return nil, nil, fmt.Errorf("--changes: %s holds events of ours, among which changes are; leave it out", name)
		}
		return &replay.Events{Reader: events, Name: name, Normalize: j.normalize}, closeAll, nil
	}
	alerts := &replay.Neutral{Alerts: events, AlertsName: name, ChangesName: j.changes, Timeout: j.resolveTimeout}
	if j.changes != "" {
		if alerts.Changes, err = open(j.changes); err != nil {
			return nil, nil, err
		}
	}
	return alerts, closeAll, nil
}

// formOf looks at the first line of what is to be replayed, and gives all of it
// back.
func formOf(r io.Reader) (io.Reader, replay.Form, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for n := 1; ; n++ {
		head, err := b.Peek(min(n<<10, 64<<10))
		line = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
			break
		}
		if err != nil || n == 64 {
			break
		}
	}
	form := replay.FormNeutral // whose reader says that there is nothing
	if len(line) > 0 {
		var err error
		if form, err = replay.FormOf(line); err != nil {
			return nil, "", err
		}
	}
	if f, ok := r.(io.Seeker); ok {
		if _, err := f.Seek(0, io.SeekStart); err == nil {
			return r, form, nil
		}
	}
	return b, form, nil
}

// judge scores the records of a replay as score does files.
func (j *replayJob) judge(ctx context.Context, rec *replay.Records) (*quality.Report, error) {
	const name = "the replay"
	s := j.truth
	s.predicted, s.causes, s.changes, s.problems = rec.Predicted, rec.Causes, rec.Changes, rec.Problems
	by := j.score
	by.predicted = name
	if by.incidents != "" {
		by.causes = name
		// The truth of causes need not know of problems.
		if len(rec.Problems) > 0 && slices.ContainsFunc(s.incidents, func(inc quality.Incident) bool { return inc.ProblemID != "" }) {
			by.problems = name
		}
	}
	if by.changeTruth != "" {
		by.changes = name
	}
	var level func(string) string
	if by.causes != "" && quality.Level(by.level) == quality.LevelService {
		estate := j.options.Estate
		if estate == nil && j.recorded != nil {
			var err error
			if estate, err = j.recorded.Latest(ctx); err != nil {
				return nil, err
			}
		}
		level = quality.Services(estate)
	}
	return by.judge(s, level)
}

// replayProgress shows a person how far a long replay is, and a file or a pipe
// nothing.
func replayProgress(w io.Writer, now func() time.Time) func(replay.Progress) {
	if !onTerminal(w) {
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
		fmt.Fprintf(w, "\r\x1b[K%d events, %.0f a second, at %s", p.Events, float64(p.Events)/t.Sub(start).Seconds(), p.At.UTC().Format("2006-01-02 15:04:05"))
	}
}

// onTerminal says whether a person reads along.
func onTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
