package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/driver"
	"tocsin/internal/replay"
	"tocsin/internal/sqlite"
)

// night is a server that lives through a bad night, in the time of a bubble.
type night struct {
	t      *testing.T
	path   string
	cfg    correlate.Config
	driver *driver.Driver
	store  *sqlite.Store
	stop   func()
}

// begin starts the server on its store, as newServer does.
func (n *night) begin() {
	n.t.Helper()
	ctx := n.t.Context()
	store, err := sqlite.Open(ctx, sqlite.Options{Path: n.path})
	if err != nil {
		n.t.Fatal(err)
	}
	engine, err := correlate.New(n.cfg, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	state, err := store.Restore(ctx, n.cfg.Horizon())
	if err == nil {
		err = engine.Restore(state)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	alive, err := store.LastAlive(ctx)
	if err != nil {
		n.t.Fatal(err)
	}
	n.store = store
	n.driver = driver.New(driver.Options{Engine: engine, Store: store, Reader: store, Estate: state.Topology, AwaySince: alive,
		Normalize: ingest.NewNormalizer(ingest.NormalizerOptions{}).Normalize})
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- n.driver.Run(run) }()
	n.stop = func() {
		cancel()
		if err := errors.Join(<-done, store.Close()); err != nil {
			n.t.Error(err)
		}
	}
}

func (n *night) send(events ...ingest.Event) {
	n.t.Helper()
	if rejected, err := n.driver.Receive(n.t.Context(), "prometheus", events, nil); err != nil || len(rejected) > 0 {
		n.t.Fatal(rejected, err)
	}
}

func (n *night) do(c correlate.Command) correlate.Incident {
	n.t.Helper()
	c.By = "ann"
	c.ID = fmt.Sprint(c.Kind, time.Now())
	inc, err := n.driver.Do(n.t.Context(), c)
	if err != nil {
		n.t.Fatal(err)
	}
	return inc
}

func (n *night) on(ci string) correlate.Incident {
	n.t.Helper()
	items, _, err := n.store.Incidents(n.t.Context(), correlate.IncidentQuery{CI: ci})
	if err != nil || len(items) == 0 {
		n.t.Fatalf("no incident on %s: %v", ci, err)
	}
	return items[0]
}

func (n *night) bring(cis []cmdb.CI, relations []cmdb.Relation) {
	n.t.Helper()
	err := n.driver.ChangeEstate(n.t.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		c, _ := cmdb.Reconcile(now, "test", cis, relations, time.Now())
		return c, nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// fires is an alert as Prometheus sends it: it holds for four minutes.
func fires(name, ci string, started time.Time) ingest.Event {
	return ingest.Event{Status: ingest.Firing, StartsAt: started, EndsAt: time.Now().Add(4 * time.Minute),
		Labels: ingest.LabelsOf("alertname", name, "ci", ci, "severity", "critical"), Annotations: ingest.LabelsOf("summary", name+" on "+ci)}
}

func resolved(name, ci string, started time.Time) ingest.Event {
	ev := fires(name, ci, started)
	ev.Status, ev.EndsAt = ingest.Resolved, time.Now()
	return ev
}

// live goes through the night: faults, re-sends, silence, a watchdog, noise that
// flaps, changes, operators, a growing estate and an outage of its own.
func (n *night) live() {
	cis := []cmdb.CI{{ID: "shop", Class: "service"}, {ID: "cart", Class: "service"}, {ID: "db", Class: "server"}, {ID: "mail", Class: "server"}, {ID: "lonely", Class: "server"}}
	relations := []cmdb.Relation{{From: "shop", To: "db", Type: "depends_on"}, {From: "cart", To: "db", Type: "depends_on"}}
	n.bring(cis, relations)
	time.Sleep(time.Minute)
	n.send(fires("Watchdog", "mail", time.Now()))
	n.send(ingest.Event{Kind: ingest.KindChange, StartsAt: time.Now(), Labels: ingest.LabelsOf("ci", "db"), Annotations: ingest.LabelsOf("summary", "db 1.2")})
	time.Sleep(5 * time.Minute)

	// A fault, re-sent each minute, part of which falls silent.
	start := time.Now()
	n.send(fires("Down", "db", start))
	time.Sleep(20 * time.Second)
	n.send(fires("Slow", "shop", start.Add(20*time.Second)), fires("Slow", "cart", start.Add(20*time.Second)))
	for range 10 {
		time.Sleep(time.Minute)
		n.send(fires("Down", "db", start), fires("Slow", "shop", start.Add(20*time.Second)), fires("Watchdog", "mail", start))
	}
	worse := fires("Slow", "shop", start.Add(20*time.Second))
	worse.Annotations = ingest.LabelsOf("summary", "shop does not answer at all")
	n.send(worse)
	fault := n.do(correlate.Command{Kind: correlate.CmdAcknowledge, Incident: n.on("db").ID})
	time.Sleep(time.Minute)
	n.send(resolved("Down", "db", start))
	// The watchdog and the shop are silent from here on.
	time.Sleep(15 * time.Minute)

	// Neighbours by a relation that comes only now; people know better.
	n.bring(append(cis, cmdb.CI{ID: "mx", Class: "server"}), append(relations, cmdb.Relation{From: "mail", To: "mx", Type: "depends_on"}))
	for i := range 8 {
		at := time.Now()
		n.send(fires("Flaps", "lonely", at))
		time.Sleep(time.Minute)
		n.send(resolved("Flaps", "lonely", at))
		time.Sleep(30 * time.Second)
		if i == 3 {
			n.send(fires("Down", "mx", at), fires("QueueFull", "mail", at))
		}
	}
	mx := n.on("mx")
	queue := fires("QueueFull", "mail", time.Now())
	split := n.do(correlate.Command{Kind: correlate.CmdSplit, Incident: mx.ID, Alerts: []ingest.Fingerprint{ingest.FingerprintOf(queue.Labels)}})
	time.Sleep(time.Minute)
	n.do(correlate.Command{Kind: correlate.CmdMerge, Incident: n.on("lonely").ID, Incidents: []string{split.ID}, Comment: "disk"})
	n.stop()

	// Away for twenty minutes: silence means nothing.
	time.Sleep(20 * time.Minute)
	n.begin()
	time.Sleep(time.Minute)
	n.send(fires("Down", "mx", time.Now().Add(-30*time.Minute)), fires("Down", "db", time.Now()))
	time.Sleep(2 * time.Hour)
	n.send(fires("Down", "cart", time.Now()))
	// The engine has forgotten it by now, and is told again.
	n.do(correlate.Command{Kind: correlate.CmdReopen, Incident: fault.ID, Comment: "not over"})
}

// TestReplayIsLive is the promise that a replay with the same configuration
// tells what happened.
func TestReplayIsLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	cfg := correlate.DefaultConfig()
	cfg.Watchdogs[0].Timeout = correlate.Duration(6 * time.Minute)
	var from time.Time
	synctest.Test(t, func(t *testing.T) {
		n := &night{t: t, path: path, cfg: cfg}
		n.begin()
		from = time.Now().Add(40 * time.Minute)
		n.live()
		// Beside the running server, and without taking anything from it.
		checkReplay(t, path, cfg, time.Time{})
		n.send(fires("Down", "lonely", time.Now()))
		n.stop()
	})
	checkReplay(t, path, cfg, time.Time{})
	checkReplay(t, path, cfg, from)

	d := replayStore(t, path, correlate.DefaultConfig(), time.Time{}, func(o *replay.Options) { o.WithoutCommands = true })
	if d.Moved == 0 || d.Before.Paged == d.After.Paged {
		t.Errorf("without what operators did all is the same: %+v", d)
	}
	strict := cfg
	strict.Threshold, strict.MergeThreshold = 1000, 1000
	if d := replayStore(t, path, strict, time.Time{}, nil); d.Split == 0 {
		t.Errorf("a threshold that nothing reaches splits no incident: %+v", d)
	}
}

func checkReplay(t *testing.T, path string, cfg correlate.Config, since time.Time) {
	t.Helper()
	d := replayStore(t, path, cfg, since, nil)
	if !d.Empty() {
		t.Errorf("since %s: a replay differs from what happened: %+v", since, d)
	}
	if d.Same < 2 || d.Same != d.After.Incidents || since.IsZero() && (d.Before.Paged < 6 || d.Before.Episodes < 15) {
		t.Errorf("since %s: too little happened to compare: %+v", since, d)
	}
}

func replayStore(t *testing.T, path string, cfg correlate.Config, since time.Time, change func(*replay.Options)) *replay.Difference {
	t.Helper()
	h, err := sqlite.OpenHistory(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	src := &replay.Recorded{Recording: h}
	if !since.IsZero() {
		src.From = since.Add(-20 * time.Minute)
	}
	opt := replay.Options{Config: cfg, Folded: true, Since: since}
	if change != nil {
		change(&opt)
	}
	res, err := replay.Run(t.Context(), src, opt)
	if err != nil {
		t.Fatal(err)
	}
	before, err := src.Happened(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	return replay.Compare(before, res.Outcome)
}
