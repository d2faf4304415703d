package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/learn"
	"tocsin/internal/quality"
	"tocsin/internal/replay"
	"tocsin/internal/sqlite"
)

// learnOptions are the flags of learn.
type learnOptions struct {
	replay   replayOptions // what there is to learn from
	write    string
	proposal int
}

func newLearnCommand() *cobra.Command {
	var o learnOptions
	cmd := &cobra.Command{
		Use:   "learn",
		Short: "Propose weights and rules from what people corrected, and say what each would be worth",
		Long: "Learn looks at what people merged, split and moved, and at what they handled and\n" +
			"left as it was, and tries changes to the configuration that would have made it so\n" +
			"by itself: weights, thresholds, and rules by labels. Each is replayed without what\n" +
			"people did. The first two thirds of the corrections choose, the last third judges.\n\n" +
			"--store takes the data folder of a server, running or not. Give its configuration\n" +
			"with --config. --events and --truth take a labelled set, in the forms that tocsin\n" +
			"replay and tocsin score read; its incidents are the corrections then.\n\n" +
			"A change MENDS a pair of alerts that was wrongly apart or together, or BREAKS one.\n" +
			"A case is an incident, or several that people's commands connect; it is BETTER\n" +
			"when more of its pairs were mended than broken. P is how likely it is that as many\n" +
			"cases of those that changed got better by chance (one-sided sign test).\n\n" +
			"Nothing is applied: --write writes a proposal as a configuration to look at.",
		Example: "  tocsin learn --store data --config tocsin.yaml\n" +
			"  tocsin learn --store data --write learned.yaml\n" +
			"  tocsin replay --store data --config learned.yaml --without-commands\n" +
			"  tocsin learn --cmdb topology.json --events alerts.jsonl --truth truth.jsonl",
		Args: cobra.NoArgs,
	}
	f, r := cmd.Flags(), &o.replay
	f.StringVar(&r.store, "store", "", "data folder of a server")
	f.StringVar(&r.events, "events", "", "file with the alerts of a labelled set")
	f.StringVar(&r.changes, "changes", "", "file with changes, to go with alerts of --events")
	f.StringVar(&r.score.truth, "truth", "", "which alert of --events belongs to which incident")
	f.StringVar(&r.from, "from", "", "what people did from then on; RFC 3339 or -24h")
	f.StringVar(&r.to, "to", "", "and before then; RFC 3339 or -24h")
	f.DurationVar(&r.warmUp, "warm-up", 7*24*time.Hour, "how long before --from to begin, so that the engine knows what it knew")
	f.DurationVar(&r.resolveTimeout, "resolve-timeout", 5*time.Minute, "how long an alert of --events without end_time fires unless it comes again")
	f.StringVar(&r.config, "config", "", "the present configuration; without, the defaults")
	f.StringArrayVar(&r.cmdb, "cmdb", nil, "estate to replay with, in YAML, JSON or CSV; may be given again; without, as it was in the store")
	f.StringVar(&o.write, "write", "", "new file to write a proposal to")
	f.IntVar(&o.proposal, "proposal", 0, "number of the proposal to write; without, the best that is worth considering")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.check(cmd); err != nil {
			return usageError{err}
		}
		return o.run(cmd)
	}
	return cmd
}

// check finds all mistakes in the flags.
func (o *learnOptions) check(cmd *cobra.Command) error {
	r := &o.replay
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case r.store != "" && r.events != "":
		bad("--store and --events: give one of them")
	case r.store == "" && r.events == "":
		bad("nothing to learn from: give --store, or --events and --truth")
	case r.events == "-":
		bad("--events is read many times, which standard input cannot; give a file")
	case r.events != "" && r.score.truth == "":
		bad("--events needs --truth, which says what belongs together")
	}
	for _, n := range []struct {
		flag, value, needs, needed string
	}{
		{"truth", r.score.truth, "events", r.events}, {"changes", r.changes, "events", r.events},
		{"from", r.from, "store", r.store}, {"to", r.to, "store", r.store},
	} {
		if n.value != "" && n.needed == "" {
			bad("--%s needs --%s", n.flag, n.needs)
		}
	}
	switch {
	case !cmd.Flags().Changed("proposal"):
	case o.write == "":
		bad("--proposal needs --write")
	case o.proposal < 1:
		bad("--proposal %d: want 1 or more, as they are numbered in the table", o.proposal)
	}
	return errors.Join(append(errs, r.checkTimes()...)...)
}

