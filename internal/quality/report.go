package quality

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Report is all that was judged; what was not is nil.
type Report struct {
	Grouping *Grouping
	// Level is what causes are judged as.
	Level    Level
	Ranking  *Ranking
	Links    *Links
	Problems *Problems
}

// Level is what causes are judged as.
type Level string

// The levels.
const (
	LevelExact   Level = "exact"   // the very CI
	LevelService Level = "service" // the service that the CI is part of
)

// Figure is one number of a report, by the name that it has in JSON and in a
// [Gate].
type Figure struct {
	Name    string
	Value   float64
	Count   bool // a whole number of things, and no share
	Meaning string
}

func (f Figure) String() string {
	if f.Count {
		return strconv.FormatFloat(f.Value, 'f', 0, 64)
	}
	return strconv.FormatFloat(f.Value, 'f', 4, 64)
}

// Figures are the numbers of a grouping.
func (g *Grouping) Figures() []Figure {
	return []Figure{
		count("alerts", g.Alerts, "alerts in the truth"),
		count("labelled", g.Labelled, "of which belong to an incident"),
		count("noise", g.Noise, "of which are noise"),
		count("truth_groups", g.TruthGroups, "true incidents"),
		count("truth_groups_ge2", g.TruthGroups2, "of two alerts or more"),
		count("pred_groups", g.PredGroups, "predicted incidents, alerts left alone included"),
		count("strangers", g.Strangers, "predicted alerts that the truth does not have"),
		{"pair_p", g.PairP, false, "precision: pairs put together rightly, of those put together"},
		{"pair_r", g.PairR, false, "recall: pairs put together rightly, of those that belong together"},
		{"pair_f1", g.PairF1, false, "harmonic mean of both"},
		{"jaccard", g.Jaccard, false, "overlap of a true incident with what fits it best"},
		{"exact", g.Exact, false, "true incidents found as they are"},
		{"noise_leak", g.NoiseLeak, false, "noise that was put in incidents; 0 is best"},
		{"reduction", g.Reduction, false, "how much less there is to read"},
		{"nmi", g.NMI, false, "normalised mutual information"},
		{"ari", g.ARI, false, "Rand index, adjusted for chance"},
		{"homogeneity", g.Homogeneity, false, "predicted incidents hold one true one"},
		{"completeness", g.Completeness, false, "true incidents are in one predicted one"},
		{"v", g.V, false, "harmonic mean of both"},
		{"peer", g.Peer, false, "other alerts beside an alert that are rightly there"},
	}
}

// Figures are the numbers of a ranking.
func (r *Ranking) Figures() []Figure {
	return []Figure{
		count("cause_incidents", r.Incidents, "incidents whose cause is known"),
		count("cause_answered", r.Answered, "for which any CI was named"),
		{"ac@1", r.AC1, false, "true cause named first"},
		{"ac@3", r.AC3, false, "among the first three"},
		{"ac@5", r.AC5, false, "among the first five"},
		{"avg@5", r.Avg5, false, "mean over the first one to five"},
		{"mrr", r.MRR, false, "mean of 1/rank"},
	}
}

// Figures are the numbers of links.
func (l *Links) Figures() []Figure {
	return []Figure{
		count("change_links", l.True, "changes that led to an incident"),
		count("change_predicted", l.Predicted, "links predicted"),
		count("change_right", l.Right, "of which are true"),
		{"change_recall", l.Recall, false, "true links that were found"},
		{"change_precision", l.Precision, false, "found links that are true"},
		{"change_precision_caused", l.PrecisionCaused, false, "the same, of incidents that a change led to"},
		{"change_f1", l.F1, false, "harmonic mean of both"},
	}
}

// Figures are the numbers of problems.
func (p *Problems) Figures() []Figure {
	return []Figure{
		count("problem_incidents", p.Incidents, "incidents whose problem is known"),
		count("problems", p.True, "true problems"),
		count("problem_signatures", p.Predicted, "predicted problems"),
		{"problem_p", p.P, false, "pairs taken for one problem rightly, of those taken for one"},
		{"problem_r", p.R, false, "pairs taken for one problem rightly, of those that are one"},
		{"problem_f1", p.F1, false, "harmonic mean of both"},
	}
}

func count(name string, n int, meaning string) Figure { return Figure{name, float64(n), true, meaning} }

// Section is a part of a report.
type Section struct {
	Title   string
	Figures []Figure
}

// Sections are what was judged, in order.
func (r *Report) Sections() []Section {
	var out []Section
	if r.Grouping != nil {
		out = append(out, Section{"grouping", r.Grouping.Figures()})
	}
	if r.Ranking != nil {
		out = append(out, Section{"causes, judged by " + r.Level.what(), r.Ranking.Figures()})
	}
	if r.Links != nil {
		out = append(out, Section{"changes", r.Links.Figures()})
	}
	if r.Problems != nil {
		out = append(out, Section{"problems", r.Problems.Figures()})
	}
	return out
}

func (l Level) what() string {
	if l == LevelService {
		return "service"
	}
	return "CI"
}

// Values are all figures by name, as a [Gate] takes them.
func (r *Report) Values() map[string]float64 {
	values := map[string]float64{}
	for _, s := range r.Sections() {
		for _, f := range s.Figures {
			values[f.Name] = f.Value
		}
	}
	return values
}

// FigureNames are the names of all figures that a report can have.
func FigureNames() []string {
	full := Report{Grouping: &Grouping{}, Ranking: &Ranking{}, Links: &Links{}, Problems: &Problems{}}
	var names []string
	for _, s := range full.Sections() {
		for _, f := range s.Figures {
			names = append(names, f.Name)
		}
	}
	return names
}

// MarshalJSON writes one flat object, with the level beside the figures when
// causes were judged. Figures have twelve decimals: what follows is rounding,
// and differs from machine to machine.
func (r *Report) MarshalJSON() ([]byte, error) {
	o := newObject(nil)
	if r.Ranking != nil {
		o.text("level", string(r.Level))
	}
	for _, s := range r.Sections() {
		for _, f := range s.Figures {
			o.number(f.Name, math.Round(f.Value*1e12)/1e12)
		}
	}
	return o.end()
}

var _ json.Marshaler = (*Report)(nil)

// ParseLevel reads the name of a level.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case LevelExact, LevelService:
		return l, nil
	default:
		return "", fmt.Errorf("level %q: want %s or %s", s, LevelExact, LevelService)
	}
}
