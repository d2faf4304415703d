package events

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

const structured = "application/cloudevents+json"

func ce(id, typ, subject, rest string) string {
	if subject != "" {
		rest = fmt.Sprintf(`,"subject":%q`, subject) + rest
	}
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/probes/7","type":%q%s}`, id, typ, rest)
}

func TestForeignAlert(t *testing.T) {
	e := one(t, ce("e1", "com.example.disk.full.firing", "db-01:/var",
		`,"time":"2026-11-21T09:00:00Z","traceparent":"x","data":{"Host":"kept","host":"DB-01","severity":"high","message":"93 % used","used":93,"list":[1]}`),
		"Content-Type", structured)
	e.Fingerprint, e.PrometheusFingerprint = 0, 0
	want := ingest.Event{Kind: ingest.KindAlert, Source: "events", Status: ingest.Firing, StartsAt: now.Add(-time.Hour),
		Labels:      ingest.LabelsOf("alertname", "com.example.disk.full", "ce_source", "/probes/7", "ce_subject", "db-01:/var", "host", "DB-01"),
		Annotations: ingest.LabelsOf("ce_id", "e1", "Host", "kept", "message", "93 % used", "severity", "high", "summary", "93 % used", "used", "93"),
		Severity:    ingest.Major, SourceSeverity: "high", Timeout: 24 * time.Hour}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
}

// TestIdentity is the promise of the package comment: what is one alert, and
// what ends it.
func TestIdentity(t *testing.T) {
	f := func(a, b string, same bool, status ingest.Status) {
		t.Helper()
		x, y := one(t, a, "Content-Type", structured), one(t, b, "Content-Type", structured)
		if (x.Fingerprint == y.Fingerprint) != same || y.Status != status {
			t.Errorf("%s\n%s\nsame alert: %v, want %v; status %s, want %s", a, b, x.Fingerprint == y.Fingerprint, same, y.Status, status)
		}
	}
	firing := ce("1", "disk.full", "db", `,"time":"2026-11-21T09:00:00Z","data":{"host":"a"}`)
	f(firing, firing, true, ingest.Firing)
	f(firing, ce("2", "disk.full", "db", ""), true, ingest.Firing)
	f(firing, ce("2", "disk.full", "db", `,"data":{"status":"Resolved"}`), true, ingest.Resolved)
	f(firing, ce("2", "disk.full", "db", `,"data":{"state":"ok"}`), true, ingest.Resolved)
	f(firing, ce("2", "disk.full", "db", `,"status":"cleared"`), true, ingest.Resolved)
	f(firing, ce("2", "disk.full.resolved", "db", ""), true, ingest.Resolved)
	f(firing, ce("2", "disk.full.v1.cleared.1.0", "db", ""), false, ingest.Resolved) // a version in the middle is part of the type
	f(firing, ce("2", "disk.full", "other", ""), false, ingest.Firing)
	f(firing, ce("2", "disk.slow", "db", ""), false, ingest.Firing)
	f(ce("1", "disk.full", "", `,"data":{"host":"a"}`), ce("2", "disk.full", "", `,"data":{"host":"b"}`), false, ingest.Firing)
	f(ce("1", "disk.full", "", `,"data":{"host":"a","used":1}`), ce("2", "disk.full.recovered", "", `,"data":{"host":"a","used":2}`), true, ingest.Resolved)

	// A resolution without a subject and without the labels may mean any host.
	f(ce("1", "disk.full.firing", "", `,"data":{"host":"a"}`), ce("2", "disk.full.resolved", "", ""), false, ingest.Resolved)

	// The second delivery of one event says nothing new.
	x, y := one(t, firing, "Content-Type", structured), one(t, firing, "Content-Type", structured)
	known := ingest.Episode{Status: x.Status, StartsAt: x.StartsAt}
	if v := ingest.Judge(known, &y, cmp.Equal(x.Annotations, y.Annotations) && x.Severity == y.Severity, now); v != ingest.Resend {
		t.Errorf("second delivery is judged %v, want a re-send", v)
	}
	resolved := one(t, ce("9", "disk.full.resolved", "db", `,"time":"2026-11-21T09:30:00Z"`), "Content-Type", structured)
	if v := ingest.Judge(known, &resolved, false, now); v != ingest.Resolve || !resolved.EndsAt.Equal(now.Add(-30*time.Minute)) {
		t.Errorf("resolution is judged %v, ends at %v", v, resolved.EndsAt)
	}
}

