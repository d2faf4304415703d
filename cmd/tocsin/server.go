package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"tocsin/cmdb"
	"tocsin/cmdb/file"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/ingest/alertmanager"
	"tocsin/ingest/events"
	"tocsin/ingest/httpdoor"
	"tocsin/ingest/mapping"
	"tocsin/ingest/otlp"
	"tocsin/ingest/pagerduty"
	"tocsin/internal/api"
	"tocsin/internal/driver"
	"tocsin/internal/notify"
	"tocsin/internal/sqlite"
)

// server is everything that `tocsin serve` runs, wired and listening but not
// yet running.
type server struct {
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	driver   *driver.Driver
	notifier *notify.Notifier
	store    *sqlite.Store
	cleanup  []func() error
}

// registry is a prometheus.Registry, or a test's that knows what was registered.
type registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// newServer wires a server: configuration → registry → store → estate → engine
// → driver → sinks → doors → HTTP, in one straight line, because every part
// takes what stands above it. What fails leaves nothing behind. reg takes the
// metrics and is what /metrics tells.
func newServer(ctx context.Context, set *setup, reg registry, log *slog.Logger) (_ *server, err error) {
	cfg := set.Config
	s := &server{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()

	// The listener comes first: a second server on the port is found out
	// before the store is touched.
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.cleanup = append(s.cleanup, func() error { return ignoreClosed(s.listener.Close()) })

	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newBuildInfo())

	s.store, err = sqlite.Open(ctx, sqlite.Options{
		Path: filepath.Join(cfg.Data, "tocsin.db"), Retention: time.Duration(cfg.Retention),
		Logger: log.With("component", "store"), Registerer: reg,
	})
	if err != nil {
		return nil, err
	}
	s.cleanup = append(s.cleanup, s.store.Close)

	engine, err := correlate.New(cfg.Correlation, cfg.Binding.Rules)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	state, err := s.store.Restore(ctx, cfg.Correlation.Horizon())
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := engine.Restore(state); err != nil {
		return nil, err
	}
	if !state.At.IsZero() {
		log.Info("restored", "alerts", len(state.Alerts), "incidents", len(state.Incidents), "cis", state.Topology.Len(),
			"duration", time.Since(start).Round(time.Millisecond))
	}
	alive, err := s.store.LastAlive(ctx)
	if err != nil {
		return nil, err
	}
	accounting, err := s.store.Accounting(ctx)
	if err != nil {
		return nil, err
	}

	// Without receivers too: it gives up what is owed to those that are gone.
	s.notifier, err = notify.New(notify.Options{
		Outbox: s.store, Receivers: set.Receivers, Logger: log.With("component", "notify"), Registerer: reg,
	})
	if err != nil {
		return nil, err
	}
	normalizer := ingest.NewNormalizer(cfg.Ingest.Normalizer())
	s.driver = driver.New(driver.Options{
		Engine: engine, Store: s.store, Reader: s.store, Estate: state.Topology, AwaySince: alive,
		Normalize: normalizer.Normalize, MaxEvents: cfg.Limits.MaxEventsInFlight,
		Plan:    func(incs []correlate.Incident) []correlate.Delivery { return notify.Plan(set.Receivers, incs) },
		Planned: s.notifier.Wake,
		Logger:  log.With("component", "driver"), Registerer: reg, Accounting: accounting,
	})
	door := httpdoor.New(s.driver, httpdoor.Options{
		MaxBodyBytes: cfg.Limits.MaxBodyBytes, Timeout: time.Duration(cfg.Limits.RequestTimeout), KeepRaw: normalizer.KeepsRaw, Logger: log.With("component", "door"),
	})
	mux := http.NewServeMux()
	webhook := alertmanager.Webhook(door, alertmanager.WebhookOptions{Secret: func(source string) []byte {
		return []byte(cfg.Ingest.Sources[source].HMACSecret.Reveal())
	}})
	mux.Handle("POST /api/v1/webhooks/alertmanager", webhook)
	mux.Handle("PUT /api/v1/webhooks/alertmanager", webhook) // Grafana can be told to use it
	mux.Handle("POST /api/v2/alerts", alertmanager.API(door))
	mux.Handle("POST /api/v1/events", events.Handler(door))
	mux.Handle("POST /v2/enqueue", pagerduty.Enqueue(door))
	mux.Handle("POST /v2/change/enqueue", pagerduty.Changes(door))
	mux.Handle("POST /v1/logs", otlp.Handler(door, otlp.Options{KeepRaw: normalizer.KeepsRaw}))
	mux.Handle("POST /api/v1/webhooks/{mapping}", mapping.Handler(door, func() mapping.Set { return set.Mappings }))
	mux.Handle(api.Prefix+"/", api.New(api.Options{
		Reader: s.store, Commander: s.driver, Explainer: s.driver, Estate: s.driver, Outbox: s.store, ReadEstate: readEstate, Counts: s.driver.Counts,
		Version: version(), Store: "sqlite", Logger: log.With("component", "api"), Registerer: reg,
	}))
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(reg, promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Tocsin is healthy.") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.driver.Ready(); err != nil {
			http.Error(w, "Tocsin is not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "Tocsin is ready.")
	})
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// addr is where the server listens.
func (s *server) addr() string { return s.listener.Addr().String() }

// run serves until ctx is done, then stops in the order of the data: no more
// requests, what is waiting is stored, the notification under way ends.
func (s *server) run(ctx context.Context) error {
	driving, stopDriving := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDriving()
	var g errgroup.Group
	g.Go(func() error { return s.driver.Run(driving) })
	g.Go(func() error { return s.notifier.Run(ctx) })
	g.Go(func() error { return s.retain(ctx) })
	g.Go(func() error {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := s.http.Shutdown(deadline)
		stopDriving()
		return err
	})
	return errors.Join(g.Wait(), s.close())
}

// retainEvery is how often old records are looked for.
const retainEvery = 10 * time.Minute

func (s *server) retain(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retainEvery):
		}
		n, err := s.store.Retain(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			s.log.Warn("old records not deleted", "err", err)
		} else if n > 0 {
			s.log.Info("old records deleted", "count", n)
		}
	}
}

func (s *server) close() error {
	var errs []error
	for i := len(s.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, s.cleanup[i]())
	}
	s.cleanup = nil
	return errors.Join(errs...)
}

// importEstate makes the estate what the files say: CIs and relations of an
// earlier start that they no longer name are retired.
func (s *server) importEstate(ctx context.Context, e *file.Estate) error {
	var diff cmdb.Diff
	err := s.driver.ChangeEstate(ctx, func(now *cmdb.Snapshot) (cmdb.Change, error) {
		var c cmdb.Change
		c, diff = cmdb.Reconcile(now, "files", e.CIs, e.Relations, time.Now())
		return c, nil
	})
	if err != nil {
		return fmt.Errorf("import the estate: %w", err)
	}
	estate := s.driver.Estate()
	s.log.Info("estate read", "cis", estate.Len(), "relations", estate.Relations(),
		"new", len(diff.CIs.New), "changed", len(diff.CIs.Changed), "retired", len(diff.CIs.Retired))
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// newBuildInfo says what is running, as the Prometheus ecosystem does.
func newBuildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tocsin_build_info", Help: "Version of the running program; always 1.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: want debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}
