package correlate

import (
	"fmt"
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
	for _, active := range []int{0, 10_000, 100_000} {
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
