package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tocsin/correlate"
	"tocsin/ingest"
)

// memory is an outbox with the contract of a store.
type memory struct {
	mu         sync.Mutex
	deliveries []correlate.Delivery
	revisions  []correlate.Incident
	alerts     []ingest.Alert
	// refuse is what recording fails with.
	refuse error
}

func (o *memory) add(r []Receiver, incs ...correlate.Incident) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.revisions = append(o.revisions, incs...)
	o.deliveries = append(o.deliveries, Plan(r, incs)...)
}

func (o *memory) Due(_ context.Context, now time.Time, limit int) (out []correlate.Delivery, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := map[[2]string]bool{}
	for _, d := range o.deliveries {
		k := [2]string{d.Receiver, d.Incident}
		if d.State != "pending" || first[k] || len(out) == limit {
			continue
		}
		first[k] = true
		if !d.NextAttempt.After(now) {
			out = append(out, d)
		}
	}
	return out, nil
}

func (o *memory) settle(key string, f func(d *correlate.Delivery)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuse != nil {
		return o.refuse
	}
	i := slices.IndexFunc(o.deliveries, func(d correlate.Delivery) bool { return d.Key == key })
	f(&o.deliveries[i])
	o.deliveries[i].Attempts++
	return nil
}

func (o *memory) Delivered(_ context.Context, d correlate.Delivery, _ time.Time) error {
	return o.settle(d.Key, func(d *correlate.Delivery) { d.State = "delivered" })
}

func (o *memory) Failed(_ context.Context, d correlate.Delivery, _, next time.Time, giveUp bool, msg string) error {
	return o.settle(d.Key, func(d *correlate.Delivery) {
		d.NextAttempt, d.LastError = next, msg
		if giveUp {
			d.State = "failed"
		}
	})
}

func (o *memory) Revision(_ context.Context, id string, rev int64) (correlate.Incident, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, inc := range o.revisions {
		if inc.ID == id && inc.Revision == rev {
			return inc, nil
		}
	}
	return correlate.Incident{}, fmt.Errorf("incident %s: %w", id, correlate.ErrNotFound)
}

// Timeline gives pages of one, so that paging is tested too.
func (o *memory) Timeline(_ context.Context, id string, p correlate.Page) (out []correlate.Incident, next string, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, inc := range o.revisions {
		if inc.ID != id || p.Cursor != "" && fmt.Sprint(inc.Revision) <= p.Cursor {
			continue
		}
		if len(out) == 1 {
			return out, fmt.Sprint(out[0].Revision), nil
		}
		out = append(out, inc)
	}
	return out, "", nil
}

func (o *memory) Alerts(_ context.Context, q correlate.AlertQuery) ([]ingest.Alert, string, error) {
	return o.alerts[:min(len(o.alerts), q.Limit)], "", nil
}

// states lists key and state of all deliveries.
func (o *memory) states() (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.deliveries {
		out = append(out, d.Key+" "+d.State)
	}
	return out
}

// sender remembers what it was asked to send, and answers what answer says.
type sender struct {
	mu     sync.Mutex
	sent   []string // "5s desk/A/1": time since the start, key
	start  time.Time
	answer func(n int, m *Message) error // n counts from 1
}

func newSender(answer func(n int, m *Message) error) *sender {
	return &sender{start: time.Now(), answer: answer}
}

func (s *sender) Send(ctx context.Context, m *Message) error {
	s.mu.Lock()
	s.sent = append(s.sent, fmt.Sprintf("%v %s", time.Since(s.start).Round(time.Second), m.Key))
	n := len(s.sent)
	s.mu.Unlock()
	if s.answer == nil {
		return nil
	}
	return s.answer(n, m)
}

func (s *sender) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// incident is one revision with one entry.
func incident(id string, rev int64, kind correlate.EntryKind, p correlate.Priority) correlate.Incident {
	return correlate.Incident{
		ID: id, Revision: rev, Priority: p, Status: correlate.Open, At: time.Now(), Title: "Feed A has no voltage",
		Entries: []correlate.Entry{{Kind: kind, By: "tocsin"}},
	}
}
