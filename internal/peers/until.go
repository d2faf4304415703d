package peers

import (
	"testing"
	"time"
)

// Until asks about twenty times a second whether something has come true, and
// fails the test with the last answer if it has not within timeout. The first
// nil ends it; f runs on the caller's goroutine and may use t.
func Until(t testing.TB, timeout time.Duration, f func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not after %v: %v", timeout, err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("the test ended: %v", err)
		}
	}
}
