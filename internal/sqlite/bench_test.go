package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tocsin/correlate"
	"tocsin/ingest"
)

// cpu is the processor time of this process so far, of all its threads.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load makes batches of alerts as Prometheus sends them: 11 labels, 4
// annotations, about 870 bytes each. Each teaches a lesson, and a batch brings
// memories of up to 20 of 300 kinds of alert.
type load struct {
	at       time.Time
	seq, rev int64
	storm    int64 // so many incidents take all alerts, unless 0
}

func (l *load) labels(n int64) ingest.Labels {
	return ingest.LabelsOf("alertname", "HostHighCPULoad", "cluster", "prod-eu-central-1", "container", "node-exporter", "endpoint", "metrics",
		"environment", "production", "instance", fmt.Sprintf("10.%d.%d.%d:9100", n>>16&255, n>>8&255, n&255), "job", "node-exporter",
		"namespace", "monitoring", "pod", fmt.Sprintf("node-exporter-%08x", n), "service", "node-exporter", "severity", "warning")
}

func (l *load) batch(first, n int64, status ingest.Status) *correlate.Batch {
	b := &correlate.Batch{}
	l.at = l.at.Add(100 * time.Millisecond)
	b.At = l.at
	for i := first; i < first+n; i++ {
		ls := l.labels(i)
		fp := ingest.FingerprintOf(ls)
		l.seq++
		l.rev++
		inc := fmt.Sprintf("7DK-%04X", i/1000)
		if l.storm > 0 {
			inc = fmt.Sprintf("7DK-%04X", i%l.storm)
		}
		b.Events = append(b.Events, ingest.Event{Seq: l.seq, Kind: ingest.KindAlert, Source: "alertmanager", ReceivedAt: l.at, Status: status,
			Fingerprint: fp, PrometheusFingerprint: fp, Labels: ls, StartsAt: l.at, Severity: ingest.Warning, SourceSeverity: "warning",
			Annotations: ingest.LabelsOf("description", "CPU load on the host has been above 90 % for more than ten minutes, which slows down everything on it.",
				"runbook_url", "https://runbooks.example.org/node/high-cpu-load", "summary", "CPU load is above 90 %", "dashboard", "https://grafana.example.org/d/node"),
			GeneratorURL: "http://prometheus.example.org:9090/graph?g0.expr=node_load1%20%3E%200.9&g0.tab=1"})
		a := ingest.Alert{Fingerprint: fp, PrometheusFingerprint: fp, StartsAt: l.at, Revision: l.rev, At: l.at, Status: status, Source: "alertmanager",
			Severity: ingest.Warning, SourceSeverity: "warning", FirstSeen: l.at, LastSeen: l.at, Count: 1, EventSeq: l.seq, DecidedAt: l.at,
			CI: fmt.Sprintf("host-%d", i), BoundBy: "instance=10.0.0.1", Incident: inc, Transitions: []time.Time{l.at}}
		if status == ingest.Resolved {
			a.EndsAt, a.EndedBy = l.at, "source"
		} else {
			a.ExpiresAt = l.at.Add(5 * time.Minute)
			l.rev++
			b.Attachments = append(b.Attachments, correlate.Attachment{Revision: l.rev, At: l.at, Incident: inc, Fingerprint: fp, StartsAt: l.at, Began: l.at, CI: a.CI, By: "tocsin",
				Evidence: correlate.Evidence{Sentence: "Joined because web-1 is 1 hop from rack-7 and HostHighCPULoad began there 18s apart: 131 points, which reaches the threshold of 100.",
					Score: 131, Threshold: 100, Parts: []correlate.Part{{Kind: "topology", Points: 150, Detail: "1 hop, path strength 0.80"}, {Kind: "time", Points: -3, Detail: "18s apart"}},
					Nearest: fp, Path: []string{a.CI, "rack-7"}, Gap: 18 * time.Second, Model: correlate.Model}})
		}
		b.Alerts = append(b.Alerts, a)
	}
	if status == ingest.Firing {
		l.learn(b, first)
		b.Incidents = []correlate.Incident{{ID: fmt.Sprintf("7DK-%04X", first/1000), Revision: l.seq, At: l.at, OpenedAt: l.at, Status: correlate.Open, Labels: l.labels(1)}}
	}
	b.Counts = map[string]correlate.Counts{"alertmanager": {Stored: n}}
	return b
}

func (l *load) learn(b *correlate.Batch, first int64) {
	for i := range b.Alerts {
		l.rev++
		b.Lessons = append(b.Lessons, correlate.Lesson{Revision: l.rev, At: l.at, Fingerprint: b.Alerts[i].Fingerprint, Began: l.at.Add(-correlate.Company),
			CI: fmt.Sprintf("host-%d", (first+int64(i))%20_000), Together: true, Chance: 120})
	}
	for i := range min(int64(len(b.Alerts)), 20) {
		l.rev++
		b.Memories = append(b.Memories, correlate.Memory{Revision: l.rev, At: l.at, Kind: "habit", Key: fmt.Sprintf("%016x", mix(uint64((first+i)%300))),
			Body: []byte(`{"class":"server","name":"HostHighCPULoad","judged":212,"together":97,"chance":12400,"delays":[212,180,120,90,40,22,31,8,0,0,12,8,4,2,0,0,0,11,20,14,6,0,0,0,0,3,6,12,6,3,0,0,0,0],"delayed":97}`)})
	}
}

