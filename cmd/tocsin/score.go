package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tocsin/cmdb/file"
	"tocsin/internal/quality"
)

// scoreOptions are the flags of score.
type scoreOptions struct {
	truth, predicted, incidents, causes, cmdb string
	changeTruth, changes, problems            string
	level                                     string
	groupsOnly                                bool
	failIf                                    []string
}

func newScoreCommand() *cobra.Command {
	var o scoreOptions
	cmd := &cobra.Command{
		Use:   "score --truth FILE --predicted FILE",
		Short: "Judge incidents, causes, changes and problems by what is true",
		Long: "Compare what was predicted, by tocsin replay or any other program, with what is\n" +
			"known to be true. All files hold one JSON object a line:\n\n" +
			"  --truth         {\"alert_id\", \"incident_id\"}, null for noise\n" +
			"  --predicted     {\"alert_id\", \"incident_id\"}, null for an alert that was left out\n" +
			"  --incidents     {\"incident_id\", \"root_cis\", \"problem_id\"}, what is true of incidents\n" +
			"  --causes        {\"incident_id\", \"causes\": [{\"kind\", \"id\", \"score\"}]}, ranked\n" +
			"  --change-truth  {\"change_id\", \"incident_id\"}\n" +
			"  --changes       {\"incident_id\", \"change_id\", \"score\"}\n" +
			"  --problems      {\"incident_id\", \"signature\"}\n\n" +
			"With --predicted, a predicted incident stands for the true one that most of its\n" +
			"alerts belong to; without, their IDs are taken for the same. With --truth,\n" +
			"incidents that no alert belongs to are not asked for.\n\n" +
			"--level service judges causes by the service they are part of: by the relations\n" +
			"served_by, owns, runs_in, part_of and the like of --cmdb, or without it by IDs of\n" +
			"the form environment/namespace/name/kind, with a kind such as pod or deployment.\n\n" +
			"--fail-if takes conditions such as 'f1<0.9' or 'leak>0.03,ac@1<0.4', with the\n" +
			"names of -o json; f1, precision, recall and leak are short for pair_f1, pair_p,\n" +
			"pair_r and noise_leak. When one holds, the exit code is 1.",
		Example: "  tocsin score --truth truth.jsonl --predicted out/predicted.jsonl --fail-if 'f1<0.9'\n" +
			"  tocsin score --incidents incidents.jsonl --causes out/causes.jsonl --cmdb topology.json --level service",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.truth, "truth", "", "which alert belongs to which incident")
	f.StringVar(&o.predicted, "predicted", "", "which alert was put in which incident")
	f.StringVar(&o.incidents, "incidents", "", "true causes and problems of incidents")
	f.StringVar(&o.causes, "causes", "", "predicted causes; needs --incidents")
	f.StringVar(&o.level, "level", string(quality.LevelExact), "what causes are judged as: exact, the very CI, or service")
	f.StringVar(&o.cmdb, "cmdb", "", "the estate, for --level service, in YAML, JSON or CSV")
	f.StringVar(&o.changeTruth, "change-truth", "", "which change led to which incident")
	f.StringVar(&o.changes, "changes", "", "predicted links from changes to incidents; needs --change-truth")
	f.StringVar(&o.problems, "problems", "", "predicted signatures of incidents; needs --incidents")
	f.BoolVar(&o.groupsOnly, "groups-only", false, "leave out true incidents of a single alert")
	f.StringArrayVar(&o.failIf, "fail-if", nil, "condition under which to exit with 1; may be given again")
	completeWords(cmd, "level", string(quality.LevelExact), string(quality.LevelService))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		gate, err := o.check()
		if err != nil {
			return usageError{err}
		}
		rep, err := o.report()
		if err != nil {
			return err
		}
		if err := render(cmd, rep, func(p *printer) { printScore(p, rep) }); err != nil {
			return err
		}
		return gate.Check(rep.Values())
	}
	return cmd
}

// check finds all mistakes in the flags.
func (o *scoreOptions) check() (quality.Gate, error) {
	var errs []error
	need := func(flag, value, needs, needed string) {
		if value != "" && needed == "" {
			errs = append(errs, fmt.Errorf("--%s needs --%s", flag, needs))
		}
	}
	need("predicted", o.predicted, "truth", o.truth)
	need("causes", o.causes, "incidents", o.incidents)
	need("changes", o.changes, "change-truth", o.changeTruth)
	need("change-truth", o.changeTruth, "changes", o.changes)
	need("problems", o.problems, "incidents", o.incidents)
	if o.predicted == "" && o.causes == "" && o.changes == "" && o.problems == "" {
		errs = append(errs, errors.New("nothing to judge: give --truth and --predicted, or one of --causes, --changes and --problems with its truth"))
	}
	if _, err := quality.ParseLevel(o.level); err != nil {
		errs = append(errs, fmt.Errorf("--%w", err))
	}
	gate, err := quality.ParseGate(o.failIf...)
	if err == nil {
		err = gate.Known(quality.FigureNames())
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("--fail-if: %w", err))
	}
	return gate, errors.Join(errs...)
}

