package replay

import (
	"cmp"
	"container/heap"
	"time"
)

// readAhead is how many records of a source may be out of order. What falls
// further behind is late.
const readAhead = 1 << 16

// window brings inputs into the order of time, as far as they are in it at the
// same time. Inputs of one time keep the order in which they came.
type window struct {
	h waiting
	n int64
	// ahead counts those that were read and not those that follow from them,
	// such as the end of an alert that fires: of these there are as many as
	// alerts fire, and the engine keeps as many anyway.
	ahead int
	// most is how many of them may be, 0 means readAhead.
	most int
}

type waitingInput struct {
	Input
	n       int64
	derived bool
}

func (w *window) push(in Input, derived bool) {
	w.n++
	if !derived {
		w.ahead++
	}
	heap.Push(&w.h, waitingInput{in, w.n, derived})
}

// pop takes the earliest out; false when there is none.
func (w *window) pop() (Input, bool) {
	if len(w.h) == 0 {
		return Input{}, false
	}
	in := heap.Pop(&w.h).(waitingInput)
	if !in.derived {
		w.ahead--
	}
	return in.Input, true
}

func (w *window) full() bool { return w.ahead >= cmp.Or(w.most, readAhead) }

type waiting []waitingInput

func (h waiting) Len() int      { return len(h) }
func (h waiting) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h waiting) Less(i, j int) bool {
	if c := h[i].At.Compare(h[j].At); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h *waiting) Push(x any) { *h = append(*h, x.(waitingInput)) }
func (h *waiting) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = waitingInput{}
	*h = (*h)[:len(*h)-1]
	return last
}

// feed is one stream of records that a window merges with others.
type feed struct {
	// read pushes the next record; false at the end.
	read func() (time.Time, bool)
	last time.Time
	done bool
	stop func()
}

// merge yields the inputs of several feeds in the order of time. It reads from
// the feed that is furthest behind, so that none runs ahead of the others.
func (w *window) merge(feeds []*feed, yield func(Input) bool) {
	for {
		for !w.full() {
			f := behind(feeds)
			if f == nil {
				break
			}
			at, ok := f.read()
			f.done = !ok
			if at.After(f.last) {
				f.last = at
			}
		}
		in, ok := w.pop()
		if !ok || !yield(in) {
			return
		}
	}
}

func behind(feeds []*feed) *feed {
	var first *feed
	for _, f := range feeds {
		if !f.done && (first == nil || f.last.Before(first.last)) {
			first = f
		}
	}
	return first
}
