package ingest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func down() Event {
	return Event{Kind: KindAlert, Source: "prometheus", Status: Firing, Labels: LabelsOf("alertname", "Down", "host", "db-1"), StartsAt: now.Add(-time.Minute)}
}

func TestNormalizeTimes(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{})
	var zero time.Time
	yearOne := time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	start, end, later := now.Add(-time.Hour), now.Add(-time.Minute), now.Add(time.Hour)
	f := func(name string, status Status, starts, ends, wantStarts, wantEnds time.Time, wantErr string) {
		t.Helper()
		e := down()
		e.Status, e.StartsAt, e.EndsAt = status, starts, ends
		reason, err := n.Normalize(&e, now)
		if wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), wantErr) || reason != ReasonInvalid {
				t.Errorf("%s: error %v (%s), want %q", name, err, reason, wantErr)
			}
			return
		}
		if err != nil || e.StartsAt != wantStarts || e.EndsAt != wantEnds {
			t.Errorf("%s: %v, from %v to %v; want %v to %v", name, err, e.StartsAt, e.EndsAt, wantStarts, wantEnds)
		}
	}
	f("as sent", Resolved, start, end, start, end, "")
	f("no times at all", Firing, zero, zero, now, zero, "")
	f("year 1 is unset, in any zone", Firing, yearOne, yearOne, now, zero, "")
	f("resolved without an end ends now", Resolved, start, zero, start, now, "")
	f("resolved without any time", Resolved, zero, zero, now, now, "")
	f("no start: the end", Resolved, zero, end, end, end, "")
	f("no start, but an expiry to come: now", Firing, zero, later, now, later, "")
	f("resolved, and the sender's clock is ahead", Resolved, later, zero, later, later, "")
	f("to the microsecond, in UTC", Firing, time.Date(2026, 3, 1, 11, 0, 0, 123456789, time.FixedZone("", 3600)), zero,
		time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC), zero, "")
	f("end before start", Resolved, now, start, zero, zero, "ends_at: 2026-03-01T09:00:00Z is before starts_at, 2026-03-01T10:00:00Z; correct")
	f("before 1970", Firing, time.Unix(-1, 0), zero, zero, zero, "starts_at: ")
	f("year 0", Firing, time.Date(0, 6, 1, 0, 0, 0, 0, time.UTC), zero, zero, zero, "starts_at: 0000-06-01T00:00:00Z is not a time")
	f("year 10000", Resolved, start, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), zero, zero, "ends_at: ")
	f("no status", "", start, zero, zero, zero, `status ""`)
	f("a status of somebody else", "pending", start, zero, zero, zero, `status "pending"`)
}

func TestNormalizeLabels(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{MaxLabels: 3, MaxLabelBytes: 10, MaxAnnotationBytes: 20})
	f := func(name string, labels, annotations, want Labels, wantReason Reason, wantErr string) {
		t.Helper()
		e := down()
		e.Labels, e.Annotations = labels, annotations
		reason, err := n.Normalize(&e, now)
		if wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), wantErr) || reason != wantReason {
				t.Errorf("%s: error %v (%s), want %q (%s)", name, err, reason, wantErr, wantReason)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, e.Labels); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("upper case is kept", Labels{{"Host", "DB-1"}}, nil, Labels{{"Host", "DB-1"}}, "", "")
	f("empty values go", Labels{{"a", "x"}, {"b", ""}}, nil, Labels{{"a", "x"}}, "", "")
	f("out of order", Labels{{"b", "y"}, {"a", "x"}}, nil, Labels{{"a", "x"}, {"b", "y"}}, "", "")
	f("twice: the last wins", Labels{{"a", "x"}, {"a", "y"}}, nil, Labels{{"a", "y"}}, "", "")
	f("none", nil, nil, nil, ReasonInvalid, "labels: empty")
	f("none but empty ones", Labels{{"a", ""}}, nil, nil, ReasonInvalid, "labels: empty")
	f("a name is empty", Labels{{"", "x"}}, nil, nil, ReasonInvalid, `its value is "x"`)
	f("a value is not UTF-8", Labels{{"a", "\xff"}}, nil, nil, ReasonInvalid, `labels: the value of "a", "\xff", is not UTF-8`)
	f("a name is not UTF-8", Labels{{"\xc3", "x"}}, nil, nil, ReasonInvalid, `labels: the name "\xc3" is not UTF-8`)
	f("an annotation is not UTF-8", Labels{{"a", "x"}}, Labels{{"summary", "\xff"}}, nil, ReasonInvalid, `annotations: the value of "summary"`)
	f("too many", Labels{{"a", "x"}, {"b", "x"}, {"c", "x"}, {"d", "x"}}, nil, nil, ReasonTooLarge, "labels: 4 of them, at most 3")
	f("a long value", Labels{{"a", "01234567890"}}, nil, nil, ReasonTooLarge, `labels: the value of "a" has 11 bytes, at most 10 are taken; shorten it or raise ingest.max_label_bytes`)
	f("a long name", Labels{{"01234567890", "x"}}, nil, nil, ReasonTooLarge, "has 11 bytes, at most 10")
	f("annotations may be longer", Labels{{"a", "x"}}, Labels{{"s", "01234567890"}}, Labels{{"a", "x"}}, "", "")
	f("but not for ever", Labels{{"a", "x"}}, Labels{{"s", strings.Repeat("x", 21)}}, nil, ReasonTooLarge, `annotations: the value of "s" has 21 bytes`)
}