// scored is what is judged, and by what.
type scored struct {
	truth       []quality.Truth
	predicted   []quality.Prediction
	incidents   []quality.Incident
	causes      []quality.Causes
	changeTruth []quality.ChangeLink
	changes     []quality.ChangeLink
	problems    []quality.Recurrence
}

// report reads all files, so that the mistakes of all are told at once, and
// judges.
func (o *scoreOptions) report() (*quality.Report, error) {
	var errs []error
	s := scored{
		truth:       readRecords(&errs, o.truth, quality.ReadTruth),
		predicted:   readRecords(&errs, o.predicted, quality.ReadPredicted),
		incidents:   readRecords(&errs, o.incidents, quality.ReadIncidents),
		causes:      readRecords(&errs, o.causes, quality.ReadCauses),
		changeTruth: readRecords(&errs, o.changeTruth, quality.ReadChangeLinks),
		changes:     readRecords(&errs, o.changes, quality.ReadChangeLinks),
		problems:    readRecords(&errs, o.problems, quality.ReadProblems),
	}
	level, err := o.levelOf(s.incidents)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return o.judge(s, level)
}

// judge compares what has a name in the options with what is true.
func (o *scoreOptions) judge(s scored, level func(string) string) (*quality.Report, error) {
	var errs []error
	rep := &quality.Report{Level: quality.Level(o.level)}
	var m *quality.Matching
	if o.predicted != "" {
		if err := quality.Match(s.truth, s.predicted); err != nil {
			return nil, fmt.Errorf("%s and %s: %w", o.predicted, o.truth, err)
		}
		g := quality.Score(s.truth, s.predicted, o.groupsOnly)
		rep.Grouping = &g
		m = quality.NewMatching(s.truth, s.predicted)
	}
	if o.truth != "" && o.incidents != "" {
		asked := quality.WithAlerts(s.incidents, s.truth)
		if len(asked) == 0 {
			return nil, fmt.Errorf("%s: none of its %s has an alert in %s; these files are of different sets", o.incidents, count(len(s.incidents), "incident"), o.truth)
		}
		s.incidents = asked
	}
	if o.causes != "" {
		r, err := quality.Rank(s.incidents, s.causes, m, level)
		errs = append(errs, inFile(o.causes, err))
		rep.Ranking = &r
	}
	if o.changes != "" {
		l, err := quality.Link(s.changeTruth, s.changes, m)
		errs = append(errs, inFile(o.changes, err))
		rep.Links = &l
	}
	if o.problems != "" {
		p, err := quality.Recur(s.incidents, s.problems, m)
		errs = append(errs, inFile(o.problems, err))
		rep.Problems = &p
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rep, nil
}

// inFile names the file that an error is about.
func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// readRecords reads a file when one is named, and notes what is wrong with it.
func readRecords[T any](errs *[]error, name string, read func(io.Reader, string) ([]T, error)) []T {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		*errs = append(*errs, err)
		return nil
	}
	defer f.Close()
	records, err := read(f, name)
	if err != nil {
		*errs = append(*errs, err)
	}
	return records
}

// levelOf is what causes are judged as; nil for the CIs themselves.
func (o *scoreOptions) levelOf(incidents []quality.Incident) (func(string) string, error) {
	if o.causes == "" || quality.Level(o.level) == quality.LevelExact {
		return nil, nil
	}
	if o.cmdb != "" {
		estate, _, err := file.Load(o.cmdb)
		if err != nil {
			return nil, err
		}
		snap, err := estate.Snapshot()
		if err != nil {
			return nil, err
		}
		return quality.Services(snap), nil
	}
	for _, inc := range incidents {
		for _, ci := range inc.RootCIs {
			if quality.HasServicePath(ci) {
				return quality.PathService, nil
			}
		}
	}
	if len(incidents) == 0 { // reported already
		return nil, nil
	}
	return nil, fmt.Errorf("--level service: no root CI in %s has the form environment/namespace/name/kind, such as eu/shop/cart/pod; give the estate with --cmdb", o.incidents)
}

func printScore(p *printer, rep *quality.Report) {
	for i, s := range rep.Sections() {
		if i > 0 {
			fmt.Fprintln(p)
		}
		fmt.Fprintln(p, s.Title)
		for _, f := range s.Figures {
			p.row("  "+f.Name, f, f.Meaning)
		}
	}
}
