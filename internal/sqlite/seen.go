package sqlite

import "context"

// seen says of a fingerprint whether it may have traces. It is a Bloom filter
// (B. Bloom, Space/time trade-offs in hash coding with allowable errors, 1970):
// a new alert is known as new without a look at the runs. Fingerprints are
// hashes already, so their halves serve as the two hashes all others are made
// of (Kirsch and Mitzenmacher, Less hashing, same performance, 2006). With 12 to
// 24 bits for each, one in 250 or fewer is wrongly said to be there.
type seen struct {
	bits  []uint64
	count int
}

const (
	seenMinimum = 1 << 20 // bits
	seenHashes  = 6
)

func newSeen(bits int) seen { return seen{bits: make([]uint64, max(bits, seenMinimum)/64)} }

func (s *seen) full() bool { return s.count > len(s.bits)*64/12 }

// mix spreads what is not random by itself (the 64-bit finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *seen) has(fp int64) bool {
	h := mix(uint64(fp))
	mask := uint64(len(s.bits)*64 - 1)
	for i := range uint64(seenHashes) {
		bit := (h + i*(h>>32|1)) & mask
		if s.bits[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

func (s *seen) add(fp int64) {
	if s.has(fp) {
		return
	}
	h := mix(uint64(fp))
	mask := uint64(len(s.bits)*64 - 1)
	for i := range uint64(seenHashes) {
		bit := (h + i*(h>>32|1)) & mask
		s.bits[bit/64] |= 1 << (bit % 64)
	}
	s.count++
}

// loadSeen makes the filter from all traces, of so many bits or as many more as
// it needs.
func (w *writer) loadSeen(ctx context.Context, bits int) error {
	w.seen = newSeen(bits)
	for {
		rows, err := w.conn.QueryContext(ctx, `SELECT first, body FROM traces`)
		if err != nil {
			return err
		}
		err = func() error {
			defer rows.Close()
			for rows.Next() && !w.seen.full() {
				var first int64
				var chunk []byte
				if err := rows.Scan(&first, &chunk); err != nil {
					return err
				}
				err := eachTrace(first, chunk, func(t trace) bool { w.seen.add(t.fp); return true })
				if err != nil {
					return damaged("traces", err)
				}
			}
			return rows.Err()
		}()
		if err != nil || !w.seen.full() {
			return err
		}
		w.seen = newSeen(2 * 64 * len(w.seen.bits))
	}
}
