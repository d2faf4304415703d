package quality

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A Record can be written as a line of one of the files.
type Record interface {
	appendJSON(b []byte) ([]byte, error)
}

// A Writer writes records, each as a line. It buffers: call Flush at the end.
type Writer struct {
	w    *bufio.Writer
	line []byte
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 64<<10)} }

// Write writes one line, whole or not at all. An error of the underlying
// writer comes with every further call too.
func (w *Writer) Write(r Record) error {
	b, err := r.appendJSON(w.line[:0])
	if err != nil {
		return err
	}
	w.line = append(b, '\n')
	_, err = w.w.Write(w.line)
	return err
}

// Flush writes what is buffered.
func (w *Writer) Flush() error { return w.w.Flush() }

// object puts the fields of an object together.
type object struct {
	b     []byte
	start int
	err   error
}

func newObject(b []byte) object { return object{b: append(b, '{'), start: len(b) + 1} }

func (o *object) name(name string) {
	if len(o.b) > o.start {
		o.b = append(o.b, ',')
	}
	o.b = append(quote(o.b, name), ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.b = quote(o.b, value)
}

// optional is text, unless that is empty.
func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

// orNull is text, and null when that is empty.
func (o *object) orNull(name, value string) {
	if value != "" {
		o.text(name, value)
		return
	}
	o.name(name)
	o.b = append(o.b, "null"...)
}

// number writes a number; JSON has only finite ones.
func (o *object) number(name string, f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		o.err = fmt.Errorf("%s: %v cannot be written; want a finite number", name, f)
	}
	o.name(name)
	o.b = strconv.AppendFloat(o.b, f, 'g', -1, 64)
}

func (o *object) end() ([]byte, error) { return append(o.b, '}'), o.err }

// quote writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func quote(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil { // invalid UTF-8, which it has replaced
		return b
	}
	return b
}
