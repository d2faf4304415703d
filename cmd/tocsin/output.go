package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// printer writes for people: aligned columns, relative times.
type printer struct {
	io.Writer
	now time.Time
}

// render prints v as JSON or, for people, by calling table. v is either bytes
// that are JSON already, which scripts then get as the server wrote them, or
// any value.
func render(cmd *cobra.Command, v any, table func(*printer)) error {
	if !wantsJSON(cmd) {
		var b bytes.Buffer
		tw := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
		table(&printer{Writer: tw, now: time.Now()})
		if err := tw.Flush(); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
		_, err := cmd.OutOrStdout().Write(trimRight(b.Bytes()))
		return err
	}
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	b.WriteByte('\n')
	_, err := cmd.OutOrStdout().Write(b.Bytes())
	return err
}

// trimRight takes the blanks off line ends that padding the last column leaves.
func trimRight(b []byte) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		out = append(append(out, bytes.TrimRight(line, " \n")...), '\n')
	}
	return out
}

// row writes one line of a table; every cell is made visible, and an empty one
// that is not the last is "-".
func (p *printer) row(cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(p, "\t")
		}
		var s string
		switch v := c.(type) {
		case time.Time:
			s = p.ago(v)
		default:
			s = fmt.Sprint(v)
		}
		if s == "" && i < len(cells)-1 {
			s = "-"
		}
		fmt.Fprint(p, visible(s))
	}
	fmt.Fprintln(p)
}

// field writes a name and its value, unless that is empty.
func (p *printer) field(name, value string) {
	if value != "" {
		fmt.Fprintf(p, "%s\t%s\n", visible(name), visible(value))
	}
}

// ago tells a time as people do; zero is "-".
func (p *printer) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := p.now.Sub(t)
	switch {
	case d <= -time.Second:
		return "in " + span(-d)
	case d < 10*time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

// span tells a duration by its two largest units.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 24*time.Hour:
		return units(d, time.Hour, time.Minute, "h", "m")
	default:
		return units(d, 24*time.Hour, time.Hour, "d", "h")
	}
}

func units(d, big, small time.Duration, bigName, smallName string) string {
	s := strconv.Itoa(int(d/big)) + bigName
	if rest := d % big / small; rest > 0 {
		s += strconv.Itoa(int(rest)) + smallName
	}
	return s
}

// visible shows control characters, line breaks and characters that change the
// direction of writing as escapes: foreign text must not be able to move the
// cursor, clear the screen or forge a line.
func visible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && s[i] != 0xEF:
			fmt.Fprintf(&b, `\x%02x`, s[i]) // not UTF-8
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// visibleLines is visible, but keeps line breaks.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// count is a number of things: "1 CI", "2 CIs".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// short cuts a text to n characters.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
