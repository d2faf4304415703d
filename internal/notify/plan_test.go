package notify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
)

func TestPlan(t *testing.T) {
	f := func(r Receiver, kind correlate.EntryKind, p correlate.Priority, want correlate.Notice) {
		t.Helper()
		r.Name = "desk"
		got := Plan([]Receiver{r}, []correlate.Incident{incident("A", 7, kind, p)})
		switch {
		case want == "" && len(got) == 0:
		case want == "" || len(got) != 1 || got[0].Notice != want || got[0].Key != "desk/A/7" || got[0].State != "pending" || !got[0].NextAttempt.Equal(got[0].At):
			t.Errorf("%+v, %s, P%d: got %+v, want %q", r, kind, p, got, want)
		}
	}
	all := Receiver{}
	f(all, correlate.EntryOpened, 5, correlate.NoticeOpened)
	f(all, correlate.EntryUnmerged, 5, correlate.NoticeOpened)
	f(all, correlate.EntrySeverity, 5, correlate.NoticeChanged)
	f(all, correlate.EntryMergedInto, 5, correlate.NoticeMerged)
	f(all, correlate.EntryAlerts, 1, "")
	f(all, correlate.EntryCommented, 1, "")
	some := Receiver{Notices: []correlate.Notice{correlate.NoticeResolved}}
	f(some, correlate.EntryResolved, 5, correlate.NoticeResolved)
	f(some, correlate.EntryOpened, 1, "")
	pager := Receiver{MinPriority: 2}
	f(pager, correlate.EntryOpened, 2, correlate.NoticeOpened)
	f(pager, correlate.EntryOpened, 3, "")
	f(pager, correlate.EntryResolved, 3, correlate.NoticeResolved) // sent only if it heard of it before
}

func TestPlanIsDeterministic(t *testing.T) {
	incs := []correlate.Incident{incident("A", 1, correlate.EntryOpened, 1), incident("B", 4, correlate.EntryResolved, 3)}
	r := []Receiver{{Name: "x"}, {Name: "y"}}
	if diff := cmp.Diff(Plan(r, incs), Plan(r, incs)); diff != "" {
		t.Error(diff)
	}
	var keys []string
	for _, d := range Plan(r, incs) {
		keys = append(keys, d.Key)
	}
	same(t, "keys", keys, []string{"x/A/1", "y/A/1", "x/B/4", "y/B/4"})
}
