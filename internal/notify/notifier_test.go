package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/internal/repotest"
)

// start runs a notifier and returns how to stop it.
func start(t *testing.T, o Outbox, r ...Receiver) (*Notifier, func()) {
	t.Helper()
	n, err := New(Options{Outbox: o, Receivers: r})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// pass lets time pass, and whatever it brings settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestDeliverOnWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{}, newSender(nil)
		r := Receiver{Name: "desk", Sender: s}
		n, stop := start(t, o, r)
		defer stop()
		pass(time.Second)
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		n.Wake()
		synctest.Wait()
		same(t, "sent", s.log(), []string{"1s desk/A/1"})
		same(t, "states", o.states(), []string{"desk/A/1 delivered"})
		// Nobody wakes it: it looks by itself.
		o.add([]Receiver{r}, incident("A", 2, correlate.EntryResolved, 1))
		pass(pollEvery + time.Second)
		same(t, "sent", s.log(), []string{"1s desk/A/1", "31s desk/A/2"})
	})
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{}, newSender(func(int, *Message) error { return errors.New("connection refused") })
		r := Receiver{Name: "desk", Sender: s, GiveUpAfter: 2 * time.Hour}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		_, stop := start(t, o, r)
		defer stop()
		pass(3 * time.Hour)
		sent := s.log()
		var at time.Duration
		for i, got := range sent {
			if want := fmt.Sprintf("%v desk/A/1", at.Round(time.Second)); got != want {
				t.Fatalf("attempt %d was %q, want %q; all: %v", i+1, got, want, sent)
			}
			pause := backoff("desk/A/1", i+1)
			if most := min(backoffFirst<<i, backoffMost); pause > most || pause <= most/2 {
				t.Errorf("pause %d is %v, want more than %v and at most %v", i+1, pause, most/2, most)
			}
			at += pause
		}
		if at < 2*time.Hour || len(sent) < 12 {
			t.Errorf("gave up after %d attempts, the next at %v; want attempts for 2h", len(sent), at)
		}
		same(t, "states", o.states(), []string{"desk/A/1 failed"})
		if got := o.deliveries[0].LastError; got != "connection refused" {
			t.Errorf("last error %q", got)
		}
	})
}

func TestOrderIsKeptPerIncident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &memory{}
		s := newSender(func(n int, m *Message) error {
			if m.Key == "desk/A/1" && n < 5 {
				return &TransientError{Err: errors.New("503")}
			}
			return nil
		})
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1), incident("A", 2, correlate.EntryAcknowledged, 1),
			incident("B", 1, correlate.EntryOpened, 1), incident("B", 2, correlate.EntryResolved, 1))
		_, stop := start(t, o, r)
		defer stop()
		pass(time.Hour)
		var a, b []string
		for _, line := range s.log() {
			_, key, _ := cutTime(line)
			if key[:6] == "desk/A" {
				a = append(a, key)
			} else {
				b = append(b, line)
			}
		}
		if n := len(a); n < 3 || a[n-1] != "desk/A/2" || a[n-2] != "desk/A/1" || slices.Contains(a[:n-1], "desk/A/2") {
			t.Errorf("A was told %v; want its second news once, after the first was taken", a)
		}
		// B does not wait for A.
		same(t, "B", b, []string{"0s desk/B/1", "0s desk/B/2"})
	})
}

func cutTime(line string) (at, key string, ok bool) {
	n, err := fmt.Sscan(line, &at, &key)
	return at, key, n == 2 && err == nil
}

func TestGiveUpLetsTheNextGo(t *testing.T) {
	f := func(r Receiver, answer error, want []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := &memory{}
			s := newSender(func(_ int, m *Message) error {
				if m.Incident.Revision == 1 {
					return answer
				}
				return nil
			})
			r.Name, r.Sender = "desk", s
			o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1), incident("A", 2, correlate.EntryResolved, 1))
			_, stop := start(t, o, r)
			defer stop()
			pass(48 * time.Hour)
			var keys []string
			for _, line := range s.log() {
				_, key, _ := cutTime(line)
				keys = append(keys, key)
			}
			same(t, "sent", keys, want)
			same(t, "states", o.states(), []string{"desk/A/1 failed", "desk/A/2 delivered"})
		})
	}
	f(Receiver{}, &PermanentError{errors.New("404")}, []string{"desk/A/1", "desk/A/2"})
	f(Receiver{MaxAttempts: 3}, errors.New("refused"), []string{"desk/A/1", "desk/A/1", "desk/A/1", "desk/A/2"})
	f(Receiver{GiveUpAfter: 4 * time.Second}, &TransientError{errors.New("429"), time.Minute}, []string{"desk/A/1", "desk/A/2"})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &memory{}
		s := newSender(func(n int, _ *Message) error {
			if n == 1 {
				return &TransientError{errors.New("429"), 90 * time.Second}
			}
			return nil
		})
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		_, stop := start(t, o, r)
		defer stop()
		pass(time.Hour)
		same(t, "sent", s.log(), []string{"0s desk/A/1", "1m30s desk/A/1"})
	})
}

