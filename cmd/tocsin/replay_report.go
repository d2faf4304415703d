package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/quality"
	"tocsin/internal/replay"
)

// replayReport is what replay prints.
type replayReport struct {
	Input      replay.Counts      `json:"input"`
	Result     replay.Totals      `json:"result"`
	Difference *replay.Difference `json:"difference,omitempty"`
	People     *replay.Agreement  `json:"people,omitempty"`
	Score      *quality.Report    `json:"score,omitempty"`
}

// totals are the numbers of an outcome.
func totals(t *replay.Totals) []quality.Figure {
	return []quality.Figure{
		wholeFigure("episodes", t.Episodes, "firings of alerts"),
		wholeFigure("left_out", t.LeftOut, "of which are in no incident"),
		wholeFigure("incidents", t.Incidents, "incidents, merged ones counted once"),
		wholeFigure("paged", t.Paged, "times that one opened or reopened"),
		{Name: "noise_reduction", Value: t.Reduction, Meaning: "how much less there is to read"},
	}
}

func wholeFigure(name string, n int, meaning string) quality.Figure {
	return quality.Figure{Name: name, Value: float64(n), Count: true, Meaning: meaning}
}

// changed are the numbers of a difference.
func changed(d *replay.Difference) []quality.Figure {
	return []quality.Figure{
		wholeFigure("same", d.Same, "incidents of the same alerts as before"),
		wholeFigure("gained", d.Gained, "incidents of alerts that were in none"),
		wholeFigure("lost", d.Lost, "incidents whose alerts are in none any more"),
		wholeFigure("merged", d.Merged, "incidents that were several"),
		wholeFigure("split", d.Split, "incidents that are several now"),
		wholeFigure("cause_changed", d.CauseChanged, "incidents with another likeliest cause"),
		wholeFigure("moved", d.Moved, "alerts in another incident"),
		wholeFigure("now_left_out", d.LeftOut, "alerts in no incident any more"),
		wholeFigure("now_taken_in", d.TakenIn, "alerts that were in none"),
	}
}

// agreement are the numbers of what people said.
func agreement(a *replay.Agreement) []quality.Figure {
	return []quality.Figure{
		wholeFigure("said_together", a.Together, "times that people merged or moved alerts to others"),
		{Name: "agree_together", Value: a.TogetherShare, Meaning: "of which are together"},
		wholeFigure("said_apart", a.Apart, "times that people split or moved alerts from others"),
		{Name: "agree_apart", Value: a.ApartShare, Meaning: "of which are apart"},
		{Name: "agree", Value: a.Share, Meaning: "both"},
	}
}

// figures are the numbers that a condition of --fail-if may name, besides those
// of the score.
func (r *replayReport) figures() []quality.Figure {
	sum := func(counts map[string]int64) (n int) {
		for _, c := range counts {
			n += int(c)
		}
		return n
	}
	out := append(totals(&r.Result),
		wholeFigure("unbound", int(r.Input.Unbound.Count), "firings about no known CI"),
		wholeFigure("late", int(r.Input.Late.Count), "inputs too far out of order"),
		wholeFigure("refused", sum(r.Input.Refused), "commands that do not fit any more"),
		wholeFigure("unreadable", sum(r.Input.Unreadable), "records that are no events"),
	)
	if d := r.Difference; d != nil {
		out = append(out, changed(d)...)
		out = append(out, wholeFigure("more_incidents", d.After.Incidents-d.Before.Incidents, "than before"))
		if !d.PagedUnknown {
			out = append(out, wholeFigure("more_paged", d.After.Paged-d.Before.Paged, "than before"))
		}
	}
	if r.People != nil {
		out = append(out, agreement(r.People)...)
	}
	return out
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

func (p *printer) replayed(r *replayReport) {
	p.replayInput(&r.Input)
	fmt.Fprintln(p)
	if r.Difference == nil {
		for _, f := range totals(&r.Result) {
			p.row(f.Name, f, f.Meaning)
		}
	} else {
		p.difference(r.Difference)
	}
	if r.People != nil {
		fmt.Fprintln(p)
		for _, f := range agreement(r.People) {
			p.row(f.Name, f, f.Meaning)
		}
	}
	if r.Score != nil {
		fmt.Fprintln(p)
		printScore(p, r.Score)
	}
}

func (p *printer) replayInput(in *replay.Counts) {
	const form = "2006-01-02 15:04:05"
	if !in.First.IsZero() {
		p.row("replayed", fmt.Sprintf("%s and %s, %s to %s UTC", count(int(in.Events), "event"), count(int(in.Commands), "command"),
			in.First.UTC().Format(form), in.Last.UTC().Format(form)))
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
	reasons := func(what string, counts map[string]int64) {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%d %s", counts[reason], strings.ReplaceAll(reason, "_", " ")))
		}
		if len(parts) > 0 {
			p.row(what, strings.Join(parts, ", "))
		}
	}
	reasons("commands that do not fit", in.Refused)
	reasons("unreadable records", in.Unreadable)
	for _, u := range in.UnreadableSome {
		p.row(" ", u)
	}
}

func (p *printer) difference(d *replay.Difference) {
	p.row(" ", "BEFORE", "AFTER", "±", " ")
	before, after := totals(&d.Before), totals(&d.After)
	for i, f := range before {
		if f.Name == "paged" && d.PagedUnknown {
			p.row(f.Name, "?", after[i], "?", f.Meaning)
			continue
		}
		more := after[i]
		more.Value -= f.Value
		sign := more.String()
		if more.Value > 0 {
			sign = "+" + sign
		}
		p.row(f.Name, f, after[i], sign, f.Meaning)
	}
	if d.Empty() {
		fmt.Fprintln(p, "\nno difference: the same incidents of the same alerts, with the same causes")
		return
	}
	fmt.Fprintln(p)
	for _, f := range changed(d) {
		p.row(f.Name, f, f.Meaning)
	}
	if len(d.Examples) == 0 {
		return
	}
	fmt.Fprintln(p)
	p.row("CHANGE", "BEFORE", "ALERTS", "AFTER", "ALERTS", "TITLE")
	for _, x := range d.Examples {
		p.example(&x)
	}
}

// example prints an incident a line, those before on the left and those after
// on the right.
func (p *printer) example(x *replay.Example) {
	what := strings.ReplaceAll(x.Kind, "_", " ")
	for i := range max(len(x.Before), len(x.After)) {
		cells := []any{what, "", "", "", "", ""}
		what = " "
		for side, list := range [][]replay.Named{x.Before, x.After} {
			if i >= len(list) {
				continue
			}
			n := &list[i]
			cells[1+2*side], cells[2+2*side] = n.ID, strconv.Itoa(n.Alerts)
			if n.Cause != "" {
				cells[1+2*side] = n.ID + " " + n.Cause
			}
			if n.Title != "" {
				cells[5] = short(n.Title, 60)
			}
		}
		p.row(cells...)
	}
}
