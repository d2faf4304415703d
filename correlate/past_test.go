package correlate

import (
	"strings"
	"testing"
	"time"

	"tocsin/ingest"
)

// blink fires and ends an alert after each of the pauses.
func (b *bench) blink(name, ci string, pauses ...time.Duration) ingest.Fingerprint {
	var fp ingest.Fingerprint
	for _, d := range pauses {
		b.after(d)
		fp = b.fire(name, ci)
		b.after(11 * time.Minute) // until it is judged
		b.end(name, ci)
	}
	return fp
}

func (b *bench) checkNoise(want ...string) {
	b.t.Helper()
	var got []string
	for _, n := range b.e.Noise() {
		got = append(got, n.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("noise is %q, want %q", got, want)
	}
}

func TestAlertThatFiresAgainAndAgainAloneIsChronic(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	h := time.Hour
	fp := b.blink("Slow", "a", h, 2*h, h/2, 3*h, h)
	b.checkNoise("chronic: 5 firings alone within 24h0m0s")
	b.after(h)
	b.fire("Slow", "a")
	if a := b.e.alerts[fp]; a.suppression != suppressedChronic || a.incident != nil && a.incident.rec.Status.Active() {
		t.Errorf("the sixth firing: suppressed by %q, in %v; want chronic, in no incident", a.suppression, a.incident)
	}
	x, err := b.e.WhyNot(fp, b.incidentOf(b.fire("Down", "b")).ID)
	if err != nil || !strings.Contains(x.Evidence.Sentence, "chronic: 5 firings alone within 24h0m0s") {
		t.Errorf("why not: %q, %v; want the numbers", x.Evidence.Sentence, err)
	}
	b.end("Slow", "a")
	b.after(26 * h)
	b.checkNoise()
	b.fire("Slow", "a")
	if a := b.e.alerts[fp]; a.suppression != notSuppressed || b.incidentOf(fp) == nil {
		t.Errorf("after a quiet day: suppressed by %q", a.suppression)
	}
}

func TestAlertThatComesInCompanyIsNotChronic(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	for range 7 {
		b.after(2*time.Hour + time.Duration(b.now.Minute())*time.Minute)
		b.fire("Slow", "a")
		b.fire("Down", "b")
		b.after(11 * time.Minute)
		b.end("Slow", "a")
		b.end("Down", "b")
	}
	b.checkNoise()
}

func TestAlertAtRegularIntervalsIsPeriodic(t *testing.T) {
	b := newBench(t, estateOf(t, "a needs b"))
	day := 24*time.Hour - 11*time.Minute
	fp := b.blink("BackupSlow", "a", day, day, day, day)
	b.checkNoise()
	b.after(day)
	b.fire("BackupSlow", "a")
	if a := b.e.alerts[fp]; a.suppression != suppressedPeriodic {
		t.Errorf("the fifth night: suppressed by %q, want periodic", a.suppression)
	}
	b.after(11 * time.Minute)
	b.checkNoise("periodic: 5 firings alone within 96h0m0s, one each 24h0m0s")
	b.end("BackupSlow", "a")
	b.after(9 * time.Hour) // not at its time: that is news
	b.fire("BackupSlow", "a")
	if a := b.e.alerts[fp]; a.suppression != notSuppressed {
		t.Errorf("at another time: suppressed by %q", a.suppression)
	}
}
