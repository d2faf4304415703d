package correlate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/ingest"
)

// Evidence is written with every alert that joins, so its texts are put together
// by hand: fmt took a sixth of the time of a new alert.

// evidence writes down why an alert joins (or would not join) the incident of
// a candidate; the other candidates are the runners-up.
func (e *Engine) evidence(a *alert, c *candidate, all []candidate) Evidence {
	other := c.place.latest
	gap := time.Duration(c.gap) * time.Microsecond
	ev := Evidence{Score: c.score(), Threshold: e.cfg.Threshold, Nearest: other.fp, Gap: gap, Model: Model}
	otherName := e.nameOf(other)
	var where, detail string
	switch {
	case c.rule != "" && c.strength == 0:
		detail = "no path and no name in common"
	case c.place.key.ci == unbound:
		where = "both are about " + e.subjectText(c.place.key.subject, a)
		detail = where
	case c.place.key.ci == a.ci:
		where = "both are on " + e.display(a.ci)
		ev.Path = []string{e.estate.At(a.ci).ID}
		detail = "same CI"
	default:
		if c.near != nil {
			ev.Path = e.estate.path(c.near, c.at)
		} else {
			ev.Path = []string{e.estate.At(a.ci).ID, e.estate.At(c.place.key.ci).ID}
		}
		hops := len(ev.Path) - 1
		where = e.display(a.ci) + " is " + plural(hops, "hop") + " from " + e.display(c.place.key.ci)
		detail = plural(hops, "hop") + ", path strength " + strconv.FormatFloat(c.strength, 'f', 2, 64)
	}
	ev.Parts = e.parts(c, a, detail)
	for i := range all {
		r := &all[i]
		if r.place.inc == c.place.inc {
			continue
		}
		if len(ev.RunnersUp) == maxRunnersUp {
			break
		}
		ev.RunnersUp = append(ev.RunnersUp, RunnerUp{r.place.inc.rec.ID, r.score(), e.lostBy(r, c)})
	}
	switch {
	case c.keptApart != "":
		ev.Sentence = fmt.Sprintf("Did not join because rule %s keeps them apart, whatever they score: %d points.", c.keptApart, ev.Score)
		return ev
	case c.rule != "":
		ev.Sentence = fmt.Sprintf("Joined because rule %s says that they belong together; the evidence is worth %d points.", c.rule, ev.Score)
		return ev
	}
	verb, sign := "Joined", "reaches"
	if ev.Score < ev.Threshold {
		verb, sign = "Did not join", "is below"
	}
	ev.Sentence = verb + " because " + where + " and " + otherName + " began there " + roundGap(gap) + " apart: " +
		strconv.Itoa(ev.Score) + " points, which " + sign + " the threshold of " + strconv.Itoa(ev.Threshold) + "."
	return ev
}

// parts spells a score out. topology says what the points for it are for.
func (e *Engine) parts(c *candidate, a *alert, topology string) []Part {
	parts := make([]Part, 0, 6)
	for kind, points := range c.points {
		if points == 0 && kind != evTopology && kind != evTime {
			continue
		}
		detail := ""
		switch kind {
		case evTopology:
			detail = topology
		case evTime:
			detail = roundGap(time.Duration(c.gap)*time.Microsecond) + " apart"
		case evSurprise:
			detail = "chance brings " + strconv.FormatFloat(c.expected, 'f', 2, 64) + " alerts near here in that time"
		case evCompany:
			detail = e.companyText(a)
		case evDelay:
			detail = e.delayText(a, c)
		case evLabels:
			if c.elsewhere {
				detail = "environment or cluster differs"
			} else {
				detail = "shares " + e.sharedText(a, c.place.latest)
			}
		case evText:
			detail = "same alert name"
			if a.template == c.place.latest.template {
				detail += " and text"
			}
		case evChange:
			if c.change != nil {
				detail = e.sharedChangeText(a, c)
			}
		}
		parts = append(parts, Part{evidenceNames[kind], points, detail})
	}
	return parts
}

func (e *Engine) companyText(a *alert) string {
	h := e.habitOf(a)
	if h == nil {
		return ""
	}
	return decimal(h.Together) + " of the last " + decimal(h.Judged) + " of this kind came with others, " + decimal((h.Chance+500)/1000) + " by chance"
}

func (e *Engine) delayText(a *alert, c *candidate) string {
	h := e.habitOf(a)
	if h == nil {
		return ""
	}
	delay := time.Duration(a.began-c.place.inc.first().began) * time.Microsecond
	return roundGap(delay) + " after the first; half of the last " + decimal(h.Delayed) + " of this kind came within " + h.usualDelay().String()
}

func (e *Engine) nameOf(a *alert) string {
	e.other = e.packer.unpack(e.other[:0], a.labels)
	if n := e.other.Get("alertname"); n != "" {
		return n
	}
	return "alert " + a.fp.String()
}

// subjectText finds the text of a subject among an alert's.
func (e *Engine) subjectText(subject uint64, a *alert) string {
	b := &e.view(a).binding
	for _, t := range append(b.Tried, b.By) {
		if hash(t) == subject {
			return t
		}
	}
	return "the same thing"
}

// maxShared is how many shared labels a sentence names.
const maxShared = 3

// sharedText names the rarest labels two alerts share.
func (e *Engine) sharedText(a, b *alert) string {
	type weighted struct {
		label *ingest.Label
		w     int64
	}
	var rarest [maxShared]weighted
	n := 0
	e.other = e.packer.unpack(e.other[:0], b.labels)
	labels := e.view(a).labels
	eachPair(labels, e.other, func(i, j int) {
		if i < 0 || j < 0 || labels[i].Value != e.other[j].Value || labels[i].Name == "alertname" {
			return
		}
		n++
		l := weighted{&labels[i], e.weights[i]}
		for i := range rarest {
			if rarest[i].label == nil || l.w > rarest[i].w {
				l, rarest[i] = rarest[i], l
			}
			if l.label == nil {
				break
			}
		}
	})
	if n == 0 {
		return "the alert name"
	}
	var text strings.Builder
	for i, s := range rarest[:min(n, maxShared)] {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(s.label.Name)
		text.WriteByte('=')
		text.WriteString(clip(s.label.Value, 60))
	}
	if n > maxShared {
		text.WriteString(" and " + strconv.Itoa(n-maxShared) + " more")
	}
	return text.String()
}

func (e *Engine) display(ci int32) string { return e.estate.At(ci).DisplayName() }

func roundGap(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
