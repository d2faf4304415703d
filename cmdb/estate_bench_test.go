package cmdb

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// generate makes an estate of n CIs and about three relations for each: racks
// hold servers, servers run pods, pods make services, services call services;
// a few hubs are needed by a large part.
func generate(n int) ([]CI, []Relation) {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	services, servers, racks := max(n/20, 2), max(n/10, 2), max(n/400, 1)
	pods := max(n-services-servers-racks, 1)
	cis := make([]CI, 0, n)
	rels := make([]Relation, 0, 3*n)
	add := func(class string, count int, keys func(int) map[string][]string) []string {
		ids := make([]string, count)
		for i := range count {
			ids[i] = fmt.Sprintf("%s-%07d", class, i)
			cis = append(cis, CI{ID: ids[i], Class: class, Owner: "team-a", Environment: "production", Keys: keys(i),
				Attributes: map[string]string{"site": "eu-1"}})
		}
		return ids
	}
	none := func(int) map[string][]string { return nil }
	rack := add("rack", racks, none)
	server := add("server", servers, func(i int) map[string][]string {
		return map[string][]string{"fqdn": {fmt.Sprintf("server-%07d.example.com", i)}, "ip": {fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}}
	})
	service := add(ClassService, services, none)
	pod := add("pod", pods, func(i int) map[string][]string {
		return map[string][]string{"pod": {fmt.Sprintf("ns-%d/pod-%07d", i%100, i)}}
	})
	seen := make(map[[2]string]bool, 3*n)
	need := func(from, to, typ, group string) {
		if k := [2]string{from, to}; from != to && !seen[k] {
			seen[k] = true
			rels = append(rels, Relation{From: from, To: to, Type: typ, Group: group, Source: "cmdb", Revision: 1})
		}
	}
	for i, s := range server {
		need(s, rack[i%racks], "in_rack", "")
		need(s, rack[0], "connects_to", "") // the core switch
	}
	for i, p := range pod {
		need(p, server[rnd.IntN(servers)], "runs_on", "")
		need(service[i%services], p, "served_by", "pods")
		need(p, service[int(float64(services)*rnd.Float64()*rnd.Float64())], "calls", "")
	}
	for _, s := range service {
		need(s, service[int(float64(services)*rnd.Float64()*rnd.Float64())], "calls", "")
	}
	for len(rels) < 3*n && n > 50 {
		need(pod[rnd.IntN(pods)], service[rnd.IntN(services)], "depends_on", "")
	}
	return cis, rels
}

var sizes = []int{1_000, 10_000, 100_000, 1_000_000}

func eachSize(b *testing.B, run func(b *testing.B, cis []CI, rels []Relation)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("cis=%d", n), func(b *testing.B) {
			if testing.Short() && n > 10_000 {
				b.Skip("large estate")
			}
			cis, rels := generate(n)
			b.ResetTimer()
			run(b, cis, rels)
		})
	}
}

func BenchmarkNew(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		b.ReportAllocs()
		var s *Snapshot
		for b.Loop() {
			s = mustNew(b, cis, rels...)
		}
		b.ReportMetric(float64(s.Relations()), "relations")
	})
}

func BenchmarkNewBinder(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		s := mustNew(b, cis, rels...)
		b.ReportAllocs()
		for b.Loop() {
			mustBinder(b, nil, s)
		}
	})
}

// BenchmarkHeap reports the memory that an estate and its binder take besides
// the CIs themselves.
func BenchmarkHeap(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		for b.Loop() {
			before := heap()
			s := mustNew(b, cis, rels...)
			mid := heap()
			bind := mustBinder(b, nil, s)
			after := heap()
			b.ReportMetric(float64(mid-before)/float64(len(cis)), "snapshot-B/ci")
			b.ReportMetric(float64(after-mid)/float64(len(cis)), "binder-B/ci")
			runtime.KeepAlive(bind)
		}
	})
}

func BenchmarkBind(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		bind := mustBinder(b, nil, mustNew(b, cis, rels...))
		servers := max(len(cis)/10, 2)
		f := func(name, label string, value func(i int) string, bound bool) {
			b.Run(name, func(b *testing.B) {
				values := make([]string, 4096)
				for i := range values {
					values[i] = value(i * 7919 % servers)
				}
				i := 0
				get := func(l string) string {
					if l == label {
						return values[i&4095]
					}
					return ""
				}
				b.ReportAllocs()
				for b.Loop() {
					if got := bind.Bind(get); bound != (got.Index >= 0) {
						b.Fatalf("%+v", got)
					}
					i++
				}
			})
		}
		f("instance", "instance", func(i int) string { return fmt.Sprintf("server-%07d.example.com:9100", i) }, true)
		f("ci", "ci", func(i int) string { return fmt.Sprintf("server-%07d", i) }, true)
		f("unbound", "host", func(i int) string { return fmt.Sprintf("nowhere-%d", i) }, false)
	})
}

// BenchmarkImpact fails random CIs and, as the worst case, the hub.
func BenchmarkImpact(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		s := mustNew(b, cis, rels...)
		rnd := rand.New(rand.NewPCG(2, 2))
		query := func(b *testing.B, id func() string) {
			var times []time.Duration
			for b.Loop() {
				t := time.Now()
				if _, err := s.Impact([]string{id()}, Limit{}); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(t))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
		}
		b.Run("random", func(b *testing.B) { query(b, func() string { return s.At(rnd.Int32N(int32(s.Len()))).ID }) })
		b.Run("hub", func(b *testing.B) { query(b, func() string { return "rack-0000000" }) })
	})
}

func BenchmarkPath(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		s := mustNew(b, cis, rels...)
		rnd := rand.New(rand.NewPCG(3, 3))
		for b.Loop() {
			from, to := s.At(rnd.Int32N(int32(s.Len()))).ID, s.At(rnd.Int32N(int32(s.Len()))).ID
			if _, err := s.Path(from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCycles(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		s := mustNew(b, cis, rels...)
		for b.Loop() {
			s.Cycles(10)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	eachSize(b, func(b *testing.B, cis []CI, rels []Relation) {
		s := mustNew(b, cis, rels...)
		f := func(name string, c Change) {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Apply(c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		f("attribute", Change{CIs: []CI{{ID: "rack-0000000", Class: "rack", Revision: 2}}})
		f("new", Change{CIs: []CI{{ID: "x", Class: "rack", Revision: 2}}, Relations: []Relation{{From: "x", To: "rack-0000000", Type: "in"}}})
	})
}
