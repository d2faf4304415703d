package replay

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// benchCIs is how many CIs alert: servers, ten of which a service needs.
const benchCIs = 100_000

func benchEstate(b *testing.B) *cmdb.Snapshot {
	b.Helper()
	relations := make([]cmdb.Relation, 0, benchCIs)
	for i := range benchCIs {
		relations = append(relations, cmdb.Relation{From: fmt.Sprint("service-", i/10), To: fmt.Sprint("server-", i), Type: "runs_on"})
	}
	return estateOf(b, relations...)
}

func benchEvent(i int, at time.Time) *ingest.Event {
	ls := ingest.LabelsOf("alertname", "Down", "ci", "server-"+strconv.Itoa(i%benchCIs), "job", "node", "severity", "warning")
	return &ingest.Event{Kind: ingest.KindAlert, Source: "bench", Status: ingest.Firing, StartsAt: at, Timeout: time.Hour,
		Labels: ls, Fingerprint: ingest.FingerprintOf(ls), PrometheusFingerprint: ingest.FingerprintOf(ls), Severity: ingest.Warning}
}

// BenchmarkReplay says how many alerts are replayed in a second, the reading
// left out.
//
//	resend  the same alerts again and again, a thousand a second
//	new     a hundred alerts begin each second, somewhere else each time, and
//	        end five minutes later
func BenchmarkReplay(b *testing.B) {
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	run := func(b *testing.B, read func(yield func(Input) bool)) {
		b.ReportAllocs()
		opt := Options{Config: correlate.DefaultConfig(), Estate: benchEstate(b)}
		b.ResetTimer()
		src := sourceFunc(func(_ context.Context, yield func(Input) bool) error {
			read(yield)
			return nil
		})
		if _, err := Run(b.Context(), src, opt); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
	}
	b.Run("resend", func(b *testing.B) {
		events := make([]*ingest.Event, benchCIs/10)
		for i := range events {
			events[i] = benchEvent(i*7919, begin)
		}
		run(b, func(yield func(Input) bool) {
			for i := range b.N {
				ev := *events[i%len(events)]
				if !yield(Input{At: begin.Add(time.Duration(i/1000) * time.Second), Event: &ev}) {
					return
				}
			}
		})
	})
	b.Run("new", func(b *testing.B) {
		run(b, func(yield func(Input) bool) {
			const active = 30_000
			started := [active]*ingest.Event{}
			for i := range b.N {
				at := begin.Add(time.Duration(i/100) * time.Second)
				if old := started[i%active]; old != nil {
					end := *old
					end.Status, end.EndsAt = ingest.Resolved, at
					if !yield(Input{At: at, Event: &end}) {
						return
					}
				}
				ev := benchEvent(i*7919, at)
				copied := *ev
				started[i%active] = &copied
				if !yield(Input{At: at, Event: ev}) {
					return
				}
			}
		})
	})
}

// BenchmarkNeutral is the reading of the neutral form, without an engine.
func BenchmarkNeutral(b *testing.B) {
	var file bytes.Buffer
	for i := range b.N {
		fmt.Fprintf(&file, `{"time": %d, "end_time": %d, "id": "A%d", "ci": "server-%d", "severity": 2, "name": "Down", "text": "server is down", "labels": {"job": "node"}}`+"\n",
			1_700_000_000+i, 1_700_000_300+i, i, i%benchCIs)
	}
	b.SetBytes(int64(file.Len() / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	src := &Neutral{Alerts: &file, AlertsName: "alerts.jsonl"}
	if err := src.Read(b.Context(), func(Input) bool { return true }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}
