package quality

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds a line: an alert with all its labels is far below, and a file
// without line ends is not read into memory whole.
const maxLine = 1 << 20

// record is a kind of line.
type record[T any] interface {
	*T
	// take reads the value of a field, or says that it does not know it.
	take(l *line, field string) bool
	// check notes what is wrong with the line as a whole.
	check(l *line)
}

// each reads a file line by line until yield says no. A line with mistakes is
// not yielded but its mistakes are, each a *Mistake. After a hundred of them,
// and after an error of reading, the file is left.
func each[T any, P record[T]](r io.Reader, file string, yield func(v T, line int, err error) bool) {
	var none T
	l := newLine(file)
	lines := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	for mistakes := 0; ; {
		raw, err := lines.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				yield(none, lines.n, fmt.Errorf("read %s: %w", file, err))
			}
			return
		}
		if len(bytes.TrimSpace(raw)) == 0 && !lines.long {
			continue
		}
		l.number = lines.n
		var v T
		if lines.long {
			l.mistakes = nil
			l.bad("the line is longer than %d bytes; is this JSON with one object a line?", maxLine)
		} else {
			l.decode(raw, func(field string) bool { return P(&v).take(l, field) })
			if !l.broken {
				P(&v).check(l)
			}
		}
		if len(l.mistakes) == 0 {
			if !yield(v, lines.n, nil) {
				return
			}
			continue
		}
		for _, m := range l.mistakes {
			if mistakes == maxMistakes {
				yield(none, lines.n, &Mistake{file, 0, fmt.Sprintf("more than %d mistakes; the rest was not read", maxMistakes)})
				return
			}
			mistakes++
			if !yield(none, lines.n, m) {
				return
			}
		}
	}
}

// stream is each without line numbers.
func stream[T any, P record[T]](r io.Reader, file string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		each[T, P](r, file, func(v T, _ int, err error) bool { return yield(v, err) })
	}
}

// all reads a file whole. No two lines may have the same key; twice says what
// is wrong when they have. The error joins all mistakes.
func all[T any, P record[T], K comparable](r io.Reader, file string, key func(*T) K, twice func(first, again *T, line int) string) ([]T, error) {
	var out []T
	var errs []error
	type place struct{ index, line int }
	seen := map[K]place{}
	each[T, P](r, file, func(v T, line int, err error) bool {
		if err != nil {
			errs = append(errs, err)
			return true
		}
		k := key(&v)
		if first, ok := seen[k]; ok {
			errs = append(errs, &Mistake{file, line, twice(&out[first.index], &v, first.line)})
			// Counted with the others, for these come in thousands too.
			if len(errs) < maxMistakes {
				return true
			}
			errs = append(errs, &Mistake{file, 0, fmt.Sprintf("more than %d mistakes; the rest was not read", maxMistakes)})
			return false
		}
		seen[k] = place{len(out), line}
		out = append(out, v)
		return true
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// lineReader cuts a file into lines.
type lineReader struct {
	r    *bufio.Reader
	buf  []byte
	n    int
	long bool // the line was too long and is empty
}

// next is the next line, valid until the next call. The error is io.EOF after
// the last line.
func (l *lineReader) next() ([]byte, error) {
	l.buf, l.long = l.buf[:0], false
	for started := false; ; started = true {
		part, err := l.r.ReadSlice('\n')
		if !started {
			if errors.Is(err, io.EOF) && len(part) == 0 {
				return nil, io.EOF
			}
			if l.n++; l.n == 1 {
				part = bytes.TrimPrefix(part, []byte("\ufeff"))
			}
			if err == nil {
				return part, nil // the usual case, without a copy
			}
		}
		if l.long = l.long || len(l.buf)+len(part) > maxLine; l.long {
			l.buf = l.buf[:0]
		} else {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == nil || errors.Is(err, io.EOF):
			return l.buf, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
