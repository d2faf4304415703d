package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/correlate"
	"tocsin/ingest"
)

// List is one page of a list; an empty Next means that there is no more.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// list makes an empty list [] and not null.
func list[T any](items []T, next string) List[T] {
	return List[T]{orEmpty(items), next}
}

const maxLimit = 1000

func checkQuery(r *http.Request, known []string) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("", "the query cannot be read: %v", err)
	}
	var unknown []string
	for name := range values {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	e := invalid(unknown[0], "unknown query parameter %s", strings.Join(unknown, ", "))
	e.Hint = "this operation takes no parameters"
	if len(known) > 0 {
		e.Hint = "this operation takes " + strings.Join(known, ", ")
	}
	return e
}

// query reads parameters and remembers the first mistake.
type query struct {
	values url.Values
	now    time.Time
	err    error
}

func (s *Server) query(r *http.Request) *query {
	return &query{values: r.URL.Query(), now: s.opt.Now()}
}

func (q *query) bad(err *Error) {
	if q.err == nil {
		q.err = err
	}
}

func (q *query) text(name string) string { return q.values.Get(name) }

func (q *query) bool(name string) bool {
	switch v := q.values.Get(name); v {
	case "", "false":
		return false
	case "true":
		return true
	default:
		q.bad(invalid(name, "%q: want true or false", v))
		return false
	}
}

func (q *query) page() correlate.Page {
	p := correlate.Page{Cursor: q.values.Get("cursor")}
	if v := q.values.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLimit {
			q.bad(invalid("limit", "%q: want a number from 1 to %d", v, maxLimit))
		}
		p.Limit = n
	}
	return p
}

// many reads a parameter that is repeated or separated by commas.
func many[T any](q *query, name string, parse func(string) (T, error)) []T {
	var out []T
	for _, v := range q.values[name] {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w == "" {
				continue
			}
			t, err := parse(w)
			if err != nil {
				q.bad(invalid(name, "%v", err))
				continue
			}
			out = append(out, t)
		}
	}
	return out
}

func (q *query) time(name string) time.Time {
	v := q.values.Get(name)
	if v == "" {
		return time.Time{}
	}
	t, err := ParseTime(v, q.now)
	if err != nil {
		q.bad(invalid(name, "%v", err))
	}
	return t
}

func (q *query) span() (from, to time.Time) {
	from, to = q.time("from"), q.time("to")
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		q.bad(invalid("to", "%s is not after from, %s", to.Format(time.RFC3339), from.Format(time.RFC3339)))
	}
	return from, to
}

// matchers reads the parameter match, each a matcher or a set of them in
// braces, as Alertmanager writes them.
func (q *query) matchers() []*labels.Matcher {
	var out []*labels.Matcher
	for _, v := range q.values["match"] {
		ms, err := parse.Matchers(v)
		if err != nil {
			e := invalid("match", "%q: %v", v, err)
			e.Hint = `write it as Alertmanager does, such as severity="critical" or host=~"web-.*"`
			q.bad(e)
			continue
		}
		out = append(out, ms...)
	}
	return out
}

func (q *query) fingerprint(name string) ingest.Fingerprint {
	v := q.values.Get(name)
	if v == "" {
		return 0
	}
	fp, err := ingest.ParseFingerprint(v)
	if err != nil {
		q.bad(invalid(name, "%v", err))
	}
	return fp
}

// ParseTime reads RFC 3339, "now", or a time relative to now such as -90m,
// -24h, -7d or -2w.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	rel := s
	if n := len(rel); n > 1 && (rel[0] == '-' || rel[0] == '+') {
		if hours, ok := map[byte]int{'d': 24, 'w': 7 * 24}[rel[n-1]]; ok {
			if count, err := strconv.Atoi(rel[:n-1]); err == nil && count > -100_000 && count < 100_000 {
				return now.Add(time.Duration(count*hours) * time.Hour), nil
			}
		} else if d, err := time.ParseDuration(rel); err == nil {
			return now.Add(d), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want RFC 3339 such as 2026-02-03T04:05:06Z, or relative such as -24h or -7d", s)
}

// parsePriority reads "P1" to "P5" or "1" to "5".
func parsePriority(s string) (correlate.Priority, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(s), "P"))
	if err != nil || n < 1 || n > 5 {
		return 0, fmt.Errorf("priority %q: want P1 to P5", s)
	}
	return correlate.Priority(n), nil
}

func parseOne[T ~string](what string, all ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		if i := slices.Index(all, T(s)); i >= 0 {
			return all[i], nil
		}
		return "", fmt.Errorf("%s %q: want one of %v", what, s, all)
	}
}

// one reads a parameter with a single value.
func one[T any](q *query, name string, parse func(string) (T, error)) (t T) {
	v := q.values.Get(name)
	if v == "" {
		return t
	}
	t, err := parse(v)
	if err != nil {
		q.bad(invalid(name, "%v", err))
	}
	return t
}

// requestBody tells a body that breaks off, which is the caller's fault, from
// what goes wrong with it afterwards.
type requestBody struct{ io.ReadCloser }

func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &tooLarge) {
		err = invalid("", "the body cannot be read to its end: %v", err)
	}
	return n, err
}

// readBody decodes a JSON body. Members that v does not have are refused, as
// are repeated ones: a misspelt field of a command must not be lost.
func readBody(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if len(b) == 0 {
		return invalid("", "the body is empty; want a JSON object")
	}
	err = json.Unmarshal(b, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		field := strings.ReplaceAll(strings.TrimPrefix(string(sem.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return invalid(field, "unknown field")
		}
		if sem.Err != nil {
			return invalid(field, "%v", sem.Err)
		}
		return invalid(field, "a JSON %s does not fit here", sem.JSONKind)
	}
	return invalid("", "the body is not the JSON it should be: %v", err)
}
