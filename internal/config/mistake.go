package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Mistake is one thing wrong with a configuration.
type Mistake struct {
	File string
	// Line and Column count from 1, columns in characters. Both are 0 when the
	// mistake is about the file itself.
	Line, Column int
	// Key is the path of what is wrong, such as "notify.receivers[0].url".
	Key string
	// Detail names the value and what to do.
	Detail string
}

func (m *Mistake) Error() string {
	s := m.File
	if m.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", s, m.Line, m.Column)
	}
	if m.Key != "" {
		s += ": " + m.Key
	}
	return s + ": " + m.Detail
}

// MistakesOf lists the mistakes in an error of [Load] or [Parse], in the order
// of the file; nil when the error is of another kind.
func MistakesOf(err error) []*Mistake {
	var out []*Mistake
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case *Mistake:
		out = append(out, e)
	case interface{ Unwrap() []error }:
		for _, x := range e.Unwrap() {
			out = append(out, MistakesOf(x)...)
		}
	case interface{ Unwrap() error }:
		out = MistakesOf(e.Unwrap())
	}
	return out
}

// maxMistakes bounds the list: a file of another kind has one on every line.
const maxMistakes = 100

// mistakes collects what is wrong with one file, and knows where its keys are.
type mistakes struct {
	file string
	list []*Mistake
	// at is where the value of each path stands in the file.
	at map[string]position
	// unread are the paths whose values could not be decoded: what stands
	// there is not what the file says, and not to be judged too.
	unread map[string]bool
}

func newMistakes(file string) *mistakes {
	return &mistakes{file: file, at: map[string]position{}, unread: map[string]bool{}}
}

type position struct{ line, column int }

func (m *mistakes) add(p position, key, format string, args ...any) {
	m.list = append(m.list, &Mistake{m.file, p.line, p.column, key, fmt.Sprintf(format, args...)})
}

// bad reports the value at a path. A value that the file does not give, a
// default or a missing one, is reported where its nearest parent is.
func (m *mistakes) bad(key, format string, args ...any) {
	if m.unread[key] {
		return
	}
	m.add(m.place(key), key, format, args...)
}

func (m *mistakes) place(key string) position {
	for {
		if p, ok := m.at[key]; ok {
			return p
		}
		if key == "" {
			return position{1, 1}
		}
		key = parent(key)
	}
}

// parent cuts the last element of a path: a.b[0] → a.b → a → "".
func parent(key string) string {
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '.' || key[i] == '[' {
			return key[:i]
		}
	}
	return ""
}

// err joins the mistakes in the order of the file; nil when there are none.
func (m *mistakes) err() error {
	slices.SortStableFunc(m.list, func(a, b *Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.Detail, b.Detail))
	})
	var errs []error
	for i, x := range m.list {
		if i == maxMistakes {
			errs = append(errs, &Mistake{File: m.file, Detail: fmt.Sprintf("%d more mistakes; mend these first", len(m.list)-i)})
			break
		}
		errs = append(errs, x)
	}
	return errors.Join(errs...)
}
