package quality

import "fmt"

// Mistake is one thing wrong with a file.
//
//nolint:errname // it is one line of a report first, and an error so that errors.Join takes it
type Mistake struct {
	File string
	// Line counts from 1; 0 is the file as a whole.
	Line int
	// Detail names the field, its value and what to do.
	Detail string
}

func (m *Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Detail
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Detail)
}

// maxMistakes bounds what is reported of one file: the wrong file altogether
// would otherwise answer with as many lines as it has.
const maxMistakes = 100
