package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/api"
	"tocsin/internal/driver"
	"tocsin/internal/sqlite"
)

// update rewrites the expected output in the scripts, and the list of metrics:
// go test ./cmd/tocsin -run 'Script|TestMetrics' -update
var update = flag.Bool("update", false, "rewrite what scripts and lists compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tocsin": main})
}

// TestScript runs testdata/script. The scripts of a feature begin with its
// name. Each has a server of its own, at $TOCSIN_SERVER, on which the story of
// tell was played; $INCIDENT is the incident of the feed and $OTHER that of the
// lonely server.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			s, err := startStory(filepath.Join(env.WorkDir, ".store", "tocsin.db"))
			if err != nil {
				return err
			}
			env.Defer(s.stop)
			env.Setenv("TOCSIN_SERVER", s.http.URL)
			env.Setenv("USER", "ann")
			if err := s.tell(); err != nil {
				return err
			}
			for name, ci := range map[string]string{"INCIDENT": "feed-a", "OTHER": "lonely"} {
				id, err := s.incidentOn(ci)
				if err != nil {
					return err
				}
				env.Setenv(name, id)
				env.Setenv(strings.ToLower(name), strings.ToLower(id)) // as typed in a hurry
			}
			return nil
		},
	})
}

// story is what the CLI sees of `tocsin serve`: the API before a real engine
// and a real store.
type story struct {
	driver *driver.Driver
	store  *sqlite.Store
	http   *httptest.Server
	stop   func()
}

func startStory(db string) (*story, error) {
	ctx, cancel := context.WithCancel(context.Background())
	engine, err := correlate.New(correlate.DefaultConfig(), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	store, err := sqlite.Open(ctx, sqlite.Options{Path: db})
	if err != nil {
		cancel()
		return nil, err
	}
	d := driver.New(driver.Options{Engine: engine, Store: store, Reader: store, Normalize: func(e *ingest.Event, _ time.Time) (ingest.Reason, error) {
		e.Kind = cmp.Or(e.Kind, ingest.KindAlert)
		e.Fingerprint = ingest.FingerprintOf(e.Labels)
		e.PrometheusFingerprint = e.Fingerprint
		return "", nil
	}})
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	h := httptest.NewServer(api.New(api.Options{Reader: store, Commander: d, Explainer: d, Estate: d, Outbox: store,
		ReadEstate: readEstate, Version: "test", Store: "sqlite"}))
	return &story{d, store, h, func() {
		h.Close()
		cancel()
		<-done
		store.Close()
	}}, nil
}

// tell plays the story: a feed fails after it was worked on, and the rack that
// hangs on it; an alert nobody knows the host of; a hostile one.
func (s *story) tell() error {
	ctx := context.Background()
	err := s.driver.ChangeEstate(ctx, func(*cmdb.Snapshot) (cmdb.Change, error) {
		cis := []cmdb.CI{
			{ID: "feed-a", Class: "feed", Name: "Feed A", Owner: "facility", Criticality: cmdb.CriticalityHigh},
			{ID: "rack/1", Class: "rack", Owner: "facility"},
			{ID: "shop", Class: cmdb.ClassService, Owner: "web", Environment: "prod", Criticality: cmdb.CriticalityCritical},
			{ID: "lonely", Class: "server"},
		}
		relations := []cmdb.Relation{{From: "rack/1", To: "feed-a", Type: "powered_by"}, {From: "shop", To: "rack/1", Type: "runs_on"}}
		for i := range cis {
			cis[i].Source, cis[i].Revision, cis[i].At = "story", 1, time.Now()
		}
		for i := range relations {
			relations[i].Source, relations[i].Revision, relations[i].At = "story", 1, time.Now()
		}
		return cmdb.Change{CIs: cis, Relations: relations}, nil
	})
	if err != nil {
		return err
	}
	hourAgo := time.Now().Add(-time.Hour).Truncate(time.Second)
	alert := func(summary string, severity ingest.Severity, labels ...string) ingest.Event {
		return ingest.Event{Status: ingest.Firing, Labels: ingest.LabelsOf(labels...), Annotations: ingest.LabelsOf("summary", summary),
			StartsAt: hourAgo, EndsAt: time.Now().Add(4 * time.Hour), Severity: severity}
	}
	_, err = s.driver.Receive(ctx, "prometheus", []ingest.Event{
		{Kind: ingest.KindChange, Labels: ingest.LabelsOf("ci", "feed-a", "change_id", "CHG-7"),
			Annotations: ingest.LabelsOf("summary", "replace a fuse"), StartsAt: hourAgo.Add(-9 * time.Minute)},
		alert("Feed A has no voltage", ingest.Critical, "alertname", "FeedDown", "ci", "feed-a"),
		alert("Rack 1 is without power", ingest.Critical, "alertname", "RackDown", "ci", "rack/1"),
		alert("probe failed", ingest.Unknown, "alertname", "Unheard", "instance", "10.9.8.7:9100"),
		alert("clear \x1b[2J screen\nand forge a line \u202e", ingest.Info, "alertname", "Hostile", "ci", "lonely"),
	}, nil)
	return err
}

func (s *story) incidentOn(ci string) (string, error) {
	items, _, err := s.store.Incidents(context.Background(), correlate.IncidentQuery{CI: ci})
	if err != nil {
		return "", err
	}
	if len(items) != 1 {
		return "", fmt.Errorf("%d incidents on %s, want 1", len(items), ci)
	}
	return items[0].ID, nil
}
