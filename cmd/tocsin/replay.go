package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	events, changes string
	kafka           []string
	topic           string
	store           string
	from, to        string
	warmUp          time.Duration
	resolveTimeout  time.Duration

	config          string
	cmdb            []string
	cmdbNow         bool
	without         []string
	hideSeverity    bool
	withoutCommands bool
	grouping        string

	baseline, baselineConfig string
	dryRun                   string
	out                      string
	score                    scoreOptions

	fromTime, toTime time.Time // from and to, read
}

func newReplayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Run what happened through the engine again, and say what would differ",
		Long: "Replay runs what happened through the engine again, as fast as the machine can,\n" +
			"with another configuration or another estate. It needs no server, disturbs none\n" +
			"and tells nobody.\n\n" +
			"--store takes the data folder of a server, running or not, and compares with what\n" +
			"happened there. Give the server's configuration with your change in it.\n\n" +
			"--events takes a file with one JSON object a line: events of ours, as the API\n" +
			"lists them, or alerts in the form that sets of labelled alerts come in,\n\n" +
			"  --events   {\"time\", \"end_time\"?, \"id\", \"ci\"?, \"severity\"?, \"name\"?, \"text\"?, \"fingerprint\"?, \"labels\"?}\n" +
			"  --changes  {\"id\", \"time\", \"ci\"?, \"kind\"?, \"text\"?}\n\n" +
			"with times in Unix seconds and severities from 1, the worst, to 4.\n\n" +
			"--kafka and --topic read a topic whose values are events of ours, to the end that\n" +
			"it has now.\n\n" +
			"--baseline compares with the predictions of another run, --baseline-config with a\n" +
			"replay of the same by another configuration, --dry-run with one without a rule of\n" +
			"the configuration, which shows what the rule does. --out writes predicted.jsonl,\n" +
			"causes.jsonl, changes.jsonl and problems.jsonl, as tocsin score reads them;\n" +
			"--truth and --incidents score at once. --fail-if takes conditions such as\n" +
			"'f1<0.9' or 'lost>0,paged>20', with the names that are printed.",
		Example: "  tocsin replay --store data --config changed.yaml --from -168h\n" +
			"  tocsin replay --cmdb topology.json --events alerts.jsonl --changes changes.jsonl --out out\n" +
			"  tocsin replay --cmdb topology.json --events alerts.jsonl --truth truth.jsonl --fail-if 'f1<0.9'",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.store, "store", "", "data folder of a server")
	f.StringVar(&o.events, "events", "", "file with what happened; - is standard input")
	f.StringVar(&o.changes, "changes", "", "file with changes, to go with alerts of --events")
	f.StringSliceVar(&o.kafka, "kafka", nil, "host:port of Kafka brokers")
	f.StringVar(&o.topic, "topic", "", "topic to read from --kafka")
	f.StringVar(&o.from, "from", "", "what happened from then on; RFC 3339 or -24h")
	f.StringVar(&o.to, "to", "", "and before then; RFC 3339 or -24h")
	f.DurationVar(&o.warmUp, "warm-up", 7*24*time.Hour, "how long before --from to begin, so that the engine knows what it knew")
	f.DurationVar(&o.resolveTimeout, "resolve-timeout", 5*time.Minute, "how long an alert of --events without end_time fires unless it comes again")
	f.StringVar(&o.config, "config", "", "configuration to replay with; without, the defaults")
	f.StringArrayVar(&o.cmdb, "cmdb", nil, "estate to replay with, in YAML, JSON or CSV; may be given again; without, as it was in the store")
	f.BoolVar(&o.cmdbNow, "cmdb-now", false, "replay with the estate of the store as it is now, instead of as it was")
	f.StringArrayVar(&o.without, "without", nil, "kind of evidence to leave out, such as topology, time or text; may be given again")
	f.BoolVar(&o.hideSeverity, "hide-severity", false, "make all severities unknown")
	f.BoolVar(&o.withoutCommands, "without-commands", false, "leave out what operators did")
	f.StringVar(&o.grouping, "grouping", "", "file that says which alert is in which incident, as predicted.jsonl; the engine then finds only causes and problems")
	f.StringVar(&o.baseline, "baseline", "", "predicted.jsonl of another run to compare with")
	f.StringVar(&o.dryRun, "dry-run", "", "name of a rule of --config: compare a replay with the rule with one without it")
	f.StringVar(&o.baselineConfig, "baseline-config", "", "configuration of another replay to compare with")
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
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var sources []string
	for _, s := range []struct {
		flag  string
		given bool
	}{{"--store", o.store != ""}, {"--events", o.events != ""}, {"--kafka", len(o.kafka) > 0}} {
		if s.given {
			sources = append(sources, s.flag)
		}
	}
	switch len(sources) {
	case 0:
		bad("nothing to replay: give --store, --events or --kafka")
	case 1:
	default:
		bad("%s: give one of them", strings.Join(sources, " and "))
	}
	need := func(flag string, given bool, needs, needed string) {
		if given && needed == "" {
			bad("--%s needs --%s", flag, needs)
		}
	}
	need("changes", o.changes != "", "events", o.events)
	need("topic", o.topic != "", "kafka", strings.Join(o.kafka, ","))
	need("kafka", len(o.kafka) > 0, "topic", o.topic)
	need("from", o.from != "", "store or --kafka", o.store+strings.Join(o.kafka, ","))
	need("to", o.to != "", "store", o.store)
	need("cmdb-now", o.cmdbNow, "store", o.store)
	need("incidents", o.score.incidents != "", "truth", o.score.truth)
	need("change-truth", o.score.changeTruth != "", "truth", o.score.truth)
	if compared := given("baseline", o.baseline, "baseline-config", o.baselineConfig, "dry-run", o.dryRun); len(compared) > 1 {
		bad("%s: give one of them", strings.Join(compared, " and "))
	}
	need("dry-run", o.dryRun != "", "config", o.config)
	if twice := given("baseline-config", o.baselineConfig, "dry-run", o.dryRun); len(twice) > 0 && o.events == "-" {
		bad("%s reads the events twice, which standard input cannot; give a file", twice[0])
	}
	if o.cmdbNow && len(o.cmdb) > 0 {
		bad("--cmdb and --cmdb-now: give one of them")
	}
	errs = append(errs, o.checkTimes()...)
	if _, err := quality.ParseLevel(o.score.level); err != nil {
		bad("--%w", err)
	}
	gate, err := quality.ParseGate(o.score.failIf...)
	if err == nil {
		err = gate.Known(o.figureNames())
	}
	if err != nil {
		bad("--fail-if: %w", err)
	}
	return gate, errors.Join(errs...)
}

