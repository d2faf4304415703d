package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"tocsin/ingest"
)

// expression is one compiled field. A nil one gives null.
type expression struct {
	field string
	code  *gojq.Code
}

// scope is what an expression sees.
type scope struct {
	ctx           context.Context
	part, message any
	// raw says to keep the part with its event.
	raw bool
}

// value runs the expression, which gives at most one value.
func (e *expression) value(s scope) (any, error) {
	if e == nil {
		return nil, nil
	}
	iter := e.code.RunWithContext(s.ctx, s.part, s.message)
	first, ok := iter.Next()
	if !ok {
		return nil, nil
	}
	if err, ok := first.(error); ok {
		return nil, fmt.Errorf("%s: %w", e.field, stopped(err))
	}
	if second, ok := iter.Next(); ok {
		if err, ok := second.(error); ok {
			return nil, fmt.Errorf("%s: %w", e.field, stopped(err))
		}
		return nil, fmt.Errorf("%s: gives more than one value (%s, %s…); wrap it in first(…) or [ … ] | join(\", \")",
			e.field, gojq.Preview(first), gojq.Preview(second))
	}
	return first, nil
}

// stopped words an error for those who wrote the mapping.
func stopped(err error) error {
	var halt *gojq.HaltError
	if errors.As(err, &halt) {
		return errors.New("halt is not for mappings; use empty")
	}
	return err
}

// text runs the expression; null is "".
func (e *expression) text(s scope) (string, error) {
	v, err := e.value(s)
	if err != nil {
		return "", err
	}
	t, err := text(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.field, err)
	}
	return t, nil
}

// text writes a single value; null is "".
func text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case int:
		return strconv.Itoa(v), nil
	case *big.Int:
		return v.String(), nil
	case float64:
		// As jq writes it: no exponent before 1e17.
		if v == math.Trunc(v) && math.Abs(v) < 1e17 {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	default:
		return "", fmt.Errorf("%s %s: want a single value; name the part that is meant, or use tojson or join", gojq.TypeOf(v), gojq.Preview(v))
	}
}

// set adds the members of the object that the expression gives.
func (e *expression) set(s scope, into map[string]string) error {
	v, err := e.value(s)
	if err != nil || v == nil {
		return err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %s %s: want an object", e.field, gojq.TypeOf(v), gojq.Preview(v))
	}
	for name, member := range object {
		t, err := text(member)
		if err != nil {
			return fmt.Errorf("%s: %q: %w", e.field, name, err)
		}
		into[name] = t
	}
	return nil
}

// time runs the expression; null, an empty text and 0 are no time.
func (e *expression) time(s scope, layout string) (time.Time, error) {
	t, err := e.text(s)
	if err != nil || t == "" {
		return time.Time{}, err
	}
	at, err := parseTime(t, layout)
	if err != nil {
		return at, fmt.Errorf("%s: %w", e.field, err)
	}
	return at, nil
}

func parseTime(s, layout string) (time.Time, error) {
	if layout != "" {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, nil
	}
	if at, ok := unix(s); ok {
		return at, nil
	}
	hint := "give time_layout for another form"
	if layout != "" {
		hint = fmt.Sprintf("or time_layout %q", layout)
	}
	return time.Time{}, fmt.Errorf("%.60q: want RFC 3339 or seconds since 1970; %s", s, hint)
}

// unix reads a number of seconds, ms, µs or ns since 1970. What is below 1e11
// are seconds, up to the year 5138; the same number of ms is in 1973.
func unix(s string) (time.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n == 0:
			return time.Time{}, true
		case n < 0:
			return time.Time{}, false
		case n < 1e11:
			return time.Unix(n, 0).UTC(), true
		case n < 1e14:
			return time.UnixMilli(n).UTC(), true
		case n < 1e17:
			return time.UnixMicro(n).UTC(), true
		default:
			return time.Unix(0, n).UTC(), true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0) || f >= 1e17 || strings.ContainsAny(s, "xXpP_") {
		return time.Time{}, false
	}
	if f == 0 {
		return time.Time{}, true
	}
	for f >= 1e11 {
		f /= 1000
	}
	// A float64 of today's seconds holds microseconds and no more.
	return time.UnixMicro(int64(math.Round(f * 1e6))).UTC(), true
}

// identity hashes what the fingerprint's expressions give.
func (m *Mapping) identity(s scope) (ingest.Fingerprint, error) {
	if len(m.fingerprint) == 0 {
		return 0, nil
	}
	parts := ingest.LabelsOf("mapping", m.spec.Name)
	for i, e := range m.fingerprint {
		t, err := e.text(s)
		if err != nil {
			return 0, err
		}
		parts = parts.Set(strconv.Itoa(i), t)
	}
	if len(parts) == 1 {
		return 0, errors.New("fingerprint: all its parts are absent, so all such events would be one alert")
	}
	return ingest.FingerprintOf(parts), nil
}
