package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/internal/api"
	"tocsin/internal/config"
	"tocsin/internal/demo"
)

func newDemoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job on a sample estate and a recorded story",
		Long: "Start a server on a scratch store, load a sample estate, and play a story through\n" +
			"the real HTTP doors: the power feed of a rack fails (300 alerts in five formats,\n" +
			"one incident), meanwhile a database disk fills up and takes an API and a portal\n" +
			"down, and there is noise that must stay apart. Then print the incidents and stay\n" +
			"up for a look around, until interrupted.",
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	fast := f.Bool("fast", false, "play at once instead of within twenty seconds")
	exit := f.Bool("exit", false, "end after printing")
	listen := f.String("listen", "127.0.0.1:9094", "host:port to serve on; when it is taken, a free port")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return runDemo(cmd, *listen, *fast, *exit)
	}
	return cmd
}

// demoSpeed is how many times faster than life the story is played.
const demoSpeed = 6

func runDemo(cmd *cobra.Command, listen string, fast, exit bool) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("make a scratch store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	set := &setup{Config: config.Default()}
	set.Config.Data, set.Config.Listen = dir, freeOr(listen)
	set.Estate.CIs, set.Estate.Relations = demo.Estate()

	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := newServer(cmd.Context(), set, prometheus.NewRegistry(), log)
	if err != nil {
		return err
	}
	base := "http://" + s.addr()
	if err := cmd.Flag("server").Value.Set(base); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error {
		defer func() {
			if exit || err != nil {
				stop()
			}
		}()
		if err = s.importEstate(ctx, &set.Estate); err != nil {
			return err
		}
		if err = tell(ctx, cmd.ErrOrStderr(), base, fast); err != nil {
			return err
		}
		cmd.SetContext(ctx)
		if err = showDemo(cmd); err != nil {
			return err
		}
		if !exit {
			fmt.Fprintf(cmd.ErrOrStderr(), "\nThe server stays up at %s until you press Ctrl-C. In another shell:\n"+
				"  tocsin incidents list --server %s\n  curl '%s/api/v1/incidents?status=open'\n", base, base, base)
		}
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// freeOr returns listen, or any free port of its host when it is taken.
func freeOr(listen string) string {
	l, err := net.Listen("tcp", listen)
	if err == nil {
		_ = l.Close() // it was only a try
		return listen
	}
	if host, _, err := net.SplitHostPort(listen); err == nil {
		return net.JoinHostPort(host, "0")
	}
	return listen
}

// tell plays the story. What it tells of lies in the past already, so that it
// is the same story at any speed.
func tell(ctx context.Context, w io.Writer, base string, fast bool) error {
	start := time.Now()
	alerts, told := 0, map[string]bool{}
	for _, m := range demo.Story(start.Add(-demo.Length)) {
		if !fast {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(start.Add(m.At / demoSpeed))):
			}
		}
		if !told[m.Scene] {
			told[m.Scene] = true
			fmt.Fprintf(w, "%5s  %s\n", m.At.Round(time.Second), m.Scene)
		}
		if err := post(ctx, base, m); err != nil {
			return err
		}
		if alerts += m.Alerts; alerts/50 != (alerts-m.Alerts)/50 {
			fmt.Fprintf(w, "%5s  %d alerts so far\n", m.At.Round(time.Second), alerts)
		}
	}
	fmt.Fprintf(w, "%5s  the end: %d alerts in %s\n\n", demo.Length, alerts, time.Since(start).Round(time.Millisecond))
	return nil
}

func post(ctx context.Context, base string, m demo.Message) error {
	req, err := http.NewRequestWithContext(ctx, m.Method, base+m.Path, bytes.NewReader(m.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", m.ContentType)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	if err != nil {
		return fmt.Errorf("post to %s: %w", m.Path, err)
	}
	return nil
}

// demoResult is what came of the story.
type demoResult struct {
	Incidents  []demoIncident     `json:"incidents"`
	Accounting []api.SourceCounts `json:"accounting"`
}

type demoIncident struct {
	correlate.Incident
	// Why holds the evidence of some alerts, one for each alert name.
	Why []demoWhy `json:"why"`
}

type demoWhy struct {
	Alert    string             `json:"alert"`
	CI       string             `json:"ci,omitempty"`
	Evidence correlate.Evidence `json:"evidence"`
}

// maxWhy is how many alerts of an incident are explained.
const maxWhy = 6

func showDemo(cmd *cobra.Command) error {
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	var list api.List[correlate.Incident]
	if _, err := c.get(ctx, "/incidents", url.Values{"status": {"open"}, "limit": {"1000"}}, &list); err != nil {
		return err
	}
	slices.SortFunc(list.Items, func(a, b correlate.Incident) int { return b.Alerts.Total - a.Alerts.Total })
	result := demoResult{Incidents: []demoIncident{}}
	for _, inc := range list.Items {
		why, err := explainSome(ctx, c, inc.ID)
		if err != nil {
			return err
		}
		result.Incidents = append(result.Incidents, demoIncident{inc, why})
	}
	var accounting api.Accounting
	if _, err := c.get(ctx, "/accounting", nil, &accounting); err != nil {
		return err
	}
	result.Accounting = accounting.Items
	return render(cmd, result, func(p *printer) { p.demo(&result) })
}

func explainSome(ctx context.Context, c *client, id string) ([]demoWhy, error) {
	var alerts api.List[ingest.Alert]
	var evidence api.List[correlate.Attachment]
	all := url.Values{"limit": {"1000"}}
	if _, err := c.get(ctx, path("incidents", id, "alerts"), all, &alerts); err != nil {
		return nil, err
	}
	if _, err := c.get(ctx, path("incidents", id, "evidence"), all, &evidence); err != nil {
		return nil, err
	}
	names := map[ingest.Fingerprint]string{}
	for i := range alerts.Items {
		names[alerts.Items[i].Fingerprint] = alerts.Items[i].Name()
	}
	out, seen := []demoWhy{}, map[string]bool{}
	for _, at := range evidence.Items {
		if name := names[at.Fingerprint]; !seen[name] && len(out) < maxWhy {
			seen[name] = true
			out = append(out, demoWhy{name, at.CI, at.Evidence})
		}
	}
	return out, nil
}

func (p *printer) demo(r *demoResult) {
	alerts := 0
	for i := range r.Incidents {
		alerts += r.Incidents[i].Alerts.Total
	}
	fmt.Fprintf(p, "%s in %s\n\n", count(alerts, "alert"), count(len(r.Incidents), "incident"))
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		if inc.Alerts.Total == 1 {
			continue
		}
		p.incident(&inc.Incident)
		fmt.Fprint(p, "\nWHY THEY BELONG TOGETHER\n")
		for _, w := range inc.Why {
			fmt.Fprintf(p, "%s on %s: %s\n", visible(w.Alert), visible(w.CI), visible(w.Evidence.Sentence))
		}
		fmt.Fprint(p, "\n\n")
	}
	fmt.Fprint(p, "APART, AS THEY SHOULD BE\n")
	for i := range r.Incidents {
		if inc := &r.Incidents[i]; inc.Alerts.Total == 1 {
			p.row(inc.ID, inc.Priority, inc.Severity, inc.Title)
		}
	}
}