func TestNormalizeLeavesTheLabelsOfOthersAlone(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{})
	shared := Labels{{"a", ""}, {"c", "x"}, {"b", "y"}}
	for range 2 {
		e := down()
		e.Labels = shared
		if _, err := n.Normalize(&e, now); err != nil || cmp.Diff(Labels{{"b", "y"}, {"c", "x"}}, e.Labels) != "" {
			t.Fatalf("labels %v, %v", e.Labels, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{})
	f := func(labels Labels, same bool) {
		t.Helper()
		e, want := down(), FingerprintOf(LabelsOf("alertname", "Down", "host", "db-1"))
		e.Labels = labels
		if _, err := n.Normalize(&e, now); err != nil {
			t.Fatal(err)
		}
		if (e.Fingerprint == want) != same || e.PrometheusFingerprint != FingerprintOf(labels) {
			t.Errorf("%v: fingerprint %v, of Prometheus %v; the same as without replica labels (%v): want %v", labels, e.Fingerprint, e.PrometheusFingerprint, want, same)
		}
		if cmp.Diff(labels, e.Labels) != "" {
			t.Errorf("labels changed to %v", e.Labels)
		}
	}
	f(LabelsOf("alertname", "Down", "host", "db-1"), true)
	for _, replica := range DefaultReplicaLabels {
		f(LabelsOf("alertname", "Down", "host", "db-1", replica, "a"), true)
	}
	f(LabelsOf("alertname", "Down", "host", "db-1", "replica", "a", "prometheus_replica", "b"), true)
	f(LabelsOf("alertname", "Down", "host", "db-2"), false)
	f(LabelsOf("alertname", "Down", "Host", "db-1"), false)
	f(LabelsOf("replica", "a"), false)

	e := down()
	e.Fingerprint = 7
	if _, err := n.Normalize(&e, now); err != nil || e.Fingerprint != 7 {
		t.Errorf("the door's own fingerprint became %v, %v", e.Fingerprint, err)
	}
	onlyReplicas := []Event{down(), down()}
	onlyReplicas[0].Labels, onlyReplicas[1].Labels = LabelsOf("replica", "a"), LabelsOf("replica", "b")
	for i := range onlyReplicas {
		if _, err := n.Normalize(&onlyReplicas[i], now); err != nil {
			t.Fatal(err)
		}
	}
	if onlyReplicas[0].Fingerprint == onlyReplicas[1].Fingerprint {
		t.Error("alerts of nothing but replica labels fell together")
	}
}

func TestIdentityIgnoresReplicas(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{ReplicaLabels: []string{"z", "b", "a"}})
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOfN(rapid.StringMatching(`[a-z]`), rapid.StringMatching(`[xy]`), 1, 8).Draw(t, "labels")
		e := Event{Status: Firing, Labels: NewLabels(m)}
		if _, err := n.Normalize(&e, now); err != nil {
			t.Fatal(err)
		}
		want := NewLabels(m).Without([]string{"a", "b", "z"})
		if len(want) == 0 {
			want = NewLabels(m)
		}
		if e.Fingerprint != FingerprintOf(want) {
			t.Fatalf("fingerprint of %v is not that of %v", e.Labels, want)
		}
	})
}

