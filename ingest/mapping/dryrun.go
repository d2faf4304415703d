package mapping

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Report is what a mapping makes of a sample.
type Report struct {
	Mapping  string                    `json:"mapping"`
	Events   []Result                  `json:"events"`
	Rejected []httpdoor.OutcomeRefusal `json:"rejected"`
	// Ignored are the leaves of the sample that make no difference: without
	// any one of them the result is the same.
	Ignored []Leaf `json:"ignored"`
	// Untried is how many leaves were not tried: there are too many, or the
	// time was up.
	Untried int `json:"untried,omitempty"`
}

// Result is an event as it would be stored. Times that the sample does not
// give stay zero: they would be those of its arrival.
type Result struct {
	Index          int                `json:"index"`
	Kind           ingest.Kind        `json:"kind"`
	Status         ingest.Status      `json:"status,omitempty"`
	Fingerprint    ingest.Fingerprint `json:"fingerprint"`
	Labels         ingest.Labels      `json:"labels"`
	Annotations    ingest.Labels      `json:"annotations,omitempty"`
	Severity       ingest.Severity    `json:"severity"`
	SourceSeverity string             `json:"source_severity,omitempty"`
	StartsAt       time.Time          `json:"starts_at,omitzero"`
	EndsAt         time.Time          `json:"ends_at,omitzero"`
	GeneratorURL   string             `json:"generator_url,omitempty"`
	Actor          string             `json:"actor,omitempty"`
}

// Leaf is a single value of a sample, or an empty list or object.
type Leaf struct {
	// Path is a jq path such as .alerts[0].name.
	Path string `json:"path"`
	// Value is the value as JSON, shortened.
	Value string `json:"value"`
}

// maxLeaves bounds the runs of a dry run.
const maxLeaves = 5_000

// DryRunOptions say how events would be completed. The zero value has the
// defaults.
type DryRunOptions struct {
	// Normalizer is that of the server; nil is the default one.
	Normalizer *ingest.Normalizer
	// Now is when the sample would arrive.
	Now time.Time
}

// DryRun shows what the mapping makes of a sample, and what it ignores: each
// leaf of the sample is deleted in turn and the result compared. That is one
// run for each leaf, so ctx should have a deadline.
func DryRun(ctx context.Context, m *Mapping, sample []byte, opt DryRunOptions) Report {
	message, err := parse(sample)
	if err != nil {
		return Report{Mapping: m.Name(), Events: []Result{}, Ignored: []Leaf{},
			Rejected: []httpdoor.OutcomeRefusal{{Index: -1, Reason: ingest.ReasonMalformed, Error: err.Error()}}}
	}
	if opt.Normalizer == nil {
		opt.Normalizer = ingest.NewNormalizer(ingest.NormalizerOptions{})
	}
	rep := m.report(ctx, message, opt)
	paths := leaves(message, nil, nil)
	if len(paths) > maxLeaves {
		rep.Untried, paths = len(paths)-maxLeaves, paths[:maxLeaves]
	}
	for i, path := range paths {
		other := m.report(ctx, without(message, path), opt)
		if ctx.Err() != nil { // during this run, so it says nothing
			rep.Untried += len(paths) - i
			break
		}
		if reflect.DeepEqual(rep.Events, other.Events) && reflect.DeepEqual(rep.Rejected, other.Rejected) {
			rep.Ignored = append(rep.Ignored, Leaf{Path: pathText(path), Value: gojq.Preview(at(message, path))})
		}
	}
	return rep
}

func (m *Mapping) report(ctx context.Context, message any, opt DryRunOptions) Report {
	b := new(httpdoor.Batch)
	m.decode(scope{ctx: ctx, message: message}, b)
	rep := Report{Mapping: m.Name(), Events: []Result{}, Rejected: []httpdoor.OutcomeRefusal{}, Ignored: []Leaf{}}
	rejected := slices.Clone(b.Rejected)
	for i := range b.Events {
		e := &b.Events[i]
		e.Source = m.Name()
		starts, ends := e.StartsAt, e.EndsAt
		if reason, err := opt.Normalizer.Normalize(e, opt.Now); err != nil {
			rejected = append(rejected, ingest.Rejection{Index: b.Place(i), Reason: reason, Err: err})
			continue
		}
		rep.Events = append(rep.Events, Result{Index: b.Place(i), Kind: e.Kind, Status: e.Status, Fingerprint: e.Fingerprint,
			Labels: e.Labels, Annotations: e.Annotations, Severity: e.Severity, SourceSeverity: e.SourceSeverity,
			StartsAt: starts, EndsAt: ends, GeneratorURL: e.GeneratorURL, Actor: e.Actor})
	}
	slices.SortStableFunc(rejected, func(x, y ingest.Rejection) int { return x.Index - y.Index })
	for _, x := range rejected {
		rep.Rejected = append(rep.Rejected, httpdoor.OutcomeRefusal{Index: x.Index, Reason: x.Reason, Error: x.Err.Error()})
	}
	return rep
}

// leaves adds the paths of all leaves; a path has strings and ints.
func leaves(v any, path []any, out [][]any) [][]any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = leaves(v[name], append(path, name), out)
		}
		if len(v) > 0 {
			return out
		}
	case []any:
		for i := range v {
			out = leaves(v[i], append(path, i), out)
		}
		if len(v) > 0 {
			return out
		}
	}
	if len(path) == 0 {
		return out
	}
	return append(out, slices.Clone(path))
}

func at(v any, path []any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

// without is v less the leaf at path; v itself stays as it is.
func without(v any, path []any) any {
	switch step := path[0].(type) {
	case string:
		object := maps.Clone(v.(map[string]any))
		if len(path) == 1 {
			delete(object, step)
		} else {
			object[step] = without(object[step], path[1:])
		}
		return object
	case int:
		list := slices.Clone(v.([]any))
		if len(path) == 1 {
			return slices.Delete(list, step, step+1)
		}
		list[step] = without(list[step], path[1:])
		return list
	default:
		return v
	}
}

// pathText writes a path as jq reads it.
func pathText(path []any) string {
	var b strings.Builder
	for i, step := range path {
		switch step := step.(type) {
		case int:
			if i == 0 {
				b.WriteByte('.')
			}
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			b.WriteByte('.')
			if plainName(step) {
				b.WriteString(step)
			} else {
				b.WriteString("[" + quoted(step) + "]")
			}
		}
	}
	return b.String()
}

func plainName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func quoted(s string) string {
	out, err := gojq.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(out)
}
