package main

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// replayReport is what replay prints.
type replayReport struct {
	Input  replay.Counts   `json:"input"`
	Result replay.Totals   `json:"result"`
	Score  *quality.Report `json:"score,omitempty"`
}

// figures are the numbers that a condition of --fail-if may name, besides those
// of the score.
func (r *replayReport) figures() []quality.Figure {
	n := func(name string, v int, meaning string) quality.Figure {
		return quality.Figure{Name: name, Value: float64(v), Count: true, Meaning: meaning}
	}
	refused := 0
	for _, c := range r.Input.Refused {
		refused += int(c)
	}
	return []quality.Figure{
		n("episodes", r.Result.Episodes, "firings of alerts"),
		n("left_out", r.Result.LeftOut, "of which are in no incident"),
		n("incidents", r.Result.Incidents, "incidents, merged ones counted once"),
		n("paged", r.Result.Paged, "times that one opened or reopened"),
		{Name: "noise_reduction", Value: r.Result.Reduction, Meaning: "how much less there is to read"},
		n("unbound", int(r.Input.Unbound.Count), "firings about no known CI"),
		n("late", int(r.Input.Late.Count), "inputs too far out of order"),
		n("refused", refused, "commands that do not fit any more"),
	}
}

func (r *replayReport) values() map[string]float64 {
	values := map[string]float64{}
	for _, f := range r.figures() {
		values[f.Name] = f.Value
	}
	if r.Score != nil {
		for name, v := range r.Score.Values() {
			values[name] = v
		}
	}
	return values
}

// replayFigureNames are the names that --fail-if may use.
func replayFigureNames(scored bool) []string {
	var names []string
	for _, f := range new(replayReport).figures() {
		names = append(names, f.Name)
	}
	if scored {
		names = append(names, quality.FigureNames()...)
	}
	return names
}

func (p *printer) replayed(r *replayReport) {
	in := &r.Input
	if in.Events > 0 {
		const form = "2006-01-02 15:04:05"
		p.row("replayed", fmt.Sprintf("%d events and %s, %s to %s UTC", in.Events, count(int(in.Commands), "command"), in.First.UTC().Format(form), in.Last.UTC().Format(form)))
	}
	examples := func(what string, e replay.Examples) {
		if e.Count > 0 {
			p.row(what, strings.TrimSuffix(fmt.Sprintf("%d, such as %s", e.Count, strings.Join(e.Some, ", ")), ", such as "))
		}
	}
	examples("alerts on no known CI", in.Unbound)
	examples("changes on no known CI", in.UnboundChanges)
	if in.Late.Count > 0 {
		p.row("out of order", fmt.Sprintf("%d, decided when the replay had got further; the worst, %s, by %s: sort the input by time", in.Late.Count, in.Late.Example, span(in.Late.Most)))
	}
	if len(in.Refused) > 0 {
		var parts []string
		for reason, n := range in.Refused {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(reason, "_", " ")))
		}
		slices.Sort(parts)
		p.row("commands that do not fit", strings.Join(parts, ", "))
	}
	fmt.Fprintln(p)
	for _, f := range r.figures()[:5] {
		p.row(f.Name, f, f.Meaning)
	}
	if r.Score != nil {
		fmt.Fprintln(p)
		printScore(p, r.Score)
	}
}