// run learns, prints what was learned, and writes what was asked for.
func (o *learnOptions) run(cmd *cobra.Command) error {
	j := &replayJob{replayOptions: &o.replay}
	errs := []error{j.setUp(cmd.ErrOrStderr())}
	truth := readRecords(&errs, o.replay.score.truth, quality.ReadTruth)
	for _, name := range []string{o.replay.events, o.replay.changes} {
		if name == "" {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := os.Lstat(o.write); o.write != "" && err == nil {
		errs = append(errs, fmt.Errorf("--write %s: exists already; name a new file", o.write))
	}
	if o.replay.store != "" {
		history, err := sqlite.OpenHistory(cmd.Context(), filepath.Join(o.replay.store, "tocsin.db"))
		if err != nil {
			errs = append(errs, err)
		} else {
			defer func() { _ = history.Close() }() // only read
			j.recorded = o.replay.recording(history)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	opt := learn.Options{
		Open:   func() (replay.Source, func(), error) { return j.open(cmd) },
		Replay: j.options, What: "edit",
		Evidence: func(*replay.Result) (*learn.Evidence, error) {
			said, err := j.recorded.Feedback(cmd.Context(), j.fromTime)
			if err != nil {
				return nil, err
			}
			happened, err := j.recorded.Happened(cmd.Context(), j.fromTime)
			if err != nil {
				return nil, err
			}
			return learn.FromPeople(&said, happened), nil
		},
	}
	if j.recorded == nil {
		opt.What = "true incident"
		opt.Evidence = func(res *replay.Result) (*learn.Evidence, error) {
			e, err := learn.FromTruth(truth, res)
			if err != nil {
				err = fmt.Errorf("%s and %s: %w", o.replay.events, o.replay.score.truth, err)
			}
			return e, err
		}
	}
	if onTerminal(cmd.ErrOrStderr()) {
		opt.Progress = func(done, total int) { fmt.Fprintf(cmd.ErrOrStderr(), "\r\x1b[Kreplay %d of %d", done, total) }
		defer fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	rep, err := learn.Run(cmd.Context(), opt)
	if err != nil {
		return err
	}
	if err := render(cmd, rep, func(p *printer) { p.learned(rep) }); err != nil {
		return err
	}
	if o.write == "" {
		return nil
	}
	return o.writeProposal(cmd.ErrOrStderr(), rep)
}

// writeProposal writes one as a configuration and says how to try it.
func (o *learnOptions) writeProposal(stderr io.Writer, rep *learn.Report) error {
	p := rep.Best()
	switch {
	case rep.TooFew != "":
		return fmt.Errorf("--write: nothing is proposed: %s", rep.TooFew)
	case o.proposal > len(rep.Proposals):
		return fmt.Errorf("--proposal %d: there are %d", o.proposal, len(rep.Proposals))
	case o.proposal > 0:
		p = &rep.Proposals[o.proposal-1]
	case p == nil:
		return errors.New("--write: no proposal is worth considering; to write one all the same, name it with --proposal")
	}
	cfg := p.Config()
	text, err := learn.Fragment(&cfg, o.comment(rep, p))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("--write: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--write %s: %w", o.write, err)
	}
	place := ""
	if o.replay.config != "" {
		place = fmt.Sprintf("; to use it, put its section correlation into %s", o.replay.config)
	}
	fmt.Fprintf(stderr, "wrote proposal %d to %s%s\ntry it: %s\n", p.N, visible(o.write), visible(place), visible(o.try()))
	return nil
}

// comment says from what a proposal was learned.
func (o *learnOptions) comment(rep *learn.Report, p *learn.Proposal) string {
	of := o.replay.store
	if of == "" {
		of = o.replay.events + " and " + o.replay.score.truth
	}
	e := &rep.Evidence
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s.\n", p.Change, p.Words)
	fmt.Fprintf(&b, "Learned by tocsin learn from %s in %s%s, %s to %s.\n", count(e.Edits, rep.What), of, by(e.People),
		e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339))
	side := func(name string, x *learn.Effect) {
		fmt.Fprintf(&b, "%s: %s mended, %d broken; %s better, %d worse", name, count(x.Mended, "pair"), x.Broken, count(x.Better, "case"), x.Worse)
	}
	side("Training", &p.Training)
	b.WriteString(".\n")
	side("Held out", &p.HeldOut)
	fmt.Fprintf(&b, ", p %s. %s were tried.\n", probability(p.P), count(rep.Tried, "proposal"))
	fmt.Fprintf(&b, "Verdict: %s. Nothing has applied this.\nTry it: %s", p.Verdict, o.try())
	return visibleLines(b.String())
}

// try is the command that shows what a written proposal does.
func (o *learnOptions) try() string {
	r := &o.replay
	words := []string{"tocsin replay"}
	add := func(flag, value string) {
		if value != "" {
			words = append(words, "--"+flag, shellWord(value))
		}
	}
	add("store", r.store)
	for _, name := range r.cmdb {
		add("cmdb", name)
	}
	add("events", r.events)
	add("changes", r.changes)
	add("truth", r.score.truth)
	add("from", r.from)
	add("to", r.to)
	add("config", o.write)
	if r.store != "" {
		words = append(words, "--without-commands")
	}
	return strings.Join(words, " ")
}

// shellWord is a word as a shell needs it.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("-_./:=+,@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
