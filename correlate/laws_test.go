package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// history is what a store would make of outputs.
type history struct {
	at          time.Time
	events      map[int64]ingest.Event
	alerts      map[ingest.Fingerprint]ingest.Alert
	incidents   map[string]Incident
	attachments map[string]Attachment
	memories    map[string]Memory
	lessons     []Lesson
	seq, rev    int64
	lines       []string // every record, as JSON
}

func newHistory() *history {
	return &history{events: map[int64]ingest.Event{}, alerts: map[ingest.Fingerprint]ingest.Alert{},
		incidents: map[string]Incident{}, attachments: map[string]Attachment{}, memories: map[string]Memory{}}
}

func (h *history) add(o *Output) {
	line := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		h.lines = append(h.lines, fmt.Sprintf("%T %s", v, b))
	}
	h.at = o.At
	for _, ev := range o.Events {
		line(ev)
		h.events[ev.Seq] = ev
		h.seq = max(h.seq, ev.Seq)
	}
	for _, a := range o.Alerts {
		line(a)
		h.alerts[a.Fingerprint] = a
		h.rev = max(h.rev, a.Revision)
	}
	for _, s := range o.Sightings {
		line(s)
		a := h.alerts[s.Fingerprint]
		a.LastSeen, a.ExpiresAt, a.Count = s.LastSeen, s.ExpiresAt, s.Count
		h.alerts[s.Fingerprint] = a
	}
	for _, inc := range o.Incidents {
		line(inc)
		h.incidents[inc.ID] = inc
	}
	for _, at := range o.Attachments {
		line(at)
		h.attachments[at.Incident+at.Fingerprint.String()] = at
		h.rev = max(h.rev, at.Revision)
	}
	for _, l := range o.Links {
		line(l)
		h.rev = max(h.rev, l.Revision)
	}
	for _, x := range o.Memories {
		line(x)
		h.memories[x.Kind+" "+x.Key] = x
		h.rev = max(h.rev, x.Revision)
	}
	for _, l := range o.Lessons {
		line(l)
		h.lessons = append(h.lessons, l)
		h.rev = max(h.rev, l.Revision)
	}
}

// state is what [State] says a store gives back.
func (h *history) state(horizon time.Duration, s *cmdb.Snapshot) State {
	st := State{At: h.at, EventSeq: h.seq, Revision: h.rev, Topology: s}
	cut := h.at.Add(-horizon)
	held := map[string]bool{}
	for _, inc := range h.incidents {
		ended := inc.Status == Closed || inc.Status == Merged
		if !ended || inc.ClosedAt.After(cut) || inc.OpenedAt.Truncate(24*time.Hour).Equal(h.at.Truncate(24*time.Hour)) {
			st.Incidents = append(st.Incidents, inc)
			held[inc.ID] = true
		}
	}
	for _, k := range sortedKeys(h.memories) {
		st.Memories = append(st.Memories, h.memories[k])
	}
	for _, l := range h.lessons {
		if l.At.After(h.at.Add(-History)) {
			st.Lessons = append(st.Lessons, l)
		}
	}
	named := map[ingest.Fingerprint]bool{}
	for _, at := range h.attachments {
		if held[at.Incident] && !at.Detached {
			st.Attachments = append(st.Attachments, at)
			named[at.Fingerprint] = true
		}
	}
	for _, a := range h.alerts {
		if a.Status == ingest.Firing || a.DecidedAt.After(cut) || named[a.Fingerprint] {
			ev := h.events[a.EventSeq]
			a.Labels, a.Annotations = ev.Labels, ev.Annotations
			st.Alerts = append(st.Alerts, a)
		}
	}
	for _, ev := range h.events {
		if ev.ReceivedAt.After(cut) {
			switch ev.Kind {
			case ingest.KindChange:
				st.Changes = append(st.Changes, ev)
			case ingest.KindCommand:
				st.Commands = append(st.Commands, ev)
			}
		}
	}
	bySeq := func(a, b ingest.Event) int { return cmp.Compare(a.Seq, b.Seq) }
	slices.SortFunc(st.Changes, bySeq)
	slices.SortFunc(st.Commands, bySeq)
	return st
}

