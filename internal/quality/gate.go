package quality

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Gate is a list of conditions under which figures are not good enough. The
// zero value lets everything pass.
type Gate []condition

type condition struct {
	text   string
	figure string
	op     string
	limit  float64
}

// shortNames are what people say for the figures they ask for most.
var shortNames = map[string]string{"f1": "pair_f1", "precision": "pair_p", "recall": "pair_r", "leak": "noise_leak"}

var conditionForm = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_@.]*)\s*(<=|>=|==|!=|<|>)\s*([-+0-9.eE]+)$`)

// ParseGate reads conditions such as "f1<0.9": the name of a figure, one of
// < <= > >= == != and a number. One text may hold several, separated by commas;
// f1, precision, recall and leak are short for pair_f1, pair_p, pair_r and
// noise_leak. The error joins all mistakes. Whether the names exist [Gate.Known]
// and [Gate.Check] say.
func ParseGate(texts ...string) (Gate, error) {
	var g Gate
	var errs []error
	for _, text := range texts {
		for one := range strings.SplitSeq(text, ",") {
			one = strings.TrimSpace(one)
			m := conditionForm.FindStringSubmatch(one)
			if m == nil {
				errs = append(errs, fmt.Errorf("condition %q: want the name of a figure, < <= > >= == or !=, and a number, such as f1<0.9", one))
				continue
			}
			limit, err := strconv.ParseFloat(m[3], 64)
			if err != nil || math.IsInf(limit, 0) {
				errs = append(errs, fmt.Errorf("condition %q: %q is no number", one, m[3]))
				continue
			}
			name := m[1]
			if long, ok := shortNames[name]; ok {
				name = long
			}
			g = append(g, condition{one, name, m[2], limit})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

// Known says which conditions name a figure that is not among names.
func (g Gate) Known(names []string) error {
	var errs []error
	for _, c := range g {
		if !slices.Contains(names, c.figure) {
			errs = append(errs, fmt.Errorf("condition %q: there is no figure %s", c.text, c.figure))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("figures are %s", strings.Join(names, ", ")))
	}
	return errors.Join(errs...)
}

// ErrGate is in the error of [Gate.Check] when a condition holds.
var ErrGate = errors.New("not good enough")

// Check says which conditions hold, with the figures; the error then has
// [ErrGate] in it. A figure that is not among the values is an error too: a
// gate that cannot fail is none.
func (g Gate) Check(values map[string]float64) error {
	var failed []string
	var missing []error
	for _, c := range g {
		v, ok := values[c.figure]
		switch {
		case !ok:
			missing = append(missing, fmt.Errorf("condition %q: %s was not computed", c.text, c.figure))
		case math.IsNaN(v) || c.holds(v):
			failed = append(failed, fmt.Sprintf("%s is %s, and must not be %s %s", c.figure, number(v), c.op, number(c.limit)))
		}
	}
	if len(missing) > 0 {
		names := make([]string, 0, len(values))
		for name := range values {
			names = append(names, name)
		}
		slices.Sort(names)
		missing = append(missing, fmt.Errorf("computed are %s", strings.Join(names, ", ")))
	}
	if len(failed) > 0 {
		missing = append([]error{fmt.Errorf("%w: %s", ErrGate, strings.Join(failed, "; "))}, missing...)
	}
	return errors.Join(missing...)
}

func (c condition) holds(v float64) bool {
	switch c.op {
	case "<":
		return v < c.limit
	case "<=":
		return v <= c.limit
	case ">":
		return v > c.limit
	case ">=":
		return v >= c.limit
	case "==":
		return v == c.limit
	default:
		return v != c.limit
	}
}

// number has as many digits as tell it from its neighbours, for .89999 must not
// be shown as a .9 that is less than .9.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
