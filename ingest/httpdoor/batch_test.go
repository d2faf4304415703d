package httpdoor

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
)

// picky refuses events without labels, by their place among those it is given.
type picky struct{}

func (picky) Receive(_ context.Context, _ string, events []ingest.Event, rejected []ingest.Rejection) ([]ingest.Rejection, error) {
	for i := range events {
		if len(events[i].Labels) == 0 {
			rejected = append(rejected, ingest.Rejection{Index: i, Reason: ingest.ReasonInvalid, Err: errors.New("labels: empty")})
		}
	}
	return rejected, nil
}

func TestTakeCountsAsTheSenderDoes(t *testing.T) {
	good, bad := ingest.Event{Labels: ingest.LabelsOf("a", "b")}, ingest.Event{}
	undecodable := errors.New("not \xff an event")
	f := func(b Batch, wantStatus int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		New(picky{}, Options{}).Take(w, httptest.NewRequest("POST", "/", nil), "test", &b)
		if diff := cmp.Diff(want+"\n", w.Body.String()); diff != "" || w.Code != wantStatus {
			t.Errorf("%d, want %d (-want +got):\n%s", w.Code, wantStatus, diff)
		}
	}
	f(Batch{}, 202, `{"accepted":0,"rejected":[]}`)
	var b Batch
	b.Reject(0, ingest.ReasonMalformed, undecodable)
	b.Add(1, good)
	b.Add(2, bad)
	b.Reject(3, ingest.ReasonUnsupported, undecodable)
	b.Add(4, bad)
	f(b, 202, `{"accepted":1,"rejected":[{"index":0,"reason":"malformed","error":"not `+"\ufffd"+` an event"},{"index":2,"reason":"invalid","error":"labels: empty"},`+
		`{"index":3,"reason":"unsupported","error":"not `+"\ufffd"+` an event"},{"index":4,"reason":"invalid","error":"labels: empty"}]}`)
	var none Batch
	none.Add(0, bad)
	f(none, 400, `{"accepted":0,"rejected":[{"index":0,"reason":"invalid","error":"labels: empty"}]}`)
}