// checkTimes reads from and to, and finds the mistakes in what is replayed of
// the past.
func (o *replayOptions) checkTimes() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.resolveTimeout < 0 {
		bad("--resolve-timeout %s: want 0, for ever, or more", o.resolveTimeout)
	}
	if o.warmUp < 0 {
		bad("--warm-up %s: want 0 or more", o.warmUp)
	}
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"from", o.from, &o.fromTime}, {"to", o.to, &o.toTime}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = timeFlag(t.text); err != nil {
			bad("--%s: %w", t.flag, err)
		}
	}
	if !o.fromTime.IsZero() && !o.toTime.IsZero() && !o.fromTime.Before(o.toTime) {
		bad("--from %s is not before --to %s", o.from, o.to)
	}
	return errs
}

// given lists the flags among pairs of names and values that have a value.
func given(pairs ...string) (flags []string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			flags = append(flags, "--"+pairs[i])
		}
	}
	return flags
}

// figureNames are the names that --fail-if may use.
func (o *replayOptions) figureNames() []string {
	full := replayReport{}
	if o.store != "" || o.baseline != "" || o.baselineConfig != "" || o.dryRun != "" {
		full.Difference = &replay.Difference{PagedUnknown: o.baseline != ""}
	}
	if o.store != "" {
		full.People = &replay.Agreement{}
	}
	var names []string
	for _, f := range full.figures() {
		names = append(names, f.Name)
	}
	if o.score.truth != "" {
		names = append(names, quality.FigureNames()...)
	}
	return names
}
