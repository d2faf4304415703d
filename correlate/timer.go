package correlate

import "container/heap"

type timerKind uint8

const (
	timerExpire       timerKind = iota // an alert whose source fell silent
	timerCalm                          // an alert that may have stopped flapping
	timerOpen                          // a pending incident whose delay is over
	timerResolve                       // an incident whose alerts are all resolved
	timerClose                         // a resolved incident that can no longer reopen
	timerHold                          // an incident whose hold ends
	timerForget                        // an alert that no longer matters
	timerForgetChange                  // a change that no longer matters
	timerForgetIncident
	timerJudge    // an alert of which it is known by now what began with it
	timerRecalled // an ended incident that was given back for a command
	timerLook     // an incident whose signature and changes are looked at again
	timerDecide   // an incident that is old enough to be judged
)

// timer is a wish to be looked at. It carries no decision: whoever handles it
// looks whether its time has really come, because an alert that was re-sent a
// thousand times still has its first timer only.
type timer struct {
	due  int64
	kind timerKind
	key  uint64 // fingerprint or CI
	inc  *incident
}

// timers is a queue of timers in one order, whatever order they came in.
type timers struct{ h timerHeap }

func (t *timers) push(x timer) { heap.Push(&t.h, x) }
func (t *timers) pop() timer   { return heap.Pop(&t.h).(timer) }

func (t *timers) next() (int64, bool) {
	if len(t.h) == 0 {
		return 0, false
	}
	return t.h[0].due, true
}

type timerHeap []timer

func (h timerHeap) Len() int      { return len(h) }
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timer{}
	*h = (*h)[:len(*h)-1]
	return last
}

func (h timerHeap) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	if a.due != b.due {
		return a.due < b.due
	}
	if a.kind != b.kind {
		return a.kind < b.kind
	}
	if a.inc != nil && b.inc != nil {
		return a.inc.rec.ID < b.inc.rec.ID
	}
	return a.key < b.key
}
