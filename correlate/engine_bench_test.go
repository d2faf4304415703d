package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// plainAlert is alert i of an estate that no CMDB knows: 11 labels, as
// Prometheus sends them.
func plainAlert(i int, at time.Time) *ingest.Event {
	services := []string{"checkout", "payments", "search", "catalog", "identity", "shipping", "inventory", "gateway", "billing", "mail"}
	svc := services[(i/7)%len(services)]
	ls := ingest.LabelsOf("alertname", []string{"HighCPU", "DiskFull", "Down", "Slow"}[i%4], "severity", "warning", "cluster", "prod-eu-1",
		"namespace", svc, "service", svc+"-api", "instance", fmt.Sprintf("10.%d.%d.%d:9100", i>>16&255, i>>8&255, i&255),
		"pod", fmt.Sprintf("%s-7d9f8b6c5d-%d", svc, i), "job", "pods", "team", "sre", "environment", "production", "grp", fmt.Sprint(i/100))
	return &ingest.Event{Kind: ingest.KindAlert, Source: "prometheus", Status: ingest.Firing, Labels: ls, StartsAt: at.Add(-time.Minute),
		EndsAt: at.Add(time.Hour), Severity: ingest.Warning, Fingerprint: ingest.FingerprintOf(ls), PrometheusFingerprint: ingest.FingerprintOf(ls),
		Annotations: ingest.LabelsOf("summary", fmt.Sprintf("Instance %d is above its threshold", i), "description", "it has been so for ten minutes")}
}

// BenchmarkNewAlerts takes alerts in that nobody has seen before, 100 a tick.
// The cost of one must not depend on how many are active.
func BenchmarkNewAlerts(b *testing.B) {
	for _, active := range []int{0, 1000, 10_000, 100_000, 1_000_000} {
		if active > 100_000 && testing.Short() {
			continue // it takes three gigabytes
		}
		b.Run(fmt.Sprint("active=", active), func(b *testing.B) {
			e, err := New(DefaultConfig(), nil)
			if err != nil {
				b.Fatal(err)
			}
			now, n := t0, 0
			feed := func(count int) {
				for i := 0; i < count; i++ {
					e.ObserveEvent(plainAlert(n, now))
					if n++; n%100 == 0 {
						now = now.Add(10 * time.Millisecond)
						e.Tick(now)
					}
				}
			}
			feed(active)
			events := make([]*ingest.Event, b.N)
			for i := range events {
				events[i] = plainAlert(n+i, now)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i, ev := range events {
				e.ObserveEvent(ev)
				if i%100 == 99 {
					now = now.Add(10 * time.Millisecond)
					e.Tick(now)
				}
			}
		})
	}
}

// BenchmarkResends takes alerts in that are known and unchanged.
func BenchmarkResends(b *testing.B) {
	e, err := New(DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	const active = 20_000
	events := make([]*ingest.Event, active)
	for i := range events {
		events[i] = plainAlert(i, t0)
		e.ObserveEvent(plainAlert(i, t0))
	}
	now := t0
	e.Tick(now)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		e.ObserveEvent(events[i%active])
		if i%100 == 99 {
			now = now.Add(10 * time.Millisecond)
			e.Tick(now)
		}
	}
}

// BenchmarkStorm takes 100,000 distinct alerts in, 1,000 a tick, around a hub
// with 10,000 neighbours. It reports the longest tick.
func BenchmarkStorm(b *testing.B) {
	const leaves, alerts, perTick = 10_000, 100_000, 1_000
	cis := []cmdb.CI{{ID: "hub", Class: "switch"}}
	var relations []cmdb.Relation
	for i := range leaves {
		id := fmt.Sprintf("leaf-%05d", i)
		cis = append(cis, cmdb.CI{ID: id, Class: "server"})
		relations = append(relations, cmdb.Relation{From: id, To: "hub", Type: "depends_on"})
	}
	s, err := cmdb.New(cis, relations)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := New(DefaultConfig(), nil)
		if err != nil {
			b.Fatal(err)
		}
		e.ObserveEstate(s)
		now, longest := t0, time.Duration(0)
		e.ObserveEvent(event("Down", "hub", now, ingest.Firing))
		for i := 0; i < alerts; i++ {
			e.ObserveEvent(event(fmt.Sprintf("Alert%d", i/leaves), fmt.Sprintf("leaf-%05d", i%leaves), now, ingest.Firing))
			if i%perTick == perTick-1 {
				start := time.Now()
				e.Tick(now)
				longest = max(longest, time.Since(start))
				now = now.Add(100 * time.Millisecond)
			}
		}
		open := 0
		for _, inc := range e.incidents {
			if inc.rec.Status.Active() {
				open++
			}
		}
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-tick")
		b.ReportMetric(float64(open), "incidents")
	}
}

