package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/quality"
)

// outcomeOf makes an outcome of a text such as "A:1 2 B:3 -:4": alerts 1 and 2
// in incident A, 3 in B and 4 in none. "A(db)" has the cause db, and "A>B" was
// merged into B.
func outcomeOf(text string) *Outcome {
	o := NewOutcome()
	id := ""
	for _, word := range strings.Fields(text) {
		if head, first, ok := strings.Cut(word, ":"); ok {
			word = first
			var cause, into string
			head, into, _ = strings.Cut(head, ">")
			id, cause, _ = strings.Cut(strings.TrimSuffix(head, ")"), "(")
			if id != "-" {
				rec := correlate.Incident{ID: id, Title: "incident " + id, OpenedAt: time.Unix(1000, 0), MergedInto: into,
					Entries: []correlate.Entry{{Kind: correlate.EntryOpened}}}
				if cause != "" {
					rec.Causes = []correlate.Cause{{Kind: "ci", ID: cause, Score: 500}}
				}
				o.AddIncident(&rec)
			}
		}
		if word == "" {
			continue
		}
		var n int
		fmt.Sscan(word, &n)
		a := ingest.Alert{Fingerprint: ingest.Fingerprint(n), StartsAt: time.Unix(int64(1000+n), 0)}
		o.AddAlert(&a)
		if id != "-" {
			o.AddAttachment(&correlate.Attachment{Fingerprint: a.Fingerprint, StartsAt: a.StartsAt, Incident: id})
		}
	}
	return o
}

// inWords tells a difference without its totals.
func inWords(d *Difference) string {
	var out []string
	add := func(name string, n int) {
		if n != 0 {
			out = append(out, fmt.Sprintf("%s %d", name, n))
		}
	}
	add("same", d.Same)
	add("renamed", d.Renamed)
	add("gained", d.Gained)
	add("lost", d.Lost)
	add("merged", d.Merged)
	add("split", d.Split)
	add("cause", d.CauseChanged)
	add("moved", d.Moved)
	add("left out", d.LeftOut)
	add("taken in", d.TakenIn)
	return strings.Join(out, ", ")
}

func TestCompare(t *testing.T) {
	f := func(before, after, want string) {
		t.Helper()
		if got := inWords(Compare(outcomeOf(before), outcomeOf(after))); got != want {
			t.Errorf("%s → %s:\n got %s\nwant %s", before, after, got, want)
		}
	}
	f("A:1 2 B:3", "A:1 2 B:3", "same 2")
	f("A:1 2 B:3", "X:1 2 B:3", "same 2, renamed 1")
	f("A:1 2 B:3 4 5", "A:1 2 3 4 5", "merged 1, moved 2")
	f("A:1 2 3 4 5", "A:1 2 B:3 4 5", "split 1, moved 2")
	f("A:1 2 B:3 4", "A:1 2", "same 1, lost 1, left out 2")
	f("A:1 2 -:3 4", "A:1 2 B:3 4", "same 1, gained 1, taken in 2")
	f("A:1 2 3 B:4 5 6", "A:1 2 B:3 4 5 6", "moved 1")
	f("A:1 2 3", "A:1 2 -:3", "left out 1")
	f("A(db):1 B(x):2", "A(shop):1 B(x):2", "same 2, cause 1")
	f("A(db):1", "A:1", "same 1") // nothing is known of the other
	f("", "", "")
	f("", "A:1", "gained 1, taken in 1")
	// What was merged counts where it went.
	f("A>B:1 B:2", "B:1 2", "same 1")
	f("A>B:1 B:2", "A:1 B:2", "split 1, moved 1")
	f("A>GONE:1", "A:1", "same 1")
	// Alerts that only one of both knows.
	f("A:1 2", "A:1", "left out 1")
	f("A:1", "A:1 2", "taken in 1")
	// Two become two others.
	f("A:1 2 B:3 4", "A:1 3 B:2 4", "moved 2")
}

