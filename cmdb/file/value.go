package file

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// value is one value of YAML or JSON with its position. Both are read into
// values one CI or relation at a time, so that one decoder does for both and a
// file of millions is never held whole.
type value struct {
	kind   valueKind
	line   int32
	col    int32
	text   string // of scalars: as written, a text without its quotes
	list   []value
	fields []field
}

type field struct {
	name      string
	line, col int32
	value     value
}

type valueKind uint8

const (
	null valueKind = iota
	boolean
	number
	text
	list
	object
)

// describe names a value's type, and the value when it is short, for mistakes.
func (v *value) describe() string {
	switch v.kind {
	case null:
		return "null"
	case boolean:
		return "boolean " + v.text
	case number:
		return "number " + shorten(v.text)
	case text:
		return fmt.Sprintf("text %q", shorten(v.text))
	case list:
		return "a list"
	default:
		return "an object"
	}
}

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// json is the value as JSON text.
func (v *value) json() string { return string(v.appendJSON(nil)) }

func (v *value) appendJSON(b []byte) []byte {
	switch v.kind {
	case null:
		return append(b, "null"...)
	case boolean:
		return append(b, v.text...)
	case number:
		if n := jsontext.Value(v.text); n.IsValid() {
			return append(b, n...)
		}
		return quote(b, v.text) // YAML has numbers that JSON has not, such as .inf
	case text:
		return quote(b, v.text)
	case list:
		b = append(b, '[')
		for i := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.list[i].appendJSON(b)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i := range v.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = quote(b, v.fields[i].name)
			b = append(b, ':')
			b = v.fields[i].value.appendJSON(b)
		}
		return append(b, '}')
	}
}

func quote(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil { // invalid UTF-8, which AppendQuote has replaced
		return b
	}
	return b
}