// BenchmarkRestore restores an engine with 100,000 active alerts.
func BenchmarkRestore(b *testing.B) {
	e, err := New(DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	h, now := newHistory(), t0
	for i := range 100_000 {
		e.ObserveEvent(plainAlert(i, now))
		if i%1000 == 999 {
			now = now.Add(10 * time.Millisecond)
			out := e.Tick(now)
			h.add(out)
			h.lines = nil
		}
	}
	cfg := DefaultConfig()
	s := h.state(cfg.Horizon(), nil)
	for b.Loop() {
		fresh, err := New(cfg, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := fresh.Restore(s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.Alerts)), "alerts")
}

// layers is an estate of n CIs as applications have them: services that need
// other services, each served by a deployment of two pods on nodes of a rack.
func layers(b *testing.B, n int) *cmdb.Snapshot {
	b.Helper()
	var cis []cmdb.CI
	var rels []cmdb.Relation
	add := func(id, class string) string {
		cis = append(cis, cmdb.CI{ID: id, Class: class})
		return id
	}
	rel := func(from, to, typ string) { rels = append(rels, cmdb.Relation{From: from, To: to, Type: typ}) }
	for g := 0; len(cis) < n; g++ { // a namespace of twenty services
		rack := add(fmt.Sprintf("rack-%06d", g), "rack")
		var nodes []string
		for i := range 10 {
			node := add(fmt.Sprintf("node-%06d-%d", g, i), "server")
			rel(node, rack, "located_in")
			nodes = append(nodes, node)
		}
		ns := add(fmt.Sprintf("ns-%06d", g), "namespace")
		for i := range 20 {
			svc := add(fmt.Sprintf("svc-%06d-%02d", g, i), "service")
			dep := add(svc+"-deployment", "deployment")
			rel(svc, dep, "served_by")
			rel(dep, ns, "in_namespace")
			for p := range 2 {
				pod := add(fmt.Sprintf("%s-pod-%d", svc, p), "pod")
				rel(dep, pod, "owns")
				rel(pod, nodes[(i*2+p)%len(nodes)], "runs_on")
			}
			for d := 1; d <= 2 && i-d*3 >= 0; d++ {
				rel(svc, fmt.Sprintf("svc-%06d-%02d", g, i-d*3), "depends_on")
			}
		}
	}
	s, err := cmdb.New(cis, rels)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkEstate takes new alerts in, each on a CI of an estate, none of which
// alerted lately. The cost of one must not depend on the size of the estate.
func BenchmarkEstate(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprint("cis=", n), func(b *testing.B) {
			s := layers(b, n)
			e, err := New(DefaultConfig(), nil)
			if err != nil {
				b.Fatal(err)
			}
			e.ObserveEstate(s)
			now := t0
			e.Tick(now)
			events := make([]*ingest.Event, b.N)
			for i := range events {
				// One alert in each half minute, all over the estate, so that
				// few are near each other.
				ci := s.At(int32(uint32(i) * 2654435761 % uint32(s.Len()))).ID
				events[i] = event("Down", ci, t0.Add(time.Duration(i)*30*time.Second), ingest.Firing)
				events[i].Labels = events[i].Labels.Set("n", fmt.Sprint(i))
				events[i].Fingerprint = ingest.FingerprintOf(events[i].Labels)
				events[i].Timeout = 10 * time.Minute
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, ev := range events {
				e.ObserveEvent(ev)
				e.Tick(ev.StartsAt)
			}
		})
	}
}

// BenchmarkStormOfPods takes 50,000 distinct alerts in, 1,000 a tick, of 10,000
// pods of 200 services that need each other, into one incident, while others
// close in every tick, so that what is known of causes changes each time. It
// reports the longest tick and what ranking its causes takes at the end.
func BenchmarkStormOfPods(b *testing.B) {
	const services, pods, alerts, perTick = 200, 50, 50_000, 1_000
	var cis []cmdb.CI
	var relations []cmdb.Relation
	add := func(id, class string, needs ...string) {
		cis = append(cis, cmdb.CI{ID: id, Class: class})
		for i := 0; i < len(needs); i += 2 {
			relations = append(relations, cmdb.Relation{From: id, Type: needs[i], To: needs[i+1]})
		}
	}
	for i := range 100 {
		add(fmt.Sprint("node-", i), "server")
	}
	for i := range services {
		id := fmt.Sprint("service-", i)
		add(id, cmdb.ClassService)
		for k := 1; k <= 3 && k <= i; k++ {
			relations = append(relations, cmdb.Relation{From: id, Type: "depends_on", To: fmt.Sprint("service-", i/(k+1))})
		}
		for k := range pods {
			add(fmt.Sprint("pod-", i*pods+k), "pod", "runs_in", id, "runs_on", fmt.Sprint("node-", (i*7+k)%100))
		}
	}
	slices.SortFunc(relations, func(a, b cmdb.Relation) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	s, err := cmdb.New(cis, slices.Compact(relations))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := New(DefaultConfig(), nil)
		if err != nil {
			b.Fatal(err)
		}
		e.ObserveEstate(s)
		e.FixGrouping(func(ingest.Fingerprint, time.Time) (string, bool) { return "one", true })
		now, longest := t0, time.Duration(0)
		for i := range alerts {
			e.ObserveEvent(event(fmt.Sprint("Alert", i%5), fmt.Sprint("pod-", i/5), now, ingest.Firing))
			if i%perTick == perTick-1 {
				e.generation++
				start := time.Now()
				e.Tick(now)
				longest = max(longest, time.Since(start))
				now = now.Add(100 * time.Millisecond)
			}
		}
		for _, inc := range e.incidents {
			e.generation++
			start := time.Now()
			e.rankCauses(inc)
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/ranking")
		}
		b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-tick")
	}
}
