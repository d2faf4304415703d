package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take alerts in and keep incidents",
		Long: "Serve takes alerts in over HTTP, correlates them into incidents and keeps all in\n" +
			"one SQLite file. Without configuration it serves on loopback with its store in\n" +
			"./data. Point Prometheus at it as at an Alertmanager, or an Alertmanager's\n" +
			"webhook at /api/v1/webhooks/alertmanager.",
		Example: "  tocsin serve --cmdb estate.yaml\n  tocsin serve --config tocsin.yaml",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.String("config", "", "configuration file")
	f.String("listen", "", "host:port to serve on, before what the configuration says")
	f.String("data", "", "folder of the store, before what the configuration says")
	f.StringArray("cmdb", nil, "file with CIs and relations, in YAML, JSON or CSV; may be given again")
	f.String("log-level", "info", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flag := func(name string) string { v, _ := f.GetString(name); return v }
		files, _ := f.GetStringArray("cmdb")
		log, err := newLogger(cmd.ErrOrStderr(), flag("log-level"))
		if err != nil {
			return err
		}
		set, err := newSetup(flag("config"), files)
		if err != nil {
			return err
		}
		if v := flag("listen"); v != "" {
			set.Config.Listen = v
		}
		if v := flag("data"); v != "" {
			set.Config.Data = v
		}
		if os.Getenv("GOGC") == "" {
			// What is live is small records that stay: collecting at half the
			// usual growth costs little CPU and a quarter of the memory.
			debug.SetGCPercent(50)
		}
		s, err := newServer(cmd.Context(), set, prometheus.NewRegistry(), log)
		if err != nil {
			return err
		}
		debug.FreeOSMemory() // what was read to restore the engine
		return s.serve(cmd.Context(), set, func() {
			log.Info("serving", "url", "http://"+s.addr(), "data", set.Config.Data, "version", version())
		})
	}
	return cmd
}

// serve runs the server, imports the estate into it and then says that it is
// up. It returns when ctx is done or a part of the server gave up.
func (s *server) serve(ctx context.Context, set *setup, up func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error {
		for _, w := range set.Warnings {
			s.log.Warn("estate", "warning", fmt.Sprint(w))
		}
		if len(set.Config.CMDB.Files) > 0 {
			if err := s.importEstate(ctx, &set.Estate); err != nil {
				return err
			}
		}
		up()
		return nil
	})
	return g.Wait()
}