// BenchmarkAppendNew appends alerts never seen before. "storm" are batches of
// 400 that join ten incidents open all the time; elsewhere a thousand alerts
// make an incident.
func BenchmarkAppendNew(b *testing.B) {
	for _, v := range []struct {
		name         string
		batch, storm int64
	}{{"1000", 1000, 0}, {"storm", 400, 10}, {"100", 100, 0}, {"1", 1, 0}} {
		b.Run(v.name, func(b *testing.B) { appendNew(b, v.batch, v.storm) })
	}
}

func appendNew(b *testing.B, size, storm int64) {
	path := filepath.Join(b.TempDir(), "b.db")
	s := open(b, Options{Path: path})
	defer s.Close()
	l := &load{at: time.Now(), storm: storm}
	n := int64(0)
	add := func(size int64) {
		if err := s.Append(b.Context(), l.batch(n, size, ingest.Firing)); err != nil {
			b.Fatal(err)
		}
		n += size
	}
	for n < 100_000 { // the trees are not small
		add(1000)
	}
	var spent time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		batch := l.batch(n, size, ingest.Firing)
		n += size
		runtime.GC()
		start := cpu(b)
		b.StartTimer()
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		spent += cpu(b) - start
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N)/float64(size), "cpu-µs/alert")
	if info, err := os.Stat(path + "-wal"); err == nil {
		b.ReportMetric(float64(info.Size())/(1<<20), "wal-peak-MiB")
	}
	b.ReportMetric(float64(logged(b, s, path, func() {
		for range 20 {
			add(size)
		}
	}))/20/float64(size)*1000/1024, "wal-KiB/1000")
}

// logged is how many bytes f writes to the log.
func logged(b *testing.B, s *Store, path string, f func()) int64 {
	for _, query := range []string{"PRAGMA wal_autocheckpoint = 0", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.w.conn.ExecContext(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	f()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

func BenchmarkAppendSightings(b *testing.B) {
	s := open(b, Options{Path: filepath.Join(b.TempDir(), "b.db")})
	defer s.Close()
	l := &load{at: time.Now()}
	var fps []ingest.Fingerprint
	for n := int64(0); n < 100_000; n += 1000 {
		batch := l.batch(n, 1000, ingest.Firing)
		for i := range batch.Alerts {
			fps = append(fps, batch.Alerts[i].Fingerprint)
		}
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	batch := &correlate.Batch{}
	i := 0
	start := cpu(b)
	for b.Loop() {
		l.at = l.at.Add(time.Second)
		batch.At, batch.Sightings = l.at, batch.Sightings[:0]
		for range 1000 {
			i++
			batch.Sightings = append(batch.Sightings, ingest.Sighting{Fingerprint: fps[i%len(fps)], LastSeen: l.at, ExpiresAt: l.at.Add(5 * time.Minute), Count: int64(i)})
		}
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(b.N)/1000, "cpu-ns/sighting")
}

// BenchmarkRestore restores 100,000 active alerts out of a million episodes, and
// the million lessons that these taught. Making the store takes a minute or two.
func BenchmarkRestore(b *testing.B) {
	path := filepath.Join(b.TempDir(), "b.db")
	s := open(b, Options{Path: path})
	l := &load{at: time.Now()}
	for n := int64(0); n < 1_000_000; n += 1000 {
		batch := l.batch(n, 1000, ingest.Firing)
		if err := s.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if n%10_000 == 0 {
			continue // these stay
		}
		end := l.batch(n, 1000, ingest.Resolved)
		end.Incidents = batch.Incidents
		end.Incidents[0].Revision++
		end.Incidents[0].Status, end.Incidents[0].ClosedAt = correlate.Closed, l.at
		end.Incidents[0].OpenedAt = l.at.Add(-48 * time.Hour)
		if err := s.Append(b.Context(), end); err != nil {
			b.Fatal(err)
		}
		l.at = l.at.Add(time.Minute)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	defer timeLists(b, path)
	start := cpu(b)
	for b.Loop() {
		s := open(b, Options{Path: path})
		st, err := s.Restore(b.Context(), 30*time.Minute)
		if err != nil || len(st.Alerts) < 100_000 || len(st.Lessons) != 1_000_000 {
			b.Fatalf("%d alerts, %d lessons, %v", len(st.Alerts), len(st.Lessons), err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-start).Seconds()/float64(b.N), "cpu-s")
}

// timeLists reports how long the usual lists of a large store take.
func timeLists(b *testing.B, path string) {
	s := open(b, Options{Path: path})
	defer s.Close()
	l := &load{}
	some := ingest.FingerprintOf(l.labels(70_007))
	for name, list := range map[string]func() (string, error){
		"alert": func() (string, error) { _, err := s.Alert(b.Context(), some); return "", err },
		"firing": func() (string, error) {
			_, next, err := s.Alerts(b.Context(), correlate.AlertQuery{Status: ingest.Firing})
			return next, err
		},
		"on-ci": func() (string, error) {
			_, next, err := s.Alerts(b.Context(), correlate.AlertQuery{CI: "host-70007"})
			return next, err
		},
		"of-incident": func() (string, error) {
			_, next, err := s.Alerts(b.Context(), correlate.AlertQuery{Incident: "7DK-0046"})
			return next, err
		},
		"events": func() (string, error) {
			_, next, err := s.Events(b.Context(), correlate.EventQuery{Fingerprint: some})
			return next, err
		},
		"incidents": func() (string, error) {
			_, next, err := s.Incidents(b.Context(), correlate.IncidentQuery{CI: "host-70007"})
			return next, err
		},
	} {
		start := time.Now()
		if _, err := list(); err != nil {
			b.Error(err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, name+"-ms")
	}
}
