package quality

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// absurdYear is the first year that is taken for a mistake, such as that of a
// time in milliseconds.
const absurdYear = 2200

var afterAll = time.Date(absurdYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// time reads Unix seconds; null is the zero time.
func (l *line) time(field string) time.Time {
	v, ok := l.value(field)
	if !ok || v.Kind() == jsontext.KindNull {
		return time.Time{}
	}
	if v.Kind() != jsontext.KindNumber {
		l.bad("%s: want Unix seconds as a number, got %s", field, describe(v))
		return time.Time{}
	}
	t, why := parseTime(string(v))
	if why != "" {
		l.bad("%s: %s: %s", field, shorten(string(v)), why)
	}
	return t
}

// parseTime reads a JSON number as Unix seconds, exactly where it is written
// out, without the detour over a float that would change its last digits.
func parseTime(s string) (t time.Time, why string) {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.ContainsAny(s, "eE") || strings.HasPrefix(s, "-") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f < float64(afterAll)) {
			return time.Time{}, absurd(f)
		}
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(frac*1e6)*1e3).UTC(), ""
	}
	if sec >= afterAll {
		return time.Time{}, absurd(float64(sec))
	}
	var nano int64
	for i := range 9 {
		nano *= 10
		if i < len(fraction) {
			nano += int64(fraction[i] - '0')
		}
	}
	return time.Unix(sec, nano).UTC(), ""
}

// absurd says why a number of seconds is no time, and what it may be.
func absurd(f float64) string {
	if f < 0 {
		return "before 1970; want Unix seconds"
	}
	for _, unit := range []struct {
		name string
		per  float64
	}{{"milliseconds", 1e3}, {"microseconds", 1e6}, {"nanoseconds", 1e9}} {
		// Anything from 2000 on: small numbers are no times of another unit.
		if sec := f / unit.per; sec >= 946684800 && sec < float64(afterAll) {
			return fmt.Sprintf("these seem to be %s; want Unix seconds, such as %d", unit.name, int64(sec))
		}
	}
	return fmt.Sprintf("in the year %d or later; want Unix seconds", absurdYear)
}

// appendTime writes t as Unix seconds with as many digits as it needs.
func appendTime(b []byte, t time.Time) []byte {
	b = strconv.AppendInt(b, t.Unix(), 10)
	if n := t.Nanosecond(); n != 0 {
		b = append(b, '.')
		digits := fmt.Sprintf("%09d", n)
		b = append(b, strings.TrimRight(digits, "0")...)
	}
	return b
}

// time writes a time that can be read again.
func (o *object) time(name string, t time.Time) {
	if sec := t.Unix(); sec < 0 || sec >= afterAll {
		o.err = fmt.Errorf("%s: %s cannot be written; want a time from 1970 on and before %d", name, t, absurdYear)
	}
	o.name(name)
	o.b = appendTime(o.b, t)
}