// step is one turn of a random story.
type step struct {
	after    time.Duration
	events   []ingest.Event
	commands []Command
	named    bool // commands hold real names already
}

func genEstate(t *rapid.T) *cmdb.Snapshot {
	n := rapid.IntRange(2, 9).Draw(t, "cis")
	var cis []cmdb.CI
	for i := range n {
		cis = append(cis, cmdb.CI{ID: fmt.Sprintf("ci%d", i), Class: rapid.SampledFrom([]string{"server", "service"}).Draw(t, "class")})
	}
	var rels []cmdb.Relation
	for i := 1; i < n; i++ {
		rels = append(rels, cmdb.Relation{From: fmt.Sprintf("ci%d", i), To: fmt.Sprintf("ci%d", rapid.IntRange(0, i-1).Draw(t, "needs")),
			Type: rapid.SampledFrom([]string{"depends_on", "runs_on", "served_by", "connects_to"}).Draw(t, "type")})
	}
	s, err := cmdb.New(cis, rels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// genConfig draws rules, and what makes alerts noise soon.
func genConfig(t *rapid.T) Config {
	cfg := DefaultConfig()
	cfg.Noise.Chronic, cfg.Noise.Periodic = 3, 3
	for _, r := range []Rule{
		{Name: "few", Match: []string{`alertname="Slow"`}, MinAlerts: 2},
		{Name: "later", Match: []string{`alertname="Down"`, `ci.class="server"`}, Delay: Duration(4 * time.Minute)},
		{Name: "together", Match: []string{`severity="major"`}, MustLink: &MustLink{By: []string{"alertname"}}},
		{Name: "tenants", MustNotLink: &MustNotLink{By: []string{"ci"}}},
		{Name: "sides", Match: []string{`alertname="Down"`}, MustNotLink: &MustNotLink{From: []string{`alertname="Slow"`}}},
		{Name: "lateral", Break: &Break{Relations: []string{"connects_to"}, Through: []string{"service"}}},
		{Name: "full", Break: &Break{After: Duration(10 * time.Minute), Alerts: 3}},
		{Name: "never", Match: []string{`alertname="Down"`}, NeverNoise: true},
	} {
		if rapid.IntRange(0, 4).Draw(t, "rule "+r.Name) == 0 {
			cfg.Rules = append(cfg.Rules, r)
		}
	}
	return cfg
}

// genStory draws events of few alerts, so that they meet again and again, and
// commands that name incidents by number: what that is shows at run time.
func genStory(t *rapid.T) []step {
	var story []step
	at := t0
	started := map[string]time.Time{}
	for i := range rapid.IntRange(1, 25).Draw(t, "steps") {
		st := step{after: rapid.SampledFrom([]time.Duration{0, time.Second, 40 * time.Second, 3 * time.Minute, 11 * time.Minute, 50 * time.Minute}).Draw(t, "after")}
		at = at.Add(st.after)
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			name := rapid.SampledFrom([]string{"Down", "Slow", "Watchdog"}).Draw(t, "name")
			ci := fmt.Sprintf("ci%d", rapid.IntRange(0, 10).Draw(t, "on"))
			key := name + ci
			ev := event(name, ci, at.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "ago"))*time.Second), ingest.Firing)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				started[key] = ev.StartsAt
			case 2:
				if s, ok := started[key]; ok {
					ev.StartsAt = s
				}
			case 3, 4:
				if s, ok := started[key]; ok {
					ev.StartsAt = s
				}
				ev.Status, ev.EndsAt = ingest.Resolved, at
			case 5:
				ev.Kind, ev.Status = ingest.KindChange, ""
			}
			if ev.Status == ingest.Firing {
				ev.Timeout = rapid.SampledFrom([]time.Duration{0, 2 * time.Minute, time.Hour}).Draw(t, "timeout")
			}
			ev.Severity = rapid.SampledFrom([]ingest.Severity{ingest.Unknown, ingest.Warning, ingest.Critical}).Draw(t, "severity")
			ev.Source = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source")
			ev.Annotations = ingest.LabelsOf("summary", rapid.SampledFrom([]string{"", "disk 3 at 91 %", "no answer"}).Draw(t, "summary"))
			st.events = append(st.events, *ev)
		}
		if rapid.IntRange(0, 2).Draw(t, "command?") == 0 {
			kinds := []CommandKind{CmdAcknowledge, CmdAssign, CmdHold, CmdResume, CmdResolve, CmdClose, CmdReopen, CmdComment, CmdMerge, CmdUnmerge, CmdSplit, CmdMove, CmdLink, CmdLink, CmdUnlink}
			st.commands = append(st.commands, Command{
				ID: fmt.Sprint("c", i), By: "ann", Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Comment: "so",
				Incident: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "incident")), Incidents: []string{fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "other"))},
				Target: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "target")), Force: rapid.Bool().Draw(t, "force"), Assignee: "bob",
				Link: &Link{Kind: CausedBy, To: fmt.Sprint("ci:ci", rapid.IntRange(0, 4).Draw(t, "cause"))},
			})
		}
		story = append(story, st)
	}
	return story
}

