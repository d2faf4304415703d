package notify

import (
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	backoffFirst = 5 * time.Second
	backoffMost  = 15 * time.Minute
	// retryAfterMost bounds what a receiver may ask for.
	retryAfterMost = time.Hour
)

// backoff is how long to wait after the n-th failed attempt, n from 1: twice as
// long each time, up to [backoffMost]. Up to half of it is taken off by the key,
// so that what failed together is not sent together again; always the same part
// for the same key and attempt, so that a test, or a person reading the log,
// can compute it.
func backoff(key string, n int) time.Duration {
	d := backoffMost
	if n = max(n, 1); n <= 10 {
		d = min(backoffFirst<<(n-1), backoffMost)
	}
	h := xxhash.New()
	_, _ = h.WriteString(key)
	_, _ = h.Write([]byte{0, byte(n)})
	return d - time.Duration(h.Sum64()%uint64(d/2))
}

// wait is how long to wait after a failed attempt for which the receiver asked
// for a pause.
func wait(key string, n int, asked time.Duration) time.Duration {
	return max(backoff(key, n), min(asked, retryAfterMost))
}
