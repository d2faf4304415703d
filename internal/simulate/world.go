package simulate

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// World is an estate and what happened in it. It is made by [New].
type World struct {
	opts     Options
	lib      *library
	estate   *estate
	begin    int64     // Unix seconds
	episodes []episode // by time
	changes  []change  // by time
	// incidents are the faults that raised alerts, by their start; place is
	// where a fault is among them, -1 for none.
	incidents []*fault
	place     []int32
	alerts    []int32 // of an incident
	problems  []int32 // of an incident, from 1; 0 for none
}

// New makes a world. The error is that of [Options.Validate].
func New(o Options) (*World, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.complete()
	w := &World{opts: o, lib: newLibrary(), begin: o.Start.Unix()}
	w.estate = build(o)
	p := plan(w.estate, w.lib, &o)
	faults := p.faults
	eps := slices.Concat(p.episodes...)
	p.episodes = nil
	if o.Storm > 0 {
		f, more := w.estate.storm(w.lib, &o, uint64(len(faults)))
		faults, eps = append(faults, f), append(eps, more...)
	}
	eps = sweep(eps)
	if len(eps) > 0 && o.Noise > 0 {
		eps = sweep(append(eps, w.estate.noise(w.lib, &o, eps)...))
	}
	w.episodes = eps
	w.name(faults)
	w.changes = w.estate.changes(w.lib, &o, w.incidents)
	return w, nil
}

// name gives faults that raised alerts their numbers as incidents, and problems
// theirs.
func (w *World) name(faults []*fault) {
	counts := make([]int32, len(faults))
	for _, e := range w.episodes {
		if e.fault != none {
			counts[e.fault]++
		}
	}
	for i, f := range faults {
		if counts[i] > 0 {
			w.incidents = append(w.incidents, f)
		}
	}
	slices.SortFunc(w.incidents, func(a, b *fault) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.number, b.number))
	})
	w.place = slices.Repeat([]int32{none}, len(faults))
	of := map[int]int{}
	for i, f := range w.incidents {
		w.place[f.number] = int32(i)
		w.alerts = append(w.alerts, counts[f.number])
		of[f.problem]++
	}
	numbers := map[int]int32{}
	for _, f := range w.incidents {
		if f.problem > 0 && of[f.problem] > 1 && numbers[f.problem] == 0 {
			numbers[f.problem] = int32(len(numbers) + 1)
		}
		w.problems = append(w.problems, numbers[f.problem])
	}
}

// Alert is one firing of an alert. Times are Unix seconds.
type Alert struct {
	Time        int64             `json:"time"`
	EndTime     int64             `json:"end_time"`
	ID          string            `json:"id"`
	CI          string            `json:"ci"`
	Severity    int               `json:"severity"` // 1, the worst, to 4
	Name        string            `json:"name"`
	Text        string            `json:"text"`
	Fingerprint string            `json:"fingerprint"` // the same whenever this alert fires
	Labels      map[string]string `json:"labels"`
}

// Truth is which incident an alert belongs to; an empty one is noise. Root
// says that the alert is about the root.
type Truth struct {
	AlertID    string
	IncidentID string
	Root       bool
	CI         string
}

// Incident is a fault that raised alerts. ProblemID is empty for one that does
// not recur.
type Incident struct {
	ID        string
	Start     int64
	RootCIs   []string
	Kind      string
	ProblemID string
	Alerts    int
}

// Change is something that somebody did to a CI.
type Change struct {
	ID   string
	Time int64
	CI   string
	Kind string
}

// ChangeTruth is which incident a change caused.
type ChangeTruth struct {
	ChangeID   string
	IncidentID string
}

func alertID(i int) string    { return fmt.Sprintf("A%07d", i+1) }
func incidentID(i int) string { return fmt.Sprintf("INC%05d", i+1) }
func changeID(i int) string   { return fmt.Sprintf("CHG%06d", i+1) }

// Alerts yields all alerts by time; two that fire in the same second are in the
// order of their CIs.
func (w *World) Alerts() iter.Seq[Alert] {
	return func(yield func(Alert) bool) {
		var text []byte
		for i, e := range w.episodes {
			a := Alert{Time: w.begin + int64(e.start), EndTime: w.begin + int64(e.end), ID: alertID(i), CI: w.estate.items[e.ci].id,
				Severity: int(e.severity), Name: w.lib.alarms[e.alarm].name, Labels: make(map[string]string, 8)}
			text = w.appendText(text[:0], &e)
			a.Text = string(text)
			a.Fingerprint = a.CI + "|" + a.Name
			w.labels(&e, func(k, v string) { a.Labels[k] = v })
			if !yield(a) {
				return
			}
		}
	}
}

