package sqlite

import (
	"encoding/binary"
	"errors"

	"tocsin/ingest"
)

// sighting is an [ingest.Sighting] in 32 bytes. It belongs to the newest of
// the alert's revisions up to revision.
type sighting struct {
	lastSeen, expiresAt, count, revision int64
}

func (x sighting) apply(a *ingest.Alert) {
	if a.Revision <= x.revision {
		a.LastSeen, a.ExpiresAt, a.Count = timeOf(x.lastSeen), timeOf(x.expiresAt), x.count
	}
}

// origin is what the sightings of a row are packed relative to: the time of
// the batch and the highest alert revision then. One takes 15 to 20 bytes: the
// fingerprint, and as varints how long before the batch the alert was last
// seen, when it expires after that, the count and the distance in revisions.
type origin struct{ at, revision int64 }

func (o origin) append(dst []byte, fp ingest.Fingerprint, x sighting) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(fp))
	dst = binary.AppendVarint(dst, o.at-x.lastSeen)
	// 0 is never, so what expires at the time of the batch is 1.
	if x.expiresAt == 0 {
		dst = append(dst, 0)
	} else if d := x.expiresAt - o.at; d >= 0 {
		dst = binary.AppendVarint(dst, d+1)
	} else {
		dst = binary.AppendVarint(dst, d)
	}
	dst = binary.AppendVarint(dst, x.count)
	return binary.AppendVarint(dst, o.revision-x.revision)
}

var errPacking = errors.New("truncated")

// each unpacks what append packed.
func (o origin) each(src []byte, f func(ingest.Fingerprint, sighting)) error {
	for len(src) > 0 {
		if len(src) < 12 {
			return errPacking
		}
		fp := ingest.Fingerprint(binary.BigEndian.Uint64(src))
		src = src[8:]
		var v [4]int64
		for i := range v {
			var n int
			if v[i], n = binary.Varint(src); n <= 0 {
				return errPacking
			}
			src = src[n:]
		}
		x := sighting{o.at - v[0], 0, v[2], o.revision - v[3]}
		switch {
		case v[1] > 0:
			x.expiresAt = o.at + v[1] - 1
		case v[1] < 0:
			x.expiresAt = o.at + v[1]
		}
		f(fp, x)
	}
	return nil
}
