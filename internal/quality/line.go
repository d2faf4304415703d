package quality

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// line decodes one line at a time. Its methods read the value of a field; what
// is wrong with it they note, and give back the zero value.
type line struct {
	file     string
	number   int
	raw      []byte
	input    bytes.Buffer
	dec      *jsontext.Decoder
	fields   []string // the names in this line, as far as it was read
	mistakes []error  // of this line
	broken   bool     // nothing more can be said of it
	known    map[string]string
	labelled []ingest.Label // used again for each alert
}

func newLine(file string) *line {
	l := &line{file: file, known: map[string]string{}}
	l.dec = jsontext.NewDecoder(&l.input)
	return l
}

func (l *line) bad(format string, args ...any) {
	l.mistakes = append(l.mistakes, &Mistake{l.file, l.number, fmt.Sprintf(format, args...)})
}

// decode reads the object of a line; take reads the value of a field, or says
// that it does not know it.
func (l *line) decode(raw []byte, take func(field string) bool) {
	l.raw, l.fields, l.mistakes, l.broken = raw, l.fields[:0], nil, false
	l.input = *bytes.NewBuffer(raw)
	l.dec.Reset(&l.input)
	if k := l.dec.PeekKind(); k != jsontext.KindBeginObject && k != jsontext.KindInvalid {
		if v, ok := l.value(""); ok {
			l.bad("want an object, got %s", describe(v))
			l.broken = true
		}
		return
	}
	l.object(take)
	if l.broken {
		return
	}
	if _, err := l.dec.ReadToken(); err == nil {
		l.bad("something follows the object; give each line one object")
	} else if !errors.Is(err, io.EOF) {
		l.syntax("", err)
	}
}

// object reads an object, within a line or the line itself.
func (l *line) object(take func(field string) bool) {
	if _, err := l.dec.ReadToken(); err != nil {
		l.syntax("", err)
		return
	}
	top := l.dec.StackDepth() == 1
	for {
		k := l.dec.PeekKind()
		if k == jsontext.KindEndObject {
			break
		}
		if k != jsontext.KindString && k != jsontext.KindInvalid {
			l.bad("no JSON: the name of a field stands in quotes")
			l.broken = true
			return
		}
		v, ok := l.value("")
		if !ok {
			return
		}
		name := l.intern(v)
		if top {
			l.fields = append(l.fields, name)
		}
		if !take(name) {
			l.value(name)
		}
		if l.broken {
			return
		}
	}
	if _, err := l.dec.ReadToken(); err != nil {
		l.syntax("", err)
	}
}

// value reads any value; it is valid until the next one is read.
func (l *line) value(field string) (jsontext.Value, bool) {
	v, err := l.dec.ReadValue()
	if err != nil {
		l.syntax(field, err)
		return nil, false
	}
	return v, true
}

// syntax notes why a line is no JSON. What other programs write for numbers
// that JSON does not have is named, for that is the usual reason.
func (l *line) syntax(field string, err error) {
	l.broken = true
	of := ""
	if field != "" {
		of = field + ": "
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		l.bad("%sthe line ends within its object; was the file cut off?", of)
		return
	}
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		l.bad("%s%v", of, err)
		return
	}
	at := min(max(int(syntax.ByteOffset), 0), len(l.raw))
	for _, word := range []string{"NaN", "-Infinity", "Infinity"} {
		// The offset is that of the sign, or of what follows it.
		if bytes.HasPrefix(l.raw[at:], []byte(word)) || bytes.HasSuffix(l.raw[:at], []byte("-")) && bytes.HasPrefix(l.raw[at-1:], []byte(word)) {
			l.bad("%s%s is no number; leave the field out, or give a number", of, word)
			return
		}
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		l.bad("field %q is given twice", syntax.JSONPointer.LastToken())
		return
	}
	l.bad("%sno JSON from byte %d on: %v", of, at+1, syntax.Err)
}

// need notes fields that are missing, and what the line has instead.
func (l *line) need(fields ...string) {
	if l.broken {
		return
	}
	for _, f := range fields {
		if l.has(f) {
			continue
		}
		var have string
		switch {
		case len(l.fields) > 12:
			have = strings.Join(l.fields[:12], ", ") + ", …"
		case len(l.fields) > 0:
			have = strings.Join(l.fields, ", ")
		default:
			have = "nothing"
		}
		l.bad("%s is missing; the line has %s", f, shorten(have))
	}
}