// TestEndings: what a type ends in is its status, and not part of the name by
// which the ends of an alert meet.
func TestEndings(t *testing.T) {
	f := func(typ, data, name string, status ingest.Status) {
		t.Helper()
		e := one(t, ce("1", typ, "db", `,"data":`+data), "Content-Type", structured)
		want := ingest.FingerprintOf(ingest.LabelsOf("alertname", name, "ce_source", "/probes/7", "ce_subject", "db"))
		if e.Labels.Get("alertname") != name || e.Status != status || e.Fingerprint != want {
			t.Errorf("%s %s: %q %s, want %q %s", typ, data, e.Labels.Get("alertname"), e.Status, name, status)
		}
	}
	for _, word := range []string{"firing", "opened", "raised", "triggered", "alarm", "Alarm"} {
		f("disk.full."+word, "{}", "disk.full", ingest.Firing)
		f("disk.full."+word+".v1", "{}", "disk.full", ingest.Firing)
	}
	for _, word := range []string{"resolved", "closed", "cleared", "recovered", "ok", "normal", "OK"} {
		f("disk.full."+word, "{}", "disk.full", ingest.Resolved)
		f("disk.full", `{"status":"`+word+`"}`, "disk.full", ingest.Resolved)
		f("disk.full.alarm", `{"state":"`+word+`"}`, "disk.full", ingest.Resolved)
		f("disk.full.firing", `{"state":"`+word+`"}`, "disk.full", ingest.Firing)
	}
	f("firing", "{}", "alert", ingest.Firing)
	f("resolved", "{}", "alert", ingest.Resolved)
	f("disk.book", "{}", "disk.book", ingest.Firing)
	f("disk", "{}", "disk", ingest.Firing)
}

func TestOwnFormAsData(t *testing.T) {
	e := one(t, ce("1", "any", "", `,"time":"2026-11-21T09:00:00Z","data":{"status":"resolved","labels":{"a":"B"}}`), "Content-Type", structured)
	if e.Status != ingest.Resolved || !cmp.Equal(e.Labels, ingest.LabelsOf("a", "B")) || !e.EndsAt.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v", e)
	}
	// A member too many is a mistake in it and does not make it another form.
	f := func(typ, data string, names string) {
		t.Helper()
		c := newCall(t)
		status, out := c.post(ce("1", typ, "", `,"data":`+data), "Content-Type", structured)
		if status != http.StatusBadRequest || len(out.Rejected) != 1 || !strings.Contains(out.Rejected[0].Error, names) {
			t.Errorf("%s %s: %d %+v, want 400 naming %s", typ, data, status, out, names)
		}
	}
	f("any", `{"labels":{"a":"B"},"more":1}`, `"more": unknown field`)
	f("any.changed", `{"labels":{"a":"B"},"title":"x"}`, `"title": unknown field`)
	f("tocsin.event", `{"labels":{"a":"B"},"more":1}`, `"more"`)
	f("tocsin.event", `{"lables":{"a":"B"}}`, `"lables"`)
	// A list of labels is somebody else's.
	if e := one(t, ce("1", "any", "", `,"data":{"labels":["a"],"more":1}`), "Content-Type", structured); e.Labels.Get("alertname") != "any" {
		t.Errorf("%v", e.Labels)
	}
}

func TestBinary(t *testing.T) {
	h := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/p", "Ce-Type", "disk.full", "Ce-Subject", "caf%C3%A9 100%", "Ce-Time", "2026-11-21T09:00:00Z"}
	e := one(t, `{"host":"a"}`, append(h, "Content-Type", "application/json")...)
	if e.Labels.Get("host") != "a" || !e.StartsAt.Equal(now.Add(-time.Hour)) || e.Labels.Get("ce_subject") != "caf%C3%A9 100%" {
		t.Errorf("%v", e)
	}
	h[9] = "caf%C3%A9"
	if e := one(t, ``, h...); e.Labels.Get("ce_subject") != "café" {
		t.Errorf("subject %q, want it decoded", e.Labels.Get("ce_subject"))
	}
	if e := one(t, "plain text", append(h, "Content-Type", "text/plain")...); e.Labels.Get("alertname") != "disk.full" {
		t.Errorf("%v", e)
	}
	f := func(name, value string, status int) {
		t.Helper()
		c := newCall(t)
		if got, out := c.post(`{}`, append(h, name, value)...); got != status || len(c.r.Rejected) != 1 {
			t.Errorf("%s: %s: %d %+v, %d counted, want %d", name, value, got, out, len(c.r.Rejected), status)
		}
	}
	f("Ce-Specversion", "0.3", 400)
	f("Ce-Specversion", "2.0", 400)
	f("Ce-Id", "", 400)
	f("Ce-Time", "now", 400)
	f("Ce-Under_score", "x", 400)
}

