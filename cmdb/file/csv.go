package file

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tocsin/cmdb"
)

// csvKind is what the rows beneath a header hold.
type csvKind int

const (
	csvNone csvKind = iota
	csvCIs
	csvRelations
	csvUnknown // beneath a header that was refused
)

var (
	csvCIColumns       = []string{"id", "class", "name", "owner", "environment", "criticality"}
	csvRelationColumns = []string{"from", "to", "type", "group", "need"}
)

func (p *parser) csv(r *bufio.Reader) error {
	src := &errReader{r: r}
	c := csvReader{p: p, r: csv.NewReader(src)}
	c.r.Comma = delimiter(r)
	c.r.FieldsPerRecord = -1
	c.r.ReuseRecord = true
	for {
		row, err := c.r.Read()
		if src.err != nil {
			return src.err
		}
		if errors.Is(err, io.EOF) {
			if c.kind == csvNone {
				p.bad(cmdb.MistakeMissing, 1, 1, "there is no header row; want id,class,… or from,to,type,…")
			}
			return nil
		}
		if err != nil {
			var line, col int
			detail := err.Error()
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				line, col, detail = e.Line, e.Column, e.Err.Error()
			}
			p.bad(cmdb.MistakeSyntax, int32(max(line, 1)), int32(max(col, 1)), "%s", detail)
			return nil
		}
		c.row(row)
	}
}

// delimiter is what the header row, as far as the buffer holds it, uses.
func delimiter(r *bufio.Reader) rune {
	head, err := r.Peek(4096)
	if err != nil && len(head) == 0 {
		return ','
	}
	head, _, _ = bytes.Cut(head, []byte("\n"))
	for _, d := range ",;\t" {
		if bytes.ContainsRune(head, d) {
			return d
		}
	}
	return ','
}

type csvReader struct {
	p       *parser
	r       *csv.Reader
	kind    csvKind
	columns []string
}

func (c *csvReader) row(row []string) {
	line, col := c.at(0)
	if slices.Contains(row, "from") && slices.Contains(row, "to") {
		c.header(row, csvRelations, csvRelationColumns, "from", "to", "type")
		return
	}
	if slices.Contains(row, "id") && (c.kind == csvNone || slices.Contains(row, "class")) {
		c.header(row, csvCIs, csvCIColumns, "id", "class")
		return
	}
	if c.kind == csvUnknown {
		return
	}
	if c.kind == csvNone {
		c.kind = csvUnknown
		c.p.bad(cmdb.MistakeMissing, line, col, "there is no header row; want id,class,… or from,to,type,…")
		return
	}
	if len(row) != len(c.columns) {
		c.p.bad(cmdb.MistakeType, line, col, "the row has %d cells, its header %d", len(row), len(c.columns))
		return
	}
	for i, cell := range row {
		if !utf8.ValidString(cell) {
			line, col := c.at(i)
			c.p.bad(cmdb.MistakeValue, line, col, "%s %q is not valid UTF-8; save the file as UTF-8", c.columns[i], cell)
			return
		}
	}
	if c.kind == csvCIs {
		c.ci(row, line, col)
	} else {
		c.relation(row, line, col)
	}
}

func (c *csvReader) at(i int) (line, col int32) {
	l, k := c.r.FieldPos(i)
	return int32(l), int32(k)
}

func (c *csvReader) header(row []string, kind csvKind, known []string, required ...string) {
	c.kind = kind
	c.columns = c.columns[:0]
	for i, name := range row {
		name = c.p.strings.id([]byte(strings.TrimSpace(name)))
		line, col := c.at(i)
		open := kind == csvCIs && (len(name) > 4 && name[:4] == "key." || len(name) > 5 && name[:5] == "attr.")
		switch {
		case !open && !slices.Contains(known, name):
			c.p.bad(cmdb.MistakeField, line, col, "column %q is unknown; want %s%s", name, strings.Join(known, ", "),
				map[bool]string{true: ", key.KIND or attr.NAME"}[kind == csvCIs])
		case slices.Contains(c.columns, name):
			c.p.bad(cmdb.MistakeField, line, col, "column %q is given twice", name)
		}
		c.columns = append(c.columns, name)
	}
	line, col := c.at(0)
	for _, name := range required {
		if !slices.Contains(c.columns, name) {
			c.p.bad(cmdb.MistakeMissing, line, col, "column %q is missing", name)
			c.kind = csvUnknown
		}
	}
}

func (c *csvReader) ci(row []string, line, col int32) {
	var x cmdb.CI
	for i, name := range c.columns {
		cell := strings.TrimSpace(row[i])
		if cell == "" {
			if name == "id" || name == "class" {
				c.missing(i)
			}
			continue
		}
		switch name {
		case "id":
			x.ID = c.p.strings.id([]byte(cell))
		case "class":
			x.Class = c.p.strings.id([]byte(cell))
		case "name":
			x.Name = strings.Clone(cell)
		case "owner":
			x.Owner = c.p.strings.value([]byte(cell))
		case "environment":
			x.Environment = c.p.strings.value([]byte(cell))
		case "criticality":
			x.Criticality = cmdb.Criticality(c.p.strings.value([]byte(cell)))
			if !x.Criticality.Valid() {
				line, col := c.at(i)
				c.p.bad(cmdb.MistakeValue, line, col, "criticality %q: want %v", cell, cmdb.Criticalities())
			}
		default:
			c.open(&x, name, cell)
		}
	}
	c.p.addCI(x, line, col)
}

// open sets a key or attribute.
func (c *csvReader) open(x *cmdb.CI, name, cell string) {
	if attr, ok := strings.CutPrefix(name, "attr."); ok {
		if x.Attributes == nil {
			x.Attributes = map[string]string{}
		}
		x.Attributes[attr] = c.p.strings.value([]byte(cell))
		return
	}
	kind, ok := strings.CutPrefix(name, "key.")
	if !ok {
		return // an unknown column, reported with the header
	}
	if n := strings.Count(cell, "|"); n >= cmdb.MaxKeyValues {
		line, col := c.at(slices.Index(c.columns, name))
		c.p.bad(cmdb.MistakeValue, line, col, "%s has %d values; at most %d are possible", name, n+1, cmdb.MaxKeyValues)
		return
	}
	for v := range strings.SplitSeq(cell, "|") {
		v = strings.TrimSpace(v)
		if v == "" || slices.Contains(x.Keys[kind], v) {
			continue
		}
		if x.Keys == nil {
			x.Keys = map[string][]string{}
		}
		x.Keys[kind] = append(x.Keys[kind], c.p.strings.value([]byte(v)))
	}
}

func (c *csvReader) relation(row []string, line, col int32) {
	var x cmdb.Relation
	for i, name := range c.columns {
		cell := c.p.strings.id([]byte(strings.TrimSpace(row[i])))
		switch name {
		case "from":
			x.From = cell
		case "to":
			x.To = cell
		case "type":
			x.Type = cell
		case "group":
			x.Group = cell
		case "need":
			if cell == "" {
				continue
			}
			n, err := strconv.ParseInt(cell, 10, 32)
			if err != nil {
				line, col := c.at(i)
				c.p.bad(cmdb.MistakeType, line, col, "need: want a whole number, got text %q", shorten(cell))
			}
			x.Need = int(n)
		}
		if cell == "" && (name == "from" || name == "to" || name == "type") {
			c.missing(i)
		}
	}
	c.p.addRelation(x, line, col)
}

func (c *csvReader) missing(i int) {
	line, col := c.at(i)
	c.p.bad(cmdb.MistakeMissing, line, col, "%s is empty", c.columns[i])
}
