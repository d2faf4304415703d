package correlate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// twins is an estate of two environments that have the same things in them.
func twins(t testing.TB) *cmdb.Snapshot {
	t.Helper()
	var cis []cmdb.CI
	var rels []cmdb.Relation
	for _, env := range []string{"eu", "us"} {
		id := func(name string) string { return env + "/shop/" + name }
		for _, name := range []string{"web", "cart", "db", "mail"} {
			cis = append(cis, cmdb.CI{ID: id(name), Class: "service", Attributes: map[string]string{"env": env}})
		}
		rels = append(rels, cmdb.Relation{From: id("web"), To: id("cart"), Type: "depends_on"},
			cmdb.Relation{From: id("cart"), To: id("db"), Type: "depends_on"}, cmdb.Relation{From: id("web"), To: id("mail"), Type: "depends_on"})
	}
	s, err := cmdb.New(cis, rels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fault fires and ends "alert on CI" alerts, half a minute apart, and waits
// until their incident has closed.
func (b *bench) fault(alerts ...string) *Incident {
	b.t.Helper()
	var first ingest.Fingerprint
	for i, a := range alerts {
		name, ci, _ := strings.Cut(a, " on ")
		fp := b.fire(name, ci)
		if i == 0 {
			first = fp
		}
		b.now = b.now.Add(30 * time.Second)
	}
	id := b.incidentOf(first).ID
	b.after(20 * time.Minute)
	for _, a := range alerts {
		name, ci, _ := strings.Cut(a, " on ")
		b.end(name, ci)
	}
	b.after(time.Hour)
	b.checkStatus(id, Closed)
	return b.incident(id)
}

func TestSameProblemSameSignature(t *testing.T) {
	b := newBench(t, twins(t))
	one := b.fault("Full on eu/shop/db", "Slow on eu/shop/cart", "Errors on eu/shop/web")
	other := b.fault("Refused on eu/shop/mail", "Errors on eu/shop/web")
	again := b.fault("Full on us/shop/db", "Slow on us/shop/cart", "Errors on us/shop/web")
	if one.Signature == "" || one.Signature != again.Signature {
		t.Errorf("the same in another environment is %q, want %q", again.Signature, one.Signature)
	}
	if other.Signature == one.Signature {
		t.Errorf("another problem is %q too", other.Signature)
	}
	if want := "service */shop/"; !strings.HasPrefix(one.Signature, want) {
		t.Errorf("signature %q, want one that says %q", one.Signature, want)
	}
	if at := again.JudgedAt.Sub(again.OpenedAt); at != JudgedAfter {
		t.Errorf("judged %s after it was opened, want %s", at, JudgedAfter)
	}
	g := b.e.signatures.byName[one.Signature]
	want := []SignatureToken{{"service */shop/cart", "Slow", 2}, {"service */shop/db", "Full", 2}, {"service */shop/web", "Errors", 2}}
	if d := gocmp.Diff(want, g.Tokens); d != "" || g.Incidents != 2 || len(g.Past) != 2 {
		t.Errorf("learned %d incidents, %d occurrences, tokens (-want +got):\n%s", g.Incidents, len(g.Past), d)
	}
}

// Until it is judged, an incident shows what it looks like so far.
func TestProvisionalSignature(t *testing.T) {
	b := newBench(t, twins(t))
	first := b.fire("Full", "eu/shop/db")
	if got := b.incidentOf(first).Signature; got != "" {
		t.Fatalf("nothing is known, and yet the signature is %q", got)
	}
	b.after(JudgedAfter)
	known := b.incidentOf(first).Signature
	again := b.incidentOf(b.fire("Full", "us/shop/db"))
	if again.Signature != known || !again.JudgedAt.IsZero() {
		t.Errorf("opened with signature %q, judged at %s; want %q and not yet", again.Signature, again.JudgedAt, known)
	}
	// With what joins it is another problem.
	b.now = b.now.Add(time.Minute)
	b.fire("Slow", "us/shop/cart")
	b.fire("Errors", "us/shop/web")
	b.after(time.Minute)
	if got := b.incident(again.ID).Signature; got != "" {
		t.Errorf("two minutes on the signature is %q, want none", got)
	}
	b.after(13 * time.Minute)
	if got := b.incident(again.ID).Signature; got == known || got == "" {
		t.Errorf("judged: the signature is %q, want a new one", got)
	}
}

// An incident that closes before it is old enough is judged then, and not again
// after it was reopened.
func TestJudgedOnceWhenClosedEarly(t *testing.T) {
	b := newBench(t, twins(t))
	id := b.incidentOf(b.fire("Full", "eu/shop/db")).ID
	b.after(time.Minute)
	b.must(Command{Kind: CmdClose, Incident: id, Force: true})
	closed := *b.incident(id)
	if !closed.JudgedAt.Equal(b.now) || closed.Signature == "" {
		t.Fatalf("closed: judged at %s with signature %q, want now with one", closed.JudgedAt, closed.Signature)
	}
	h := newHistory()
	for _, o := range b.outs {
		h.add(o)
	}
	cfg := DefaultConfig()
	b.e.Recall(h.state(cfg.Horizon(), nil))
	b.must(Command{Kind: CmdReopen, Incident: id})
	b.after(time.Hour)
	if g := b.e.signatures.byName[closed.Signature]; g.Incidents != 1 || !b.incident(id).JudgedAt.Equal(closed.JudgedAt) {
		t.Errorf("learned %d times, judged at %s; want once, at %s", g.Incidents, b.incident(id).JudgedAt, closed.JudgedAt)
	}
}

// One alert at many places is one effect: it does not hide what differs.
func TestCrowdsCountAsOne(t *testing.T) {
	s := newSignatures()
	var crowd []token
	for i := range 9 {
		crowd = append(crowd, token{fmt.Sprint("service ", i), "NoTraffic"})
	}
	g := &Signature{Name: "x"}
	s.insert(g)
	s.learn(g, append(slices.Clone(crowd), token{"service 9", "Crash"}))
	// Nine tokens of weight 1/√9 are shared, one of weight 1 misses, one is new.
	_, got := s.compare(append(slices.Clone(crowd), token{"service 9", "Full"}), g)
	// Rarity: 1 for what was in all of one, 1 + ln 2 for what was in none.
	if want := 1e6 * 3.0 / (3 + 1 + 1.693); got < int64(want)-2000 || got > int64(want)+2000 {
		t.Errorf("similarity %d millionths, want %.0f", got, want)
	}
}

func TestLikeness(t *testing.T) {
	b := newBench(t, twins(t))
	b.fault("Full on eu/shop/db", "Slow on eu/shop/cart", "Errors on eu/shop/web", "Late on eu/shop/web")
	b.fault("Full on us/shop/db", "Slow on us/shop/cart", "Errors on us/shop/web", "Late on us/shop/web")
	id := b.incidentOf(b.fire("Full", "eu/shop/db")).ID
	b.fire("Slow", "eu/shop/cart")
	b.fire("Errors", "eu/shop/web")
	b.after(JudgedAfter)
	late := b.incidentOf(b.fire("Odd", "eu/shop/web")) // too late to be learned
	b.must(Command{Kind: CmdMerge, Incident: id, Incidents: []string{late.ID}})
	got, err := b.e.Likeness(id)
	if err != nil {
		t.Fatal(err)
	}
	names := func(tokens []LikenessToken) (all []string) {
		for _, x := range tokens {
			all = append(all, fmt.Sprintf("%s %s %d", x.Place, x.Alert, x.Seen))
		}
		slices.Sort(all)
		return all
	}
	// Three tokens of weight 1; one of 1 + ln(4/3) that two of three had; a new
	// one of 1 + ln 4: 3/(3 + .858 + 2.386).
	if got.Incidents != 3 || got.Similarity != 480 {
		t.Errorf("of %d incidents, similarity %d; want 3 and 480", got.Incidents, got.Similarity)
	}
	want := []string{"service */shop/cart Slow 3", "service */shop/db Full 3", "service */shop/web Errors 3"}
	if d := gocmp.Diff(want, names(got.Shared)); d != "" {
		t.Errorf("shared (-want +got):\n%s", d)
	}
	if d := gocmp.Diff([]string{"service */shop/web Late 2"}, names(got.Missing)); d != "" {
		t.Errorf("missing (-want +got):\n%s", d)
	}
	if d := gocmp.Diff([]string{"service */shop/web Odd 0"}, names(got.New)); d != "" {
		t.Errorf("new (-want +got):\n%s", d)
	}
	if got.New[0].Weight <= got.Shared[0].Weight {
		t.Errorf("what was never seen weighs %d, what always is %d; want more", got.New[0].Weight, got.Shared[0].Weight)
	}
	if _, err := b.e.Likeness("nothing"); err == nil {
		t.Error("an incident that is not there has a likeness")
	}
}

// What is kept is bounded: tokens of a signature, and signatures.
func TestSignaturesAreBounded(t *testing.T) {
	s := newSignatures()
	g := &Signature{Name: "wide"}
	s.insert(g)
	tokens := func(from, n int) (all []token) {
		for i := range n {
			all = append(all, token{fmt.Sprintf("p%04d", from+i), "Down"})
		}
		return all
	}
	s.learn(g, tokens(0, 64))
	s.learn(g, tokens(32, 64))
	if len(g.Tokens) != tokensMost {
		t.Errorf("%d tokens, want %d", len(g.Tokens), tokensMost)
	}
	for _, x := range tokens(32, 32) {
		if !slices.ContainsFunc(g.Tokens, func(k SignatureToken) bool { return k.token() == x && k.Seen == 2 }) {
			t.Errorf("%v, which was in both, is forgotten", x)
		}
	}
	checkSignatures(t, &s)
	for i := range signaturesMost {
		h := &Signature{Name: fmt.Sprint("s", i), Last: t0.Add(time.Duration(i) * time.Second)}
		s.insert(h)
		s.learn(h, tokens(i, 1))
	}
	if len(s.byName) != signaturesMost || s.byName["wide"] != nil || s.byName["s0"] == nil {
		t.Errorf("%d signatures, the oldest is still there: %v", len(s.byName), s.byName["wide"] != nil)
	}
	checkSignatures(t, &s)
}

// checkSignatures is the law that all sums follow from the signatures.
func checkSignatures(t interface {
	Helper()
	Errorf(format string, args ...any)
}, s *signatures) {
	t.Helper()
	fresh := newSignatures()
	for _, g := range s.byName {
		copied := *g
		copied.Tokens = slices.Clone(g.Tokens)
		fresh.insert(&copied)
	}
	if fresh.learned != s.learned || len(fresh.usages) != len(s.usages) {
		t.Errorf("%d incidents and %d tokens, want %d and %d", s.learned, len(s.usages), fresh.learned, len(fresh.usages))
	}
	for k, want := range fresh.usages {
		got := s.usages[k]
		if got == nil || got.seen != want.seen || !slices.EqualFunc(got.in, want.in, func(a, b *Signature) bool { return a.Name == b.Name }) {
			t.Errorf("token %v: %+v, want %+v", k, got, want)
		}
	}
}