func TestCompareExamples(t *testing.T) {
	d := Compare(outcomeOf("A(db):1 2 B(x):3 C:4 5 6 7"), outcomeOf("A(shop):1 2 3 C:4 5 D:6 7"))
	want := []Example{
		{Kind: kindMerged, Before: []Named{{ID: "A", Title: "incident A", Alerts: 2}, {ID: "B", Title: "incident B", Alerts: 1}},
			After: []Named{{ID: "A", Title: "incident A", Alerts: 3}}, alerts: 3},
		{Kind: kindSplit, Before: []Named{{ID: "C", Title: "incident C", Alerts: 4}},
			After: []Named{{ID: "C", Title: "incident C", Alerts: 2}, {ID: "D", Title: "incident D", Alerts: 2}}, alerts: 4},
		{Kind: kindCause, Before: []Named{{ID: "A", Title: "incident A", Alerts: 2, Cause: "ci db"}},
			After: []Named{{ID: "A", Title: "incident A", Alerts: 3, Cause: "ci shop"}}, alerts: 3},
	}
	if diff := cmp.Diff(want, d.Examples, cmp.AllowUnexported(Example{})); diff != "" {
		t.Error(diff)
	}
	many := &strings.Builder{}
	for i := range 30 {
		fmt.Fprintf(many, "I%d:%d ", i, i+1)
	}
	if d := Compare(outcomeOf(""), outcomeOf(many.String())); d.Gained != 30 || len(d.Examples) != maxOfKind {
		t.Errorf("%d gained, %d examples; want 30 and %d", d.Gained, len(d.Examples), maxOfKind)
	}
}

// Only what is recent enough counts, on both sides.
func TestCompareSince(t *testing.T) {
	before, after := outcomeOf("A:1 2 B:3 4"), outcomeOf("A:1 2 3 4")
	before.Since, after.Since = time.Unix(1002, 0), time.Unix(1002, 0)
	if got := inWords(Compare(before, after)); got != "moved 1" {
		t.Errorf("got %q, want %q: the alerts count, the incidents opened before do not", got, "moved 1")
	}
	if got := after.Totals(); got.Episodes != 3 || got.Incidents != 0 {
		t.Errorf("totals since then: %+v", got)
	}
}

// Whatever the two are, the numbers fit together.
func TestCompareLaws(t *testing.T) {
	gen := func(t *rapid.T, name string) *Outcome {
		var b strings.Builder
		for n := range rapid.IntRange(0, 12).Draw(t, name+" alerts") {
			fmt.Fprintf(&b, "%s:%d ", rapid.SampledFrom([]string{"A", "B", "C", "D", "-"}).Draw(t, name), n)
		}
		return outcomeOf(b.String())
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen(t, "before"), gen(t, "after")
		if d := Compare(a, a); !d.Empty() || d.Same != len(sizes(a)) {
			t.Fatalf("an outcome differs from itself: %s", inWords(d))
		}
		there, back := Compare(a, b), Compare(b, a)
		if there.Gained != back.Lost || there.Lost != back.Gained || there.Merged != back.Split || there.Split != back.Merged ||
			there.Same != back.Same || there.LeftOut != back.TakenIn || there.Moved != back.Moved {
			t.Fatalf("there: %s\nback:  %s", inWords(there), inWords(back))
		}
		if there.Gained == 0 && there.Lost == 0 && there.Moved == 0 && there.LeftOut == 0 && there.TakenIn == 0 && there.Same != len(sizes(a)) {
			t.Fatalf("nothing is otherwise, but not all is the same: %s", inWords(there))
		}
	})
}

// sizes are those of the incidents that hold any alert.
func sizes(o *Outcome) map[string]int {
	n := map[string]int{}
	for i := range o.episodes {
		if at := o.final(o.episodes[i].incident); at != nowhere {
			n[o.incidents[at].ID]++
		}
	}
	return n
}

func TestBaseline(t *testing.T) {
	r := &Result{Outcome: outcomeOf("A:1 2 B:3")}
	for i := range r.Outcome.episodes {
		r.rows = append(r.rows, row{fmt.Sprint("a", i+1), int32(i)})
	}
	o, err := r.Baseline([]quality.Prediction{{AlertID: "a1", IncidentID: "X"}, {AlertID: "a2"}, {AlertID: "other", IncidentID: "X"}})
	if err != nil {
		t.Fatal(err)
	}
	d := Compare(o, r.Outcome)
	if got, want := inWords(d), "gained 1, taken in 2"; got != want || !d.PagedUnknown {
		t.Errorf("got %s, paged unknown %v; want %s, true", got, d.PagedUnknown, want)
	}
	if _, err := r.Baseline([]quality.Prediction{{AlertID: "other", IncidentID: "X"}}); err == nil {
		t.Error("a baseline of other alerts is taken")
	}
}
