package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tocsin/ingest"
)

// Events reads a file of our own events, one in JSON a line, as the API lists
// them.
type Events struct {
	// Reader is read twice when it can be: first for how alerts end. What does
	// so needs no expiry, which would come too early, because re-sends are not
	// stored.
	Reader io.Reader
	// Name stands for it in what is said about mistakes.
	Name      string
	Normalize Normalize
}

var _ Source = (*Events)(nil)

// Read implements [Source]. A line that is no event is told as unreadable. The
// error is one of reading, or says that there is no event at all.
func (s *Events) Read(ctx context.Context, yield func(Input) bool) error {
	ends, err := s.ends(ctx)
	if err != nil {
		return err
	}
	var w window
	l := newLines(s.Reader)
	good := 0
	var first error
	f := &feed{}
	f.read = func() (time.Time, bool) {
		line, ok := l.next()
		if !ok {
			return time.Time{}, false
		}
		in, err := decodeEvent(line, l.name(s.Name), time.Time{}, s.Normalize)
		switch ev := in.Event; {
		case err != nil:
			if first == nil {
				first = err
			}
			in.At = f.last
		case ev == nil || ev.Kind != ingest.KindAlert:
			good++
		case ev.Source == engineSource:
			return in.At, true // the engine will say it again
		default:
			good++
			if _, known := ends[EpisodeOf(ev.Fingerprint, ev.StartsAt)]; known && ev.Status == ingest.Firing {
				ev.EndsAt, ev.Timeout = time.Time{}, 0
			}
		}
		w.push(in, false)
		return in.At, true
	}
	w.merge([]*feed{f}, func(in Input) bool { return ctx.Err() == nil && yield(in) })
	switch {
	case l.err != nil:
		return fmt.Errorf("read %s: %w", s.Name, l.err)
	case good == 0 && first != nil:
		return first
	case good == 0 && ctx.Err() == nil:
		return fmt.Errorf("%s: no event in it", s.Name)
	}
	return nil
}

// ends lists the episodes whose end is told.
func (s *Events) ends(ctx context.Context) (map[Episode]struct{}, error) {
	again, ok := s.Reader.(io.Seeker)
	if !ok {
		return nil, nil
	}
	begin, err := again.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, nil //nolint:nilerr // a pipe: it is read once then
	}
	ends := map[Episode]struct{}{}
	l := newLines(s.Reader)
	for ctx.Err() == nil {
		line, ok := l.next()
		if !ok {
			break
		}
		// Most lines are no resolution, and need no more than a look.
		if !bytes.Contains(line, []byte(`"resolved"`)) {
			continue
		}
		in, err := decodeEvent(line, s.Name, time.Time{}, s.Normalize)
		if err == nil && in.Event != nil && in.Event.Status == ingest.Resolved {
			ends[EpisodeOf(in.Event.Fingerprint, in.Event.StartsAt)] = struct{}{}
		}
	}
	if _, err := again.Seek(begin, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read %s again: %w", s.Name, err)
	}
	return ends, nil
}

// maxLine bounds a line, raw payload included.
const maxLine = 16 << 20

// lines cuts a file into lines that are not blank.
type lines struct {
	s   *bufio.Scanner
	n   int
	err error
}

func newLines(r io.Reader) *lines {
	l := &lines{s: bufio.NewScanner(r)}
	l.s.Buffer(make([]byte, 64<<10), maxLine)
	return l
}

// next is the next line, valid until the next call.
func (l *lines) next() ([]byte, bool) {
	for l.s.Scan() {
		l.n++
		line := bytes.TrimSpace(l.s.Bytes())
		if l.n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) > 0 {
			return line, true
		}
	}
	l.err = l.s.Err()
	if errors.Is(l.err, bufio.ErrTooLong) {
		l.err = fmt.Errorf("line %d is longer than %d bytes; is this JSON with one event a line?", l.n+1, maxLine)
	}
	return nil, false
}

func (l *lines) name(file string) string { return fmt.Sprintf("%s:%d", file, l.n) }
