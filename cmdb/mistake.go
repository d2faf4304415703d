package cmdb

import (
	"errors"
	"fmt"
)

// Mistake is one thing wrong with an estate or a change of it.
//
//nolint:errname // it is one line of a report first, and an error so that errors.Join takes it
type Mistake struct {
	Kind MistakeKind
	// Position is where: "cis[3]" or "relations[7]" counted from 0, or
	// file:line:column when it was read from a file.
	Position string
	// Detail names the field, its value and what to do.
	Detail string
}

func (m *Mistake) Error() string { return m.Position + ": " + m.Detail }

// MistakeKind says what is wrong.
type MistakeKind string

// What can be wrong. MistakeSyntax, MistakeField, MistakeType and MistakeMissing
// come from reading files only.
const (
	MistakeDuplicateCI       MistakeKind = "duplicate_ci"
	MistakeDuplicateRelation MistakeKind = "duplicate_relation"
	MistakeUnknownEnd        MistakeKind = "unknown_end"
	MistakeSelfRelation      MistakeKind = "self_relation"
	MistakeGroup             MistakeKind = "group"
	MistakeValue             MistakeKind = "value"
	MistakeSyntax            MistakeKind = "syntax"
	MistakeField             MistakeKind = "unknown_field"
	MistakeType              MistakeKind = "wrong_type"
	MistakeMissing           MistakeKind = "missing_field"
	// MistakeMore closes a list that was cut: Detail says how many are left out.
	MistakeMore MistakeKind = "more"
)

// maxMistakes bounds a list of mistakes: a file with the wrong IDs throughout
// would otherwise answer with millions of lines.
const maxMistakes = 1000

// Mistakes collects mistakes; the zero value is ready. It keeps the first
// thousand and counts the rest.
type Mistakes struct {
	list []error
	more int
}

// Add notes one mistake.
func (m *Mistakes) Add(kind MistakeKind, position, format string, args ...any) {
	if len(m.list) >= maxMistakes {
		m.more++
		return
	}
	m.list = append(m.list, &Mistake{kind, position, fmt.Sprintf(format, args...)})
}

// Len is the number of mistakes, those not kept included.
func (m *Mistakes) Len() int { return len(m.list) + m.more }

// Err joins all mistakes, each a *[Mistake]; nil when there are none.
func (m *Mistakes) Err() error {
	if m.more == 0 {
		return errors.Join(m.list...)
	}
	return errors.Join(append(m.list[:len(m.list):len(m.list)], &Mistake{MistakeMore, "estate",
		fmt.Sprintf("%d more mistakes; mend the first %d and try again", m.more, len(m.list))})...)
}

// MistakesOf lists the mistakes in an error that [New], [Snapshot.Apply] or a
// parser returned; nil when the error is of another kind.
func MistakesOf(err error) []*Mistake {
	var out []*Mistake
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, to find all and not the first
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

// Positions tells where CIs and relations come from. The zero value counts:
// "cis[3]", "relations[7]".
type Positions struct {
	CI       func(i int) string
	Relation func(i int) string
}

func (p Positions) ci(i int) string {
	if p.CI != nil {
		return p.CI(i)
	}
	return fmt.Sprintf("cis[%d]", i)
}

func (p Positions) relation(i int) string {
	if p.Relation != nil {
		return p.Relation(i)
	}
	return fmt.Sprintf("relations[%d]", i)
}
