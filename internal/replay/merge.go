package replay

import (
	"iter"
	"time"
)

// merge puts sequences that are each in the order of time into one. Of things
// of one time, those of an earlier sequence come first. It ends with the first
// error.
func merge[T any](at func(*T) time.Time, sequences ...iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		type head struct {
			v    T
			err  error
			ok   bool
			next func() (T, error, bool)
		}
		heads := make([]head, len(sequences))
		for i, s := range sequences {
			next, stop := iter.Pull2(s)
			defer stop()
			heads[i].next = next
			heads[i].v, heads[i].err, heads[i].ok = next()
		}
		for {
			var first *head
			for i := range heads {
				h := &heads[i]
				switch {
				case !h.ok:
				case h.err != nil:
					yield(h.v, h.err)
					return
				case first == nil || at(&h.v).Before(at(&first.v)):
					first = h
				}
			}
			if first == nil || !yield(first.v, nil) {
				return
			}
			first.v, first.err, first.ok = first.next()
		}
	}
}