func (l *line) has(field string) bool {
	for _, f := range l.fields {
		if f == field {
			return true
		}
	}
	return false
}

// id reads a text that may not be empty.
func (l *line) id(field string) string {
	v, ok := l.value(field)
	if !ok {
		return ""
	}
	switch v.Kind() {
	case jsontext.KindString:
		if len(v) > len(`""`) {
			return string(unquote(v))
		}
		l.bad("%s is empty; give it a text", field)
	case jsontext.KindNumber:
		l.bad("%s: want text, got %s (put it in quotes)", field, describe(v))
	default:
		l.bad("%s: want text, got %s", field, describe(v))
	}
	return ""
}

// idOrNull is id, and "" for null; what says what null means.
func (l *line) idOrNull(field, what string) string {
	switch l.dec.PeekKind() {
	case jsontext.KindNull:
		l.value(field)
		return ""
	case jsontext.KindString:
		if v, ok := l.value(field); ok {
			if len(v) > len(`""`) {
				return l.intern(v)
			}
			l.bad("%s is empty; write null for %s", field, what)
		}
		return ""
	default:
		return l.id(field)
	}
}

// text reads a text that may be empty or null. Shared ones are those that many
// lines have in common, which are kept once.
func (l *line) text(field string, shared bool) string {
	v, ok := l.value(field)
	switch {
	case !ok || v.Kind() == jsontext.KindNull:
		return ""
	case v.Kind() != jsontext.KindString:
		l.bad("%s: want text, got %s", field, describe(v))
		return ""
	case shared:
		return l.intern(v)
	default:
		return string(unquote(v))
	}
}

// list reads a list; take reads one element. Null is an empty list.
func (l *line) list(field, of string, take func(i int)) {
	switch l.dec.PeekKind() {
	case jsontext.KindBeginArray:
	case jsontext.KindNull:
		l.value(field)
		return
	default:
		if v, ok := l.value(field); ok {
			l.bad("%s: want a list of %s, got %s", field, of, describe(v))
		}
		return
	}
	if _, err := l.dec.ReadToken(); err != nil {
		l.syntax(field, err)
		return
	}
	for i := 0; l.dec.PeekKind() != jsontext.KindEndArray; i++ {
		if take(i); l.broken {
			return
		}
	}
	if _, err := l.dec.ReadToken(); err != nil {
		l.syntax(field, err)
	}
}

// ids reads a list of texts, none of them empty.
func (l *line) ids(field string) (ids []string) {
	l.list(field, "texts", func(i int) {
		if id := l.id(fmt.Sprintf("%s[%d]", field, i)); id != "" {
			ids = append(ids, id)
		}
	})
	return ids
}

// float reads a finite number; null is 0.
func (l *line) float(field string) float64 {
	v, ok := l.value(field)
	if !ok || v.Kind() == jsontext.KindNull {
		return 0
	}
	if v.Kind() != jsontext.KindNumber {
		l.bad("%s: want a number, got %s", field, describe(v))
		return 0
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsInf(f, 0) {
		l.bad("%s: %s is beyond what a number can be", field, shorten(string(v)))
		return 0
	}
	return f
}

// boolean reads true or false; null is false.
func (l *line) boolean(field string) bool {
	v, ok := l.value(field)
	if !ok || v.Kind() == jsontext.KindNull {
		return false
	}
	if k := v.Kind(); k != jsontext.KindTrue && k != jsontext.KindFalse {
		l.bad("%s: want true or false, got %s", field, describe(v))
	}
	return v.Kind() == jsontext.KindTrue
}

// maxKnown bounds the texts that are kept once; a full table is emptied.
const maxKnown = 1 << 16

// intern is the text of a JSON string, the same memory for the same text.
func (l *line) intern(v jsontext.Value) string {
	b := unquote(v)
	if s, ok := l.known[string(b)]; ok {
		return s
	}
	if len(l.known) >= maxKnown {
		clear(l.known)
	}
	s := string(b)
	l.known[s] = s
	return s
}

// unquote is the text of a valid JSON string, in place when it can be.
func unquote(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		panic(err) // the decoder has called it valid
	}
	return b
}

// describe names a value's type, and the value when it is a single one.
func describe(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "boolean " + string(v)
	case jsontext.KindNumber:
		return "number " + shorten(string(v))
	case jsontext.KindString:
		return fmt.Sprintf("text %q", shorten(string(unquote(v))))
	case jsontext.KindBeginArray:
		return "a list"
	default:
		return "an object"
	}
}

func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
