package bench

import (
	"context"
	"errors"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Run sends the alerts and measures. Answers that are no success are counted
// and do not end it. When ctx ends it returns what was measured so far, with
// ctx's error.
func Run(ctx context.Context, o Options) (Report, error) {
	o, err := o.complete()
	if err != nil {
		return Report{}, err
	}
	target, err := loopback(o.URL)
	if err != nil {
		return Report{}, err
	}
	r := &runner{opt: o, target: target, gen: newGenerator(o)}
	if o.PID != 0 {
		if r.atStart, err = processUsage(o.PID); err != nil {
			return Report{}, err
		}
	}
	if o.ReadURL != "" {
		r.reader = newReader(o)
	}
	report := Report{URL: o.URL, Kind: o.Kind, Batch: o.Batch, Concurrency: o.Concurrency, Unique: o.Unique}
	body := r.gen.appendRequest(nil, 0, o.Batch, time.Now())
	report.BytesPerAlert = round(float64(len(body)) / float64(o.Batch))

	phases := []struct {
		name     string
		from, to int
	}{{PhaseNew, 0, o.Unique}, {PhaseResends, o.Unique, o.Alerts}}
	for _, p := range phases {
		if p.from == p.to || ctx.Err() != nil {
			continue
		}
		phase, err := r.phase(ctx, p.name, p.from, p.to)
		if err != nil {
			return report, err
		}
		report.Phases = append(report.Phases, phase)
	}
	return report, ctx.Err()
}

type runner struct {
	opt     Options
	target  *url.URL
	gen     *generator
	reader  *reader
	atStart usage
}

// phase sends the alerts numbered from…to, at least until its time is up.
func (r *runner) phase(ctx context.Context, name string, from, to int) (Phase, error) {
	before, err := r.usage()
	if err != nil {
		return Phase{}, err
	}
	own := ownCPU()
	if r.reader != nil {
		r.reader.start(ctx)
	}
	start := time.Now()
	var (
		next, done atomic.Int64
		workers    sync.WaitGroup
		results    = make([]result, r.opt.Concurrency)
	)
	next.Store(int64(from))
	for i := range results {
		workers.Go(func() { results[i] = r.work(ctx, work{&next, &done, to, from, start}) })
	}
	stop := r.watch(name, &done, to-from)
	workers.Wait()
	stop()
	elapsed := time.Since(start).Seconds()

	p := Phase{Name: name, Seconds: round(elapsed)}
	var latencies []time.Duration
	for _, res := range results {
		p.Alerts += res.alerts
		p.Failed += res.failed
		p.Requests += res.requests
		if p.FirstError == "" && res.firstErr != nil {
			p.FirstError = res.firstErr.Error()
		}
		latencies = append(latencies, res.latencies...)
	}
	p.AlertsPerSecond = round(float64(p.Alerts) / elapsed)
	p.Latency = quantiles(latencies)
	p.ClientCPUPerMillion = perMillion(ownCPU()-own, p.Alerts)
	if r.reader != nil {
		p.Visible = r.reader.finish()
	}
	if r.opt.PID != 0 {
		after, err := r.usage()
		if err != nil {
			return p, err
		}
		p.Server = &Server{
			CPUSeconds: round(after.cpu - before.cpu), CPUPerMillion: perMillion(after.cpu-before.cpu, p.Alerts),
			RSSBeforeMiB: round(before.rss), RSSMiB: round(after.rss), PeakMiB: round(after.peak),
			RSSPerAlertKiB: round((after.rss - r.atStart.rss) * 1024 / float64(r.opt.Unique)),
		}
	}
	return p, nil
}

func (r *runner) usage() (usage, error) {
	if r.opt.PID == 0 {
		return usage{}, nil
	}
	return processUsage(r.opt.PID)
}

// ownCPU is 0 where it cannot be told.
func ownCPU() float64 {
	u, err := processUsage(os.Getpid())
	if err != nil {
		return 0
	}
	return u.cpu
}

// watch tells progress until the function it returns is called.
func (r *runner) watch(name string, done *atomic.Int64, total int) (stop func()) {
	if r.opt.Progress == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.opt.Progress(name, int(done.Load()), total)
			case <-quit:
				r.opt.Progress(name, int(done.Load()), total)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// work is what the connections of a phase share.
type work struct {
	next, done *atomic.Int64
	to, from   int
	start      time.Time
}

type result struct {
	alerts, failed, requests int64
	firstErr                 error
	latencies                []time.Duration
}

// work posts requests on one connection until there are no more.
func (r *runner) work(ctx context.Context, w work) (res result) {
	c := newConn(r.target)
	defer c.close()
	var body []byte
	for ctx.Err() == nil {
		seq := int(w.next.Add(int64(r.opt.Batch))) - r.opt.Batch
		n := min(r.opt.Batch, w.to-seq)
		if n <= 0 || !r.wait(ctx, w.start, seq-w.from) {
			return res
		}
		sent := time.Now()
		body = r.gen.appendRequest(body[:0], seq, n, sent)
		err := c.post(ctx, body)
		latency := time.Since(sent)
		if err != nil && ctx.Err() != nil {
			return res // cut off by us; nobody knows what became of it
		}
		res.requests++
		w.done.Add(int64(n))
		if err != nil {
			res.failed += int64(n)
			if res.firstErr == nil {
				res.firstErr = err
			}
			var answered statusError
			if !errors.As(err, &answered) && !pause(ctx, 100*time.Millisecond) {
				return res // a server that is gone is not asked in a hot loop
			}
			continue
		}
		res.alerts += int64(n)
		res.latencies = append(res.latencies, latency)
		if r.reader != nil {
			r.reader.sample(r.opt.FirstID+(seq+n-1)%r.opt.Unique, sent)
		}
	}
	return res
}

// wait holds a request back until its turn at the wanted rate; false says
// that the phase's time is up.
func (r *runner) wait(ctx context.Context, start time.Time, offset int) bool {
	now := time.Now()
	due := now
	if r.opt.Rate > 0 {
		due = start.Add(time.Duration(float64(offset) / r.opt.Rate * float64(time.Second)))
	}
	if r.opt.Duration > 0 && max(due.Sub(start), now.Sub(start)) >= r.opt.Duration {
		return false
	}
	return due.Sub(now) <= 0 || pause(ctx, due.Sub(now))
}

// pause waits and returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
