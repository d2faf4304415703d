package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxCauses is how many CIs are listed, and how many alerts.
	maxCauses = 5
	// maxListed is how many causes of all kinds are.
	maxListed = 10
)

// change is a change event as the engine remembers it.
type change struct {
	seq      int64
	startsAt int64
	received int64
	ci       int32
	text     string
	id, kind string // its own, empty when it has none
}

// rankCauses ranks what may have caused an incident: CIs by their [rating], the
// changes on them right below them, and alerts that no CI stands for.
func (e *Engine) rankCauses(inc *incident) []Cause {
	var out []Cause
	if len(inc.pairs) > 0 {
		out = e.ciCauses(inc)
	}
	out = append(out, e.alertCauses(inc)...)
	slices.SortStableFunc(out, func(a, b Cause) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), maxListed)]
}

// ciCauses lists the likeliest CIs, of each workload one before any other, each
// followed by the change that may have made it fail.
func (e *Engine) ciCauses(inc *incident) []Cause {
	s := e.sumsOf(inc)
	full := max(s.full(), 1)
	rated := e.workloadsFirst(e.rateCIs(inc, s, maxCauses), maxCauses)
	accounts := e.account(inc, rated)
	var out []Cause
	least := 1000
	for i := range rated {
		r := &rated[i]
		// What stands below another because of its workload says so.
		least = int(min(max(r.total()*1000/full, 0), int64(least)))
		c := e.ciCause(inc, r, &accounts[i])
		c.Score = least
		out = append(out, c)
		if r.after != nil {
			out = append(out, e.changeCause(inc, r, &c))
		}
	}
	return out
}

func (e *Engine) ciCause(inc *incident, r *rating, acc *account) Cause {
	c := Cause{Kind: "ci", ID: e.estate.At(r.ci).ID, Name: e.display(r.ci)}
	var b strings.Builder
	parts, said := r.confirmedParts()
	b.WriteString(said)
	explained := acc.text(inc)
	c.Parts = append(parts, Part{"explains", int(r.explains), explained})
	b.WriteString("explains " + explained)
	if acc.from != "" {
		c.Parts[len(c.Parts)-1].Detail += "; " + acc.from
		b.WriteString(" (" + acc.from + ")")
	}
	if said := r.dependantsText(); said != "" {
		b.WriteString(", " + said)
		if r.mute > 0 {
			c.Parts = append(c.Parts, Part{"silent", int(r.silent), said})
		}
	}
	if r.after != nil {
		c.Parts = append(c.Parts, Part{"change", int(r.change), r.after.text})
		fmt.Fprintf(&b, ", changed %s before (%s)", roundGap(r.after.before(inc)), clip(r.after.text, 80))
	}
	switch p := inc.cis[r.ci]; {
	case p == nil:
		b.WriteString(", does not alert itself")
	case p.first == inc.first().began:
		b.WriteString(", alerted first")
	default:
		b.WriteString(", alerts itself")
	}
	c.Reason = b.String()
	return c
}

// dependantsText says whether what needs a CI directly alerts.
func (r *rating) dependantsText() string {
	switch {
	case r.dependants == 0:
		return ""
	case r.dependants == 1 && r.mute == 0:
		return "the workload that needs it alerts too"
	case r.dependants == 1:
		return "the workload that needs it does not alert"
	case r.dependants == 2 && r.mute == 0:
		return "both workloads that need it alert too"
	case r.mute == 0:
		return fmt.Sprintf("all %d workloads that need it alert too", r.dependants)
	default:
		return fmt.Sprintf("%d of %d workloads that need it do not alert", r.mute, r.dependants)
	}
}

// before is how long before an incident's first alert a change was.
func (ch *change) before(inc *incident) time.Duration {
	return time.Duration(max(inc.first().began-ch.startsAt, 0)) * time.Microsecond
}

