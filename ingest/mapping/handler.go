package mapping

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// All expressions of a message may run for maxRun together, and maxRunByte more
// for each of its bytes. A rule that runs for ever is stopped all the same, but
// a large batch is not: at 10 MB/s, as measured, it needs a tenth of that.
const (
	maxRun     = 2 * time.Second
	maxRunByte = time.Microsecond
)

// Handler serves POST /api/v1/webhooks/{mapping}; the path's last part, by
// [http.Request.PathValue], names the mapping, which is also the source unless
// the query says another. mappings is asked for each request, so that it may
// be another set after a reload. It answers 202 with the number of events that
// are durable and the rejected ones, also when Each leaves the whole message
// out; 400 when nothing could be taken, 404 for an unknown mapping, 503 when
// the sender is to try again.
func Handler(door *httpdoor.Door, mappings func() Set) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set, name := mappings(), r.PathValue("mapping")
		m := set[name]
		if m == nil {
			// Not the name as sent: sources are labels of metrics.
			door.Reject(w, r, "unknown_mapping", &httpdoor.Problem{Status: http.StatusNotFound, Reason: ingest.ReasonUnsupported,
				Err: fmt.Errorf("mapping %.80q: not configured; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(set)), ", "))})
			return
		}
		source, err := httpdoor.SourceOf(r, name)
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			door.Refuse(w, r, source, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), maxRun+time.Duration(len(body))*maxRunByte)
		b := m.Decode(ctx, body, door.KeepsRaw(source))
		cancel()
		release()
		switch whole := wholly(b); {
		case errors.Is(whole, errTooLong):
			// The machine may only be busy, so the sender is to try again.
			door.Count(r, source, &httpdoor.Problem{Status: http.StatusServiceUnavailable, Reason: ingest.ReasonOverloaded, Err: errTooLong})
			door.Unavailable(w, errTooLong)
		case errors.Is(whole, errNothing):
			if rejections, ok := door.ReceiveBatch(w, r, source, b); ok {
				httpdoor.WriteJSON(w, http.StatusAccepted, httpdoor.OutcomeOf(b, rejections))
			}
		default:
			door.Take(w, r, source, b)
		}
	})
}

// wholly is why nothing of the message was decoded, nil when something was.
func wholly(b *httpdoor.Batch) error {
	if len(b.Events) == 0 && len(b.Rejected) == 1 && b.Rejected[0].Index < 0 {
		return b.Rejected[0].Err
	}
	return nil
}