// play runs a story. between is called after each step with the engine so far
// and may put another one in its place.
func play(t *rapid.T, cfg Config, s *cmdb.Snapshot, story []step, shuffle func([]*ingest.Event), between func(*Engine, *history) *Engine) *history {
	e, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newHistory()
	now := t0
	e.ObserveEstate(s)
	h.add(e.Tick(now))
	for i := range story {
		st := &story[i]
		now = now.Add(st.after)
		var evs []*ingest.Event
		for _, ev := range st.events {
			evs = append(evs, &ev)
		}
		if shuffle != nil {
			shuffle(evs)
		}
		for _, ev := range evs {
			e.ObserveEvent(ev)
		}
		for j := range st.commands {
			if !st.named {
				// Later plays of the story repeat what this one said.
				st.commands[j] = resolveNames(st.commands[j], h)
			}
			c := st.commands[j]
			if c.Validate() == nil {
				e.ObserveCommand(&c)
			}
		}
		st.named = true
		h.add(e.Tick(now))
		checkPlaces(t, e)
		if between != nil {
			e = between(e, h)
		}
	}
	h.add(e.Tick(now.Add(2 * time.Hour)))
	checkPlaces(t, e)
	checkSignatures(t, &e.signatures)
	return h
}

// resolveNames puts real incidents and alerts where the story has numbers.
func resolveNames(c Command, h *history) Command {
	ids := sortedKeys(h.incidents)
	pick := func(n string) string {
		var i int
		fmt.Sscan(n, &i)
		if len(ids) == 0 {
			return "none"
		}
		return ids[i%len(ids)]
	}
	c.Incident, c.Target = pick(c.Incident), pick(c.Target)
	c.Incidents = []string{pick(c.Incidents[0])}
	c.Link = &Link{Kind: c.Link.Kind, From: "incident:" + c.Incident, To: c.Link.To}
	if c.Kind == CmdSplit || c.Kind == CmdMove {
		for fp, a := range h.alerts {
			if a.Incident == c.Incident && fp%2 == 0 {
				c.Alerts = append(c.Alerts, fp)
			}
		}
		slices.Sort(c.Alerts)
	}
	return c
}

