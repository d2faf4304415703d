package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/internal/notify"
	"tocsin/internal/sqlite"
)

// stubborn is a store whose record of a delivery never becomes durable, as if
// the process were killed between the receiver's answer and the commit.
type stubborn struct{ *sqlite.Store }

func (s stubborn) Delivered(ctx context.Context, _ correlate.Delivery, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// receiver is a webhook that verifies signatures and remembers keys.
type receiver struct {
	mu   sync.Mutex
	keys []string
	got  chan string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	h := req.Header
	if err != nil || h.Get(notify.HeaderSignature) != "sha256="+notify.Signature("k3y", h.Get(notify.HeaderTimestamp), body) {
		http.Error(w, "wrong signature", http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	r.keys = append(r.keys, h.Get(notify.HeaderIdempotencyKey))
	r.mu.Unlock()
	r.got <- h.Get(notify.HeaderIdempotencyKey)
}

// TestOutboxOverRestart runs the notifier on the real store: what was sent and
// not recorded comes again with the same key, before what follows it.
func TestOutboxOverRestart(t *testing.T) {
	ctx := t.Context()
	hook := &receiver{got: make(chan string, 10)}
	srv := httptest.NewServer(hook)
	defer srv.Close()
	sender, err := notify.NewWebhook(notify.WebhookOptions{URL: srv.URL, Secret: "k3y"})
	if err != nil {
		t.Fatal(err)
	}
	receivers := []notify.Receiver{{Name: "desk", Sender: sender}}
	path := filepath.Join(t.TempDir(), "tocsin.db")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

	store, err := sqlite.Open(ctx, sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	b := &correlate.Batch{Output: correlate.Output{At: at}}
	for rev, kind := range []correlate.EntryKind{correlate.EntryOpened, correlate.EntryResolved} {
		b.Incidents = append(b.Incidents, correlate.Incident{
			ID: "7DK-Q2M4", Revision: int64(rev + 1), At: at, OpenedAt: at, StartedAt: at, Status: correlate.Open, Priority: 1,
			Entries: []correlate.Entry{{Kind: kind, By: "tocsin"}},
		})
	}
	b.Deliveries = notify.Plan(receivers, b.Incidents)
	if err := store.Append(ctx, b); err != nil {
		t.Fatal(err)
	}

	// run lets a notifier run until the receiver took n messages.
	run := func(o notify.Outbox, n int) {
		t.Helper()
		nt, err := notify.New(notify.Options{Outbox: o, Receivers: receivers})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- nt.Run(ctx) }()
		for range n {
			select {
			case <-hook.got:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing arrives")
			}
		}
		cancel()
		if _, killed := o.(stubborn); killed {
			return // nobody waits for the dead
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	run(stubborn{store}, 1)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if store, err = sqlite.Open(ctx, sqlite.Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	run(store, 2)
	if diff := cmp.Diff([]string{"desk/7DK-Q2M4/1", "desk/7DK-Q2M4/1", "desk/7DK-Q2M4/2"}, hook.keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	list, _, err := store.Deliveries(ctx, "delivered", correlate.Page{})
	if err != nil || len(list) != 2 {
		t.Errorf("delivered: %+v, %v; want both", list, err)
	}
}