// changeCause is the change on a CI that may have made it fail. It is no more
// likely than that the CI failed.
func (e *Engine) changeCause(inc *incident, r *rating, ci *Cause) Cause {
	gap := roundGap(r.after.before(inc))
	return Cause{
		Kind: "change", ID: strconv.FormatInt(r.after.seq, 10), Name: r.after.text, Score: ci.Score, At: timeOf(r.after.startsAt),
		Parts:  []Part{{"change", int(r.change), gap + " before the first alert"}},
		Reason: fmt.Sprintf("changed %s %s before the first alert", ci.Name, gap),
	}
}

// account is what a cause accounts for: the alerts that its failure makes
// likelier than they are anyway by the share of explainedFrom.
type account struct {
	counted, all int // alerts
	cis          int
	// name is the alert name that the past ties most to where this cause is.
	name  uint32
	where position
	lift  float64
	from  string // the same in words
}

const explainedFrom = 0.25

// liftTold is from which factor on it is worth telling where a name comes from.
const liftTold = 1.5

var fromWhere = [allPositions]string{
	here: " is mostly seen on what failed itself", upstream: " mostly comes from what a CI needs",
	downstream: " mostly comes from what needs the CI",
}

func (acc *account) text(inc *incident) string {
	cis := plural(len(inc.cis), "CI")
	switch {
	case acc.all == 0:
		return "alerts on many of " + cis
	case acc.counted == acc.all:
		return "all alerts, on " + cis
	default:
		return fmt.Sprintf("%d %% of the alerts, on %d of %s", 100*acc.counted/acc.all, acc.cis, cis)
	}
}

// maxCounted is up to how many pairs an incident's are counted for its causes.
const maxCounted = 1000

// account counts what each of a few causes accounts for.
func (e *Engine) account(inc *incident, rated []rating) []account {
	out := make([]account, len(rated))
	if len(inc.pairs) > maxCounted {
		return out
	}
	type seat struct {
		cause int
		ci    int32
	}
	seen := map[seat]bool{}
	for p, n := range inc.pairs {
		background, lifts := e.background(p.ci, p.name), e.lifts(p.name)
		for i := range out {
			out[i].all += n
		}
		for _, x := range e.estate.culprits(p.ci).list {
			i := slices.IndexFunc(rated, func(r rating) bool { return r.ci == x.ci })
			if i < 0 || min(x.p*lifts[x.where], seenMost) < explainedFrom*background {
				continue
			}
			acc := &out[i]
			acc.counted += n
			if k := (seat{i, p.ci}); !seen[k] {
				seen[k] = true
				acc.cis++
			}
			if l := lifts[x.where]; l >= liftTold && (l > acc.lift || l == acc.lift && cmp.Or(cmp.Compare(p.name, acc.name), cmp.Compare(x.where, acc.where)) < 0) {
				acc.name, acc.where, acc.lift = p.name, x.where, l
			}
		}
	}
	for i := range out {
		if s := e.symptoms[out[i].name]; out[i].lift > 0 && s != nil {
			out[i].from = clip(s.Name, 80) + fromWhere[out[i].where]
		}
	}
	return out
}

// alertCauses lists the alerts of an incident that no CI stands for. The
// earliest is the likeliest; with CIs in the incident it ranks below those
// that explain more than themselves.
func (e *Engine) alertCauses(inc *incident) []Cause {
	first := inc.loners
	var out []Cause
	for i, a := range first {
		score := int64(1000)
		if n := len(inc.members); n > 1 {
			score = int64(1000 / (max(len(inc.pairs), 1) + 1))
		}
		score -= int64(100 * i)
		if a.severity < inc.worst() {
			score -= 50
		}
		c := Cause{Kind: "alert", ID: a.fp.String(), Name: e.nameOf(a), Score: int(max(score, 1))}
		c.Parts = []Part{{"order", int(max(score, 1)), fmt.Sprintf("number %d to alert", i+1)}}
		c.Reason = "the earliest alert that no CI stands for"
		if i > 0 {
			c.Reason = fmt.Sprintf("alerted %s after the first", roundGap(time.Duration(a.began-first[0].began)*time.Microsecond))
		}
		out = append(out, c)
	}
	return out
}
