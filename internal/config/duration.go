package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written with units: 10s, 5m, 1h30m, 90d,
// 2w. A day has 24 hours.
type Duration time.Duration

const day = 24 * time.Hour

// daysAndWeeks is what time.ParseDuration does not know, which must come first.
var daysAndWeeks = regexp.MustCompile(`^(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?`)

// ParseDuration reads what [time.ParseDuration] reads, and whole weeks and days
// before it.
func ParseDuration(s string) (time.Duration, error) {
	bad := func(why string) (time.Duration, error) {
		return 0, fmt.Errorf("duration %q: %s", s, why)
	}
	const want = "want a number with a unit, such as 90s, 10m, 1h30m, 7d or 2w"
	m := daysAndWeeks.FindStringSubmatch(s)
	rest := s[len(m[0]):]
	var days int64
	for i, per := range []int64{7, 1} {
		if m[i+1] != "" {
			n, err := strconv.ParseInt(m[i+1], 10, 64)
			if err != nil {
				return bad(want)
			}
			days += n * per
		}
	}
	if m[0] != "" && (strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+")) {
		return bad(want)
	}
	var d time.Duration
	if rest != "" || m[0] == "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil {
			return bad(want)
		}
	}
	const most = 290 * 365 * day // what an int64 of nanoseconds holds
	if days > int64(most/day) || d > most-time.Duration(days)*day {
		return bad("want at most 105850d")
	}
	return d + time.Duration(days)*day, nil
}

// UnmarshalText is [ParseDuration].
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what [Duration.String] says.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes whole days as days, and the rest as time.Duration does without
// its empty units: 90d, 1h30m.
func (d Duration) String() string {
	v := time.Duration(d)
	if v != 0 && v%day == 0 && v > 0 {
		return strconv.FormatInt(int64(v/day), 10) + "d"
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
