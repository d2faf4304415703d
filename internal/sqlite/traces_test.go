package sqlite

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTraces compares runs, merged as it comes, with a plain list.
func TestTraces(t *testing.T) {
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "t.db")})
	defer s.Close()
	rapid.Check(t, func(rt *rapid.T) {
		for _, table := range []string{"runs", "traces"} {
			if _, err := s.w.conn.ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
				rt.Fatal(err)
			}
		}
		fp := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{-1 << 63, 1<<63 - 1}))
		want := map[int64][]int64{0: nil}
		for range rapid.IntRange(1, 20).Draw(rt, "batches") {
			for range rapid.IntRange(0, 300).Draw(rt, "traces") {
				tr := trace{fp.Draw(rt, "fp"), rapid.Int64Range(0, 1<<60).Draw(rt, "key")}
				s.w.tracing = append(s.w.tracing, tr)
				want[tr.fp] = append(want[tr.fp], tr.key)
			}
			if err := s.w.appendTraces(t.Context(), 1); err != nil {
				rt.Fatal(err)
			}
			s.w.tracing = s.w.tracing[:0]
		}
		fps, got := []int64{}, map[int64][]int64{0: nil}
		for fp := range want {
			fps = append(fps, fp)
		}
		if err := eachTraceOf(t.Context(), s.w.conn, fps, func(tr trace) { got[tr.fp] = append(got[tr.fp], tr.key) }); err != nil {
			rt.Fatal(err)
		}
		for _, m := range []map[int64][]int64{want, got} {
			for fp := range m {
				slices.Sort(m[fp])
				m[fp] = slices.Compact(m[fp])
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("traces (-want +got):\n%s", d)
		}
		if err := s.w.loadSeen(t.Context(), 0); err != nil {
			rt.Fatal(err)
		}
		for fp, keys := range want {
			if len(keys) > 0 && !s.w.seen.has(fp) {
				rt.Fatalf("fingerprint %d has traces and is not among the seen", fp)
			}
		}
	})
}

// TestSeenRarelyWrong checks what the filter is for.
func TestSeenRarelyWrong(t *testing.T) {
	s := newSeen(0)
	for fp := int64(0); !s.full(); fp++ {
		s.add(int64(mix(uint64(fp))))
	}
	wrong := 0
	for fp := int64(1 << 40); fp < 1<<40+10_000; fp++ {
		if s.has(fp) {
			wrong++
		}
	}
	if wrong > 60 {
		t.Errorf("%d of 10000 unseen fingerprints are said to be seen", wrong)
	}
}