func TestNormalizeSeverityAndTimeout(t *testing.T) {
	never := time.Duration(0)
	n := NewNormalizer(NormalizerOptions{Sources: map[string]SourceOptions{
		"zabbix":  {Severities: SeverityMap{"5": Critical, "High": Major, "warning": Minor}, KeepRaw: true},
		"eternal": {Timeout: &never},
	}})
	f := func(source, name, value string, want Severity, wantWord string, wantTimeout time.Duration) {
		t.Helper()
		e := down()
		e.Source, e.Raw = source, []byte(`{}`)
		e.Labels = e.Labels.Set(name, value)
		if _, err := n.Normalize(&e, now); err != nil {
			t.Fatal(err)
		}
		if e.Severity != want || e.SourceSeverity != wantWord || e.Timeout != wantTimeout || (e.Raw != nil) != (source == "zabbix") {
			t.Errorf("%s, %s=%q: %v (%q), timeout %v, raw %s; want %v (%q), %v", source, name, value, e.Severity, e.SourceSeverity, e.Timeout, e.Raw, want, wantWord, wantTimeout)
		}
	}
	f("prometheus", "severity", "critical", Critical, "critical", 5*time.Minute)
	f("alertmanager", "severity", " Page ", Critical, " Page ", 12*time.Hour)
	f("grafana", "level", "WARN", Warning, "WARN", 12*time.Hour)
	f("other", "priority", "P2", Major, "P2", 24*time.Hour)
	f("other", "x", "y", Unknown, "", 24*time.Hour)
	f("other", "severity", "5", Unknown, "5", 24*time.Hour)
	f("zabbix", "severity", "5", Critical, "5", 24*time.Hour)
	f("zabbix", "severity", "high", Major, "high", 24*time.Hour)
	f("zabbix", "severity", "warning", Minor, "warning", 24*time.Hour)
	f("zabbix", "severity", "info", Info, "info", 24*time.Hour)
	f("eternal", "severity", "info", Info, "info", 0)

	e := down()
	e.Labels = e.Labels.Set("severity", "info").Set("level", "critical")
	e.EndsAt = now.Add(time.Minute)
	if _, err := n.Normalize(&e, now); err != nil || e.Severity != Info || e.Timeout != 0 {
		t.Errorf("severity %v, timeout %v, %v; want the first label's, and none beside an expiry", e.Severity, e.Timeout, err)
	}
	e = down()
	e.SourceSeverity, e.Timeout, e.Labels = "error", time.Second, e.Labels.Set("severity", "info")
	if _, err := n.Normalize(&e, now); err != nil || e.Severity != Major || e.Timeout != time.Second {
		t.Errorf("severity %v, timeout %v, %v; want the door's own", e.Severity, e.Timeout, err)
	}
	e = down()
	e.Severity, e.SourceSeverity = Critical, "FATAL2"
	if _, err := n.Normalize(&e, now); err != nil || e.Severity != Critical {
		t.Errorf("severity %v, %v; want the door's, for its word is not known", e.Severity, err)
	}
	e = down()
	e.GeneratorURL = "\xff"
	if reason, err := n.Normalize(&e, now); reason != ReasonInvalid || err == nil || !strings.HasPrefix(err.Error(), "generator_url:") {
		t.Errorf("a generator URL that is not UTF-8: %v (%s)", err, reason)
	}
}

// Run with -race: one normalizer serves all doors.
func TestNormalizeFromManyDoors(t *testing.T) {
	n := NewNormalizer(NormalizerOptions{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				e := down()
				if _, err := n.Normalize(&e, now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkNormalize(b *testing.B) {
	alert := Event{
		Kind: KindAlert, Source: "prometheus", Status: Firing, StartsAt: now.Add(-time.Hour), EndsAt: now.Add(4 * time.Minute),
		Labels: LabelsOf("alertname", "KubePodCrashLooping", "cluster", "prod-eu-1", "environment", "production", "grp", "g17", "instance", "10.0.3.7:9100",
			"job", "kubernetes-pods", "namespace", "checkout", "pod", "checkout-api-7d9f8b6c5d-00042", "service", "checkout-api", "severity", "warning", "team", "platform"),
		Annotations: LabelsOf("summary", "Instance 10.0.3.7 is above its threshold for more than 10 minutes",
			"description", strings.Repeat("the rate has stayed over 90 % ", 6), "runbook_url", "https://runbooks.example.com/alerts/HighCPU", "value", "0.93"),
		GeneratorURL: "http://prometheus.example.com:9090/graph?g0.expr=rate%28node_cpu_seconds_total%5B5m%5D%29+%3E+0.9&g0.tab=1",
	}
	n := NewNormalizer(NormalizerOptions{})
	run := func(name string, alert Event) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := alert
				if _, err := n.Normalize(&e, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("plain", alert)
	alert.Labels = alert.Labels.Set("prometheus_replica", "prometheus-0")
	run("replica", alert)
}
