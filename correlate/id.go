package correlate

import (
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"
)

// idAlphabet is Crockford's base 32: no I, L, O or U to be misheard or misread.
const idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const (
	idDayDigits  = 3 // 32,768 days from 2020-01-01: until 2109
	idHashDigits = 4 // a million a day
)

var idEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// newID makes the ID of an incident that an alert opens: the day it is opened,
// so that IDs sort by day, and a hash of the alert and its onset. Should that
// be taken by another incident of the same day, the hash is drawn again. It is
// content and not a counter, so that a replay that begins elsewhere in history
// gives an incident the same ID.
func (e *Engine) newID(a *alert) string {
	day := uint32(max(timeOf(e.now).Sub(idEpoch)/(24*time.Hour), 0))
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], uint64(a.fp))
	binary.BigEndian.PutUint64(b[8:], uint64(a.startsAt))
	for draw := uint64(0); ; draw++ {
		binary.BigEndian.PutUint64(b[16:], draw)
		id := digits(day, idDayDigits) + "-" + digits(uint32(xxhash.Sum64(b[:])), idHashDigits)
		if e.incidents[id] == nil {
			return id
		}
	}
}

func digits(v uint32, n int) string {
	b := make([]byte, n)
	for i := n - 1; i >= 0; i-- {
		b[i] = idAlphabet[v%32]
		v /= 32
	}
	return string(b)
}
