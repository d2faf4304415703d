package sqlite

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"tocsin/correlate"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

func limitOf(p correlate.Page) int {
	switch {
	case p.Limit <= 0:
		return defaultLimit
	default:
		return min(p.Limit, maxLimit)
	}
}

// A cursor is where a list goes on: the name of the list, so that one list's
// cursor is no other's, and the fields of the last row, behind a checksum that
// finds mangled ones, as base64.
func makeCursor(list string, fields ...string) string {
	b := []byte("0000" + list + "\x00" + strings.Join(fields, "\x00"))
	binary.BigEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

// splitCursor returns the n fields of a cursor, or an error that wraps
// [correlate.ErrInvalid]. The last field may hold anything, the others no NUL.
func splitCursor(cursor, list string, n int) ([]string, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(b) > 4 && binary.BigEndian.Uint32(b) == crc32.ChecksumIEEE(b[4:]) {
		parts := strings.SplitN(string(b[4:]), "\x00", n+1)
		if len(parts) == n+1 && parts[0] == list {
			return parts[1:], nil
		}
	}
	return nil, badCursor(cursor)
}

func badCursor(cursor string) error {
	if len(cursor) > 100 {
		cursor = cursor[:100] + "…"
	}
	return fmt.Errorf("%w: cursor %q: is not one of this list; begin again without", correlate.ErrInvalid, cursor)
}

// numbers reads a cursor of n whole numbers.
func numbers(cursor, list string, n int) ([]int64, error) {
	fields, err := splitCursor(cursor, list, n)
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	for i, f := range fields {
		if out[i], err = parseInt(f); err != nil {
			return nil, badCursor(cursor)
		}
	}
	return out, nil
}
