package quality

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"tocsin/ingest"
)

// word draws text as hostile as JSON allows.
func word(t *rapid.T, name string) string { return rapid.StringN(1, 12, 40).Draw(t, name) }

// moment draws a time to the nanosecond, which survives being written.
func moment(t *rapid.T, name string) time.Time {
	nano := rapid.SampledFrom([]int64{0, 0, 500_000_000, 1, 123_456_789, 999_999_999}).Draw(t, name+" nano")
	return time.Unix(rapid.Int64Range(0, afterAll-2e6).Draw(t, name), nano).UTC()
}

// checkRoundTrip writes a record and reads it back.
func checkRoundTrip[T Record](t *rapid.T, read func(io.Reader, string) ([]T, error), want ...T) {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, r := range want {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	got, err := read(&b, "x.jsonl")
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s\n-written +read\n%s", text, diff)
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Alert{Time: moment(t, "time"), ID: word(t, "id"), CI: word(t, "ci"), Severity: rapid.IntRange(0, 4).Draw(t, "severity"),
			Name: word(t, "name"), Text: word(t, "text"), Fingerprint: word(t, "fingerprint")}
		if rapid.Bool().Draw(t, "ended") {
			a.EndTime = a.Time.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(t, "length")) * time.Second)
		}
		for range rapid.IntRange(0, 3).Draw(t, "labels") {
			a.Labels = a.Labels.Set(word(t, "label"), word(t, "value"))
		}
		checkRoundTrip(t, wholeAlerts, a, Alert{Time: a.Time, ID: "bare"})
		c := Change{ID: word(t, "change"), Time: moment(t, "at"), CI: word(t, "ci"), Kind: word(t, "kind"), Text: word(t, "text")}
		checkRoundTrip(t, wholeChanges, c, Change{ID: "bare", Time: c.Time})
		checkRoundTrip(t, ReadTruth, Truth{"a", word(t, "incident"), true, word(t, "ci")}, Truth{AlertID: "b"})
		checkRoundTrip(t, ReadPredicted, Prediction{"a", word(t, "incident")}, Prediction{AlertID: "b"})
		checkRoundTrip(t, ReadIncidents, Incident{"a", moment(t, "start"), []string{word(t, "root"), word(t, "root")}, word(t, "problem")}, Incident{IncidentID: "b"})
		score := rapid.Float64Range(-1e300, 1e300).Draw(t, "score")
		checkRoundTrip(t, ReadCauses, Causes{"a", []Cause{{"ci", "x" + word(t, "cause"), score}, {"change", "y", 0}}}, Causes{IncidentID: "b"})
		checkRoundTrip(t, ReadChangeLinks, ChangeLink{word(t, "change"), "a", score}, ChangeLink{word(t, "change"), "b", 0})
		checkRoundTrip(t, ReadProblems, Recurrence{"a", word(t, "signature")}, Recurrence{IncidentID: "b"})
	})
}

func wholeAlerts(r io.Reader, file string) ([]Alert, error) { return whole(ReadAlerts(r, file)) }

func wholeChanges(r io.Reader, file string) ([]Change, error) { return whole(ReadChanges(r, file)) }

// whole reads a stream to its end or its first error.
func whole[T any](seq func(func(T, error) bool)) (out []T, err error) {
	seq(func(v T, e error) bool {
		if err = e; err == nil {
			out = append(out, v)
		}
		return err == nil
	})
	return out, err
}

func TestAlertIsReadAsItStands(t *testing.T) {
	f := func(text string, want Alert) {
		t.Helper()
		got, err := wholeAlerts(strings.NewReader(text), "a")
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", text, got, err)
			return
		}
		if diff := cmp.Diff(want, got[0], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
	at := func(sec, nano int64) time.Time { return time.Unix(sec, nano).UTC() }
	f(`{"time":0,"id":"a"}`, Alert{Time: at(0, 0), ID: "a"})
	f("\ufeff\n  \r\n"+`{"time":1740789091.25,"id":"a","extra":{"time":[1]}}`+"\r\n\n", Alert{Time: at(1740789091, 250_000_000), ID: "a"})
	f(`{"time":1.740789091e9,"id":"a","ci":null,"severity":null,"labels":null,"end_time":null}`, Alert{Time: at(1740789091, 0), ID: "a"})
	// An end before the start is one at the start.
	f(`{"time":5,"end_time":4,"id":"a","severity":4.0}`, Alert{Time: at(5, 0), EndTime: at(5, 0), ID: "a", Severity: 4})
	f(`{"time":5.0000000019,"id":"\u0061\n","labels":{"b":1.50,"a":true,"none":null,"empty":"","c":"x\u0079"}}`,
		Alert{Time: at(5, 1), ID: "a\n", Labels: ingest.LabelsOf("a", "true", "b", "1.50", "c", "xy")})
}

func BenchmarkReadAlerts(b *testing.B) {
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, `{"time": %d, "end_time": %d, "id": "A%06d", "ci": "eu/otel-demo/accounting-%d/pod", "severity": 4, "name": "CPUSpend", "text": "CPUSpend on eu/otel-demo/accounting/pod", "fingerprint": "eu/otel-demo/accounting-%d/pod|CPUSpend", "labels": {"alertname": "CPUSpend", "env": "eu"}}`+"\n",
			1740789091+i, 1740789358+i, i, i%100, i%100)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range ReadAlerts(bytes.NewReader(text.Bytes()), "alerts.jsonl") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "alerts/s")
}