// checkPlaces is the law that every firing alert is in exactly one active
// incident or suppressed with a reason; and that the counts agree.
func checkPlaces(t *rapid.T, e *Engine) {
	members := map[*alert]int{}
	for id, inc := range e.incidents {
		firing := 0
		for _, a := range inc.members {
			members[a]++
			if a.incident != inc {
				t.Fatalf("incident %s holds %s, which says it is elsewhere", id, a.fp)
			}
			if a.firing {
				firing++
			}
		}
		if firing != inc.firing {
			t.Fatalf("incident %s counts %d firing alerts, it has %d", id, inc.firing, firing)
		}
	}
	firing := 0
	for fp, a := range e.alerts {
		if members[a] > 1 {
			t.Fatalf("alert %s is in %d incidents", fp, members[a])
		}
		if !a.firing {
			continue
		}
		firing++
		in := a.incident != nil && a.incident.rec.Status.Active()
		if in == (a.suppression != notSuppressed) {
			t.Fatalf("firing alert %s: in an active incident %v, suppression %q: want exactly one", fp, in, a.suppression)
		}
	}
	if firing != e.firing {
		t.Fatalf("the engine counts %d firing alerts, there are %d", e.firing, firing)
	}
}

func checkSame(t *rapid.T, what string, want, got *history) {
	// Records of one kind are in order; how many of them share a tick is
	// not part of the promise.
	for _, h := range []*history{want, got} {
		slices.SortStableFunc(h.lines, func(a, b string) int { return cmp.Compare(kindOf(a), kindOf(b)) })
	}
	for i := range want.lines {
		if i >= len(got.lines) || want.lines[i] != got.lines[i] {
			g := "(nothing)"
			if i < len(got.lines) {
				g = got.lines[i]
			}
			t.Fatalf("%s: record %d differs:\n%s\nwithout: %s\nwith:    %s", what, i, gocmp.Diff(want.lines[i], g), want.lines[i], g)
		}
	}
	if len(got.lines) > len(want.lines) {
		t.Fatalf("%s: %d more records, first %s", what, len(got.lines)-len(want.lines), got.lines[len(want.lines)])
	}
}

func kindOf(line string) string {
	kind, _, _ := strings.Cut(line, " ")
	return kind
}

func TestArrivalOrderWithinATickDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, story := genConfig(t), genEstate(t), genStory(t)
		want := play(t, cfg, s, story, nil, nil)
		got := play(t, cfg, s, story, func(evs []*ingest.Event) {
			for i := len(evs) - 1; i > 0; i-- {
				j := rapid.IntRange(0, i).Draw(t, "swap")
				evs[i], evs[j] = evs[j], evs[i]
			}
		}, nil)
		checkSame(t, "another order", want, got)
	})
}

func TestMoreTicksChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, story := genConfig(t), genEstate(t), genStory(t)
		want := play(t, cfg, s, story, nil, nil)
		var fine []step
		for _, st := range story {
			for st.after >= 20*time.Second {
				fine = append(fine, step{after: 20 * time.Second})
				st.after -= 20 * time.Second
			}
			fine = append(fine, st)
		}
		checkSame(t, "more ticks", want, play(t, cfg, s, fine, nil, nil))
	})
}

func TestRestartChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, story := genConfig(t), genEstate(t), genStory(t)
		want := play(t, cfg, s, story, nil, nil)
		got := play(t, cfg, s, story, nil, func(e *Engine, h *history) *Engine {
			if !rapid.Bool().Draw(t, "restart") {
				return e
			}
			fresh, err := New(cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := fresh.Restore(h.state(cfg.Horizon(), s)); err != nil {
				t.Fatal(err)
			}
			checkPlaces(t, fresh)
			return fresh
		})
		checkSame(t, "restarts", want, got)
	})
}

// What was written down and read again is the same input: nothing that an
// event's JSON does not hold has a part in a decision.
func TestReplayIsLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, story := genConfig(t), genEstate(t), genStory(t)
		want := play(t, cfg, s, story, nil, nil)
		got := play(t, cfg, s, story, func(evs []*ingest.Event) {
			for i := range evs {
				b, err := json.Marshal(evs[i])
				if err != nil {
					t.Fatal(err)
				}
				evs[i] = new(ingest.Event)
				if err := json.Unmarshal(b, evs[i]); err != nil {
					t.Fatal(err)
				}
			}
		}, nil)
		checkSame(t, "a replay", want, got)
	})
}