// A receiver that hangs does not hold up another, and neither does its backlog.
func TestReceiversAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, good := &memory{}, newSender(nil)
		hanging := senderFunc(func(ctx context.Context, m *Message) error {
			<-ctx.Done()
			return ctx.Err()
		})
		both := []Receiver{{Name: "hang", Sender: hanging}, {Name: "good", Sender: good}}
		for i := range 5 * duePage {
			o.add(both[:1], incident(fmt.Sprintf("H%d", i), 1, correlate.EntryOpened, 1))
		}
		o.add(both, incident("A", 1, correlate.EntryOpened, 1))
		_, stop := start(t, o, both...)
		pass(time.Second)
		same(t, "good", good.log(), []string{"0s good/A/1"})
		// Stopping takes no longer than the attempt under way.
		before := time.Now()
		stop()
		if took := time.Since(before); took > 10*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
}

type senderFunc func(ctx context.Context, m *Message) error

func (f senderFunc) Send(ctx context.Context, m *Message) error { return f(ctx, m) }

// The process is killed after the receiver took a message and before the store
// recorded it: it is sent again with the same key, because a duplicate is
// better than a loss.
func TestRestartBetweenSendAndRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{refuse: errors.New("disk full")}, newSender(nil)
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		_, stop := start(t, o, r)
		pass(time.Minute)
		stop()
		// While it lives it knows that the message was taken.
		same(t, "sent before the restart", s.log(), []string{"0s desk/A/1"})
		o.refuse = nil
		_, stop = start(t, o, r)
		defer stop()
		synctest.Wait()
		same(t, "sent", s.log(), []string{"0s desk/A/1", "1m0s desk/A/1"})
		same(t, "states", o.states(), []string{"desk/A/1 delivered"})
	})
}

func TestStoreRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{refuse: errors.New("disk full")}, newSender(nil)
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		n, stop := start(t, o, r)
		defer stop()
		for range 100 { // ticks go on
			n.Wake()
			pass(100 * time.Millisecond)
		}
		o.mu.Lock()
		o.refuse = nil
		o.mu.Unlock()
		pass(time.Minute)
		same(t, "sent", s.log(), []string{"0s desk/A/1"})
		same(t, "states", o.states(), []string{"desk/A/1 delivered"})
	})
}

// What failed before a restart waits for its time after it.
func TestRestartKeepsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &memory{}
		s := newSender(func(n int, _ *Message) error {
			if n == 1 {
				return &TransientError{errors.New("503"), 20 * time.Second}
			}
			return nil
		})
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r, {Name: "removed"}}, incident("A", 1, correlate.EntryOpened, 1), incident("A", 2, correlate.EntryResolved, 1))
		_, stop := start(t, o, r)
		pass(time.Second)
		stop()
		_, stop = start(t, o, r)
		defer stop()
		pass(25 * time.Second)
		same(t, "sent", s.log(), []string{"0s desk/A/1", "20s desk/A/1", "20s desk/A/2"})
		same(t, "states", o.states(), []string{"desk/A/1 delivered", "removed/A/1 failed", "desk/A/2 delivered", "removed/A/2 failed"})
	})
}

// A receiver that only wants pressing incidents hears of one that became less
// pressing until its end, and of no other.
func TestMinPriorityTellsToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{}, newSender(nil)
		r := Receiver{Name: "pager", Sender: s, MinPriority: 2}
		o.add([]Receiver{r},
			incident("A", 1, correlate.EntryOpened, 3),
			incident("A", 2, correlate.EntryPriority, 2), // rises: told
			incident("A", 3, correlate.EntryPriority, 4), // falls: told
			incident("A", 4, correlate.EntryAssigned, 4), // not told
			incident("A", 5, correlate.EntryResolved, 4), // told
			incident("B", 1, correlate.EntryOpened, 3),
			incident("B", 2, correlate.EntryResolved, 3), // nobody heard of it
		)
		_, stop := start(t, o, r)
		defer stop()
		pass(time.Minute)
		same(t, "sent", s.log(), []string{"0s pager/A/2", "0s pager/A/3", "0s pager/A/5"})
	})
}

// What retention removed cannot be told, and holds up nothing.
func TestIncidentIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s := &memory{}, newSender(nil)
		r := Receiver{Name: "desk", Sender: s}
		o.add([]Receiver{r}, incident("A", 1, correlate.EntryOpened, 1))
		o.revisions = nil
		_, stop := start(t, o, r)
		defer stop()
		pass(time.Second)
		same(t, "states", o.states(), []string{"desk/A/1 failed"})
		same(t, "sent", s.log(), nil)
	})
}

func TestNewRefuses(t *testing.T) {
	s := newSender(nil)
	for _, list := range [][]Receiver{{{Sender: s}}, {{Name: "a"}}, {{Name: "a", Sender: s}, {Name: "a", Sender: s}}} {
		if _, err := New(Options{Outbox: &memory{}, Receivers: list}); err == nil {
			t.Errorf("took %+v", list)
		}
	}
}

func TestMetrics(t *testing.T) {
	reg := repotest.NewRegistry()
	if _, err := New(Options{Outbox: &memory{}, Receivers: []Receiver{{Name: "desk", Sender: newSender(nil)}}, Registerer: reg}); err != nil {
		t.Fatal(err)
	}
	repotest.CheckMetrics(t, reg, "testdata/metrics.golden", *update)
}
