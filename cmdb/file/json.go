package file

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/cmdb"
)

// json reads {"cis":[…],"relations":[…]} or {"cis":[…],"edges":[…]}.
func (p *parser) json(r io.Reader) error {
	lines := &lineReader{r: r}
	j := jsonReader{p: p, lines: lines,
		// Names given twice are reported with all other mistakes instead.
		dec: jsontext.NewDecoder(lines, jsontext.AllowDuplicateNames(true))}
	err := j.document()
	if lines.err != nil {
		return lines.err
	}
	if err == nil {
		return nil
	}
	line, col := lines.at(j.dec.InputOffset())
	detail := err.Error()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		line, col = lines.at(syntax.ByteOffset)
		detail = syntax.Err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		detail = "the JSON ends too early"
	}
	p.bad(cmdb.MistakeSyntax, line, col, "%s", detail)
	return nil
}

type jsonReader struct {
	p     *parser
	lines *lineReader
	dec   *jsontext.Decoder
	// lists and fields are used again for each CI and relation, which copy
	// what they keep.
	lists  pool[value]
	fields pool[field]
}

func (j *jsonReader) document() error {
	if j.dec.PeekKind() != jsontext.KindBeginObject {
		v, err := j.value(0)
		if err != nil {
			return err
		}
		j.p.wrongType(&v, "document", "an object with cis and relations (or edges)")
		return j.end()
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for j.dec.PeekKind() != jsontext.KindEndObject {
		name, err := j.value(0)
		if err != nil {
			return err
		}
		if seen[name.text] {
			j.p.bad(cmdb.MistakeField, name.line, name.col, "field %q is given twice", name.text)
		}
		seen[name.text] = true
		switch name.text {
		case "cis":
			err = j.elements("cis", j.p.ci)
		case "relations", "edges":
			err = j.elements(name.text, j.p.relation)
		default:
			j.p.bad(cmdb.MistakeField, name.line, name.col, "field %q is unknown; want cis and relations (or edges)", name.text)
			err = j.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	return j.end()
}

// end makes sure that nothing follows the document.
func (j *jsonReader) end() error {
	v, err := j.value(0)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	j.p.bad(cmdb.MistakeSyntax, v.line, v.col, "%s follows the end of the document", v.describe())
	return nil
}

func (j *jsonReader) elements(name string, take func(*value)) error {
	if j.dec.PeekKind() != jsontext.KindBeginArray {
		v, err := j.value(0)
		if err == nil && v.kind != null {
			j.p.wrongType(&v, name, "a list")
		}
		return err
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	for j.dec.PeekKind() != jsontext.KindEndArray {
		j.lists.reset()
		j.fields.reset()
		v, err := j.value(0)
		if err != nil {
			return err
		}
		take(&v)
	}
	_, err := j.dec.ReadToken()
	return err
}

// value reads one value; depth is how deep it lies in a CI or relation.
func (j *jsonReader) value(depth int) (value, error) {
	var v value
	switch j.dec.PeekKind() {
	case jsontext.KindBeginArray:
		if err := j.open(&v); err != nil {
			return v, err
		}
		v.kind = list
		at := j.lists.take(&v.list)
		for j.dec.PeekKind() != jsontext.KindEndArray {
			x, err := j.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, x)
		}
		j.lists.put(at, v.list)
		_, err := j.dec.ReadToken()
		return v, err
	case jsontext.KindBeginObject:
		if err := j.open(&v); err != nil {
			return v, err
		}
		v.kind = object
		at := j.fields.take(&v.fields)
		for j.dec.PeekKind() != jsontext.KindEndObject {
			name, err := j.value(depth + 1)
			if err != nil {
				return v, err
			}
			x, err := j.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.fields = append(v.fields, field{name.text, name.line, name.col, x})
		}
		j.fields.put(at, v.fields)
		_, err := j.dec.ReadToken()
		return v, err
	default:
		return j.scalar(depth)
	}
}

func (j *jsonReader) open(v *value) error {
	_, err := j.dec.ReadToken()
	v.line, v.col = j.lines.at(j.dec.InputOffset() - 1)
	return err
}

func (j *jsonReader) scalar(depth int) (value, error) {
	raw, err := j.dec.ReadValue()
	if err != nil {
		return value{}, err
	}
	var v value
	v.line, v.col = j.lines.at(j.dec.InputOffset() - int64(len(raw)))
	switch raw.Kind() {
	case jsontext.KindString:
		v.kind = text
		b := []byte(raw[1 : len(raw)-1])
		if !plainString(b) {
			if b, err = jsontext.AppendUnquote(nil, raw); err != nil {
				return v, err
			}
		}
		if depth <= 1 {
			v.text = j.p.strings.id(b)
		} else {
			v.text = j.p.strings.value(b)
		}
	case jsontext.KindNumber:
		v.kind, v.text = number, j.p.strings.value(raw)
	case jsontext.KindTrue, jsontext.KindFalse:
		v.kind, v.text = boolean, j.p.strings.value(raw)
	default:
		v.kind = null
	}
	return v, nil
}

func plainString(b []byte) bool {
	for _, c := range b {
		if c == '\\' {
			return false
		}
	}
	return true
}

// lineReader turns offsets into lines and columns. It remembers the line ends
// that lie between what was asked for last and what was read, no others.
type lineReader struct {
	r     io.Reader
	read  int64
	ends  []int64 // offsets of line ends, from head on not passed yet
	head  int
	line  int32 // lines passed
	start int64 // offset of the current line
	err   error // other than io.EOF
}

func (l *lineReader) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	l.ends, l.head = append(l.ends[:0], l.ends[l.head:]...), 0
	for i, c := range b[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}

// at is the line and column, from 1, of an offset. Offsets must not decrease;
// one before the last is taken to be on the same line.
func (l *lineReader) at(offset int64) (line, col int32) {
	for l.head < len(l.ends) && l.ends[l.head] < offset {
		l.start = l.ends[l.head] + 1
		l.head++
		l.line++
	}
	return l.line + 1, int32(max(offset-l.start, 0)) + 1
}
