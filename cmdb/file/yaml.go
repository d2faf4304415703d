package file

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"tocsin/cmdb"
)

// Bounds on YAML: aliases let a small document stand for a huge one, or for
// itself.
const (
	maxYAMLDepth  = 100
	maxYAMLValues = 20_000_000
)

// yaml reads documents with cis and relations; several documents add up.
func (p *parser) yaml(r io.Reader) error {
	src := &errReader{r: r}
	dec := yaml.NewDecoder(src)
	y := yamlReader{p: p, left: maxYAMLValues}
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		switch {
		case src.err != nil:
			return src.err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			y.syntax(err)
			return nil
		}
		if len(doc.Content) == 1 {
			y.document(doc.Content[0])
		}
	}
}

// errReader keeps an error of reading apart from errors of syntax.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

type yamlReader struct {
	p    *parser
	left int // values still allowed
}

// syntax reports an error of the YAML library, whose only position is the line
// in its text.
func (y *yamlReader) syntax(err error) {
	line, detail := int32(1), strings.TrimPrefix(err.Error(), "yaml: ")
	if at, rest, ok := strings.Cut(strings.TrimPrefix(detail, "line "), ": "); ok {
		if n, err := strconv.ParseInt(at, 10, 32); err == nil {
			line, detail = int32(n), rest
		}
	}
	y.p.bad(cmdb.MistakeSyntax, max(line, 1), 1, "%s", detail)
}

func (y *yamlReader) document(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // an empty document
	}
	if n.Kind != yaml.MappingNode {
		v := y.value(n, 0)
		y.p.wrongType(&v, "document", "an object with cis and relations (or edges)")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		line, col := int32(name.Line), int32(name.Column)
		if seen[name.Value] {
			y.p.bad(cmdb.MistakeField, line, col, "field %q is given twice", name.Value)
		}
		seen[name.Value] = true
		switch name.Value {
		case "cis":
			y.elements("cis", v, y.p.ci)
		case "relations", "edges":
			y.elements(name.Value, v, y.p.relation)
		default:
			y.p.bad(cmdb.MistakeField, line, col, "field %q is unknown; want cis and relations (or edges)", name.Value)
		}
	}
}

func (y *yamlReader) elements(name string, n *yaml.Node, take func(*value)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		v := y.value(n, 0)
		y.p.wrongType(&v, name, "a list")
		return
	}
	for _, e := range n.Content {
		v := y.value(e, 0)
		take(&v)
	}
}

// value converts a node. What goes beyond the bounds is reported and null.
func (y *yamlReader) value(n *yaml.Node, depth int) value {
	v := value{line: int32(n.Line), col: int32(n.Column)}
	if y.left--; y.left == 0 || depth > maxYAMLDepth && y.left > 0 {
		y.left = 0
		y.p.bad(cmdb.MistakeSyntax, v.line, v.col, "nested deeper than %d levels or more than %d values; is an alias part of itself?",
			maxYAMLDepth, maxYAMLValues)
	}
	if y.left <= 0 {
		return v
	}
	switch n.Kind {
	case yaml.AliasNode:
		x := y.value(n.Alias, depth+1)
		x.line, x.col = v.line, v.col
		return x
	case yaml.SequenceNode:
		v.kind = list
		for _, e := range n.Content {
			v.list = append(v.list, y.value(e, depth+1))
		}
	case yaml.MappingNode:
		v.kind = object
		y.fields(&v, n, depth)
	case yaml.DocumentNode: // a document cannot stand within a document
	case yaml.ScalarNode:
		v.text = y.p.strings.id([]byte(n.Value))
		switch n.ShortTag() {
		case "!!null":
			v.text = ""
		case "!!bool":
			v.kind = boolean
		case "!!int", "!!float":
			v.kind = number
		default: // dates and the like are kept as they are written
			v.kind = text
		}
	}
	return v
}

func (y *yamlReader) fields(v *value, n *yaml.Node, depth int) {
	var merged []value
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, e := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			y.p.bad(cmdb.MistakeSyntax, int32(k.Line), int32(k.Column), "the name of a field must be text")
		case k.ShortTag() == "!!merge":
			merged = append(merged, y.value(e, depth+1))
		default:
			v.fields = append(v.fields, field{y.p.strings.id([]byte(k.Value)), int32(k.Line), int32(k.Column), y.value(e, depth+1)})
		}
	}
	for i := range merged {
		if merged[i].kind == list {
			merged = append(merged, merged[i].list...)
		}
	}
	if len(merged) == 0 {
		return
	}
	said := make(map[string]bool, len(v.fields))
	for i := range v.fields {
		said[v.fields[i].name] = true
	}
	for i := range merged {
		for _, f := range merged[i].fields {
			if !said[f.name] { // what the object itself, or an earlier one, says wins
				said[f.name] = true
				v.fields = append(v.fields, f)
			}
		}
	}
}