// Truth yields the truth about each alert, in the order of Alerts.
func (w *World) Truth() iter.Seq[Truth] {
	return func(yield func(Truth) bool) {
		for i, e := range w.episodes {
			t := Truth{AlertID: alertID(i), CI: w.estate.items[e.ci].id, Root: e.root}
			if e.fault != none {
				t.IncidentID = incidentID(int(w.place[e.fault]))
			}
			if !yield(t) {
				return
			}
		}
	}
}

// Incidents yields the faults that raised alerts, by their start.
func (w *World) Incidents() iter.Seq[Incident] {
	return func(yield func(Incident) bool) {
		for i, f := range w.incidents {
			in := Incident{ID: incidentID(i), Start: w.begin + int64(f.start), Kind: "storm", Alerts: int(w.alerts[i])}
			if !f.storm {
				in.Kind = w.lib.kinds[f.kind].name
			}
			for _, r := range f.roots {
				in.RootCIs = append(in.RootCIs, w.estate.items[r].id)
			}
			if p := w.problems[i]; p > 0 {
				in.ProblemID = fmt.Sprintf("PRB%04d", p)
			}
			if !yield(in) {
				return
			}
		}
	}
}

// Changes yields all changes by time.
func (w *World) Changes() iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for i, c := range w.changes {
			if !yield(Change{changeID(i), w.begin + int64(c.at), w.estate.items[c.ci].id, c.kind}) {
				return
			}
		}
	}
}

// ChangeTruth yields the changes that caused an incident, by time.
func (w *World) ChangeTruth() iter.Seq[ChangeTruth] {
	return func(yield func(ChangeTruth) bool) {
		for i, c := range w.changes {
			if c.fault != none && !yield(ChangeTruth{changeID(i), incidentID(int(w.place[c.fault]))}) {
				return
			}
		}
	}
}

// Summary counts what is in a world.
type Summary struct {
	CIs       int `json:"cis"`
	Relations int `json:"relations"`
	Alerts    int `json:"alerts"`
	Distinct  int `json:"distinct"` // fingerprints
	Noise     int `json:"noise"`
	Incidents int `json:"incidents"`
	// Overlapping is how many incidents began within 15 minutes and three
	// relations of another one.
	Overlapping int `json:"overlapping"`
	Problems    int `json:"problems"`
	Recurring   int `json:"recurring"` // incidents of problems
	Changes     int `json:"changes"`
	Causing     int `json:"causing"` // changes that caused an incident
}

// Summary counts what is in the world.
func (w *World) Summary() Summary {
	s := Summary{CIs: len(w.estate.items), Relations: len(w.estate.relations), Alerts: len(w.episodes), Incidents: len(w.incidents),
		Changes: len(w.changes), Overlapping: w.overlapping()}
	seen := make(map[uint64]struct{}, len(w.episodes)/2)
	for _, e := range w.episodes {
		seen[uint64(e.ci)<<16|uint64(e.alarm)] = struct{}{}
		if e.fault == none {
			s.Noise++
		}
	}
	s.Distinct = len(seen)
	for _, p := range w.problems {
		s.Problems = max(s.Problems, int(p))
		if p > 0 {
			s.Recurring++
		}
	}
	for _, c := range w.changes {
		if c.fault != none {
			s.Causing++
		}
	}
	return s
}

// overlapping counts the incidents that strike near another one.
func (w *World) overlapping() int {
	n := 0
	near := make([]bool, len(w.incidents))
	for i, f := range w.incidents {
		var ball []int32
		for j := i + 1; j < len(w.incidents) && w.incidents[j].start-f.start <= nearSeconds; j++ {
			if near[i] && near[j] {
				continue
			}
			if ball == nil {
				ball = w.estate.ball(f.roots[0], nearHops)
			}
			if slices.ContainsFunc(w.incidents[j].roots, func(r int32) bool { return slices.Contains(ball, r) }) {
				near[i], near[j] = true, true
			}
		}
		if near[i] {
			n++
		}
	}
	return n
}