func TestBatch(t *testing.T) {
	c := newCall(t)
	body := "[" + ce("1", "a.b", "s", "") + `,{"specversion":"1.0"},` + ce("3", "dev.cdevents.pipelinerun.started.0.2.0", "s", "") + "," +
		ce("4", "a.c", "s", `,"data_base64":"eyJob3N0IjoiYSJ9"`) + `,{"specversion":"1.0","id":"x","id":"y","source":"/p","type":"t"}]`
	status, out := c.post(body, "Content-Type", "application/cloudevents-batch+json")
	if status != http.StatusAccepted || out.Accepted != 2 {
		t.Fatalf("%d %+v", status, out)
	}
	got := map[int]ingest.Reason{}
	for _, x := range out.Rejected {
		got[x.Index] = x.Reason
	}
	if d := cmp.Diff(map[int]ingest.Reason{1: ingest.ReasonInvalid, 2: ingest.ReasonUnsupported, 4: ingest.ReasonMalformed}, got); d != "" {
		t.Error(d)
	}
	if c.r.Events[1].Labels.Get("host") != "a" {
		t.Errorf("data_base64: %v", c.r.Events[1].Labels)
	}
}

func TestChanges(t *testing.T) {
	f := func(typ, subject, data string, want ingest.Labels) {
		t.Helper()
		e := one(t, ce("1", typ, subject, `,"time":"2026-11-21T09:00:00Z","data":`+data), "Content-Type", structured)
		if e.Kind != ingest.KindChange || e.Status != "" || !e.StartsAt.Equal(now.Add(-time.Hour)) {
			t.Errorf("%s: %s %s at %v", typ, e.Kind, e.Status, e.StartsAt)
		}
		if d := cmp.Diff(want, e.Labels.Without([]string{"ce_source", "ce_subject"})); d != "" {
			t.Errorf("%s: %s", typ, d)
		}
	}
	f("com.example.deployment", "shop", `{"environment":"prod"}`, ingest.LabelsOf("alertname", "com.example.deployment", "service", "shop", "environment", "prod"))
	f("com.example.config.change.v2", "x", `{"service":"pay"}`, ingest.LabelsOf("alertname", "com.example.config.change", "service", "pay"))
	f("dev.cdevents.service.deployed.0.1.1", "", `{"context":{"version":"0.4.1"},"subject":{"id":"/svc/cart","content":{"environment":{"id":"prod"},"artifactId":"pkg:oci/cart@1"}}}`,
		ingest.LabelsOf("alertname", "dev.cdevents.service.deployed", "service", "/svc/cart", "environment", "prod"))
	f("dev.cdevents.environment.modified.0.2.0", "", `{"subject":{"id":"prod"}}`,
		ingest.LabelsOf("alertname", "dev.cdevents.environment.modified", "environment", "prod"))
}

func TestCDIncident(t *testing.T) {
	data := `,"time":"2026-11-21T09:00:00Z","data":{"subject":{"id":"inc-1","content":{"description":"errors","service":{"id":"cart"},"environment":{"id":"prod"}}}}`
	a := one(t, ce("1", "dev.cdevents.incident.detected.0.2.0", "", data), "Content-Type", structured)
	b := one(t, ce("2", "dev.cdevents.incident.resolved.0.2.0", "", `,"data":{"subject":{"id":"inc-1","content":{}}}`), "Content-Type", structured)
	if a.Status != ingest.Firing || b.Status != ingest.Resolved || a.Fingerprint != b.Fingerprint || a.Labels.Get("service") != "cart" || a.Summary() != "errors" {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func FuzzStructured(f *testing.F) {
	f.Add([]byte(ce("1", "disk.full.resolved", "s", `,"data":{"host":"a"},"time":"2026-11-21T09:00:00Z"`)))
	f.Add([]byte(ce("1", "dev.cdevents.service.deployed.0.1.1", "", `,"data":{"subject":{"id":"x"}}`)))
	f.Add([]byte("[" + ce("1", "t", "", `,"data_base64":"e30="`) + "]"))
	f.Add([]byte(`{"specversion":"1.0","data":1,"data_base64":2,"datacontenttype":"text/xml","id":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, b := range []*httpdoor.Batch{decodeStructured(body, true), decodeBatch(body, false)} {
			for _, e := range b.Events {
				if e.Kind == ingest.KindAlert && e.Status == "" {
					t.Error("an alert without a status")
				}
			}
		}
	})
}

func FuzzBinary(f *testing.F) {
	f.Add("disk.full", "%zz", "2026-11-21T09:00:00Z", []byte(`{"labels":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, typ, subject, at string, body []byte) {
		h := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/p"}, "Ce-Type": {typ}, "Ce-Subject": {subject}, "Ce-Time": {at}}
		if b := decodeBinary(h, body, true); len(b.Events)+len(b.Rejected) != 1 {
			t.Errorf("%d events, %d rejections, want one of them", len(b.Events), len(b.Rejected))
		}
	})
}
