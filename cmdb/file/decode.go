package file

import (
	"hash/maphash"
	"slices"
	"strconv"

	"tocsin/cmdb"
)

// parser collects what several inputs hold.
type parser struct {
	names     []string // of the inputs; the last is the one being read
	cis       chunks[cmdb.CI]
	relations relations
	ciAt      []place
	relAt     []place
	mistakes  cmdb.Mistakes
	strings   interner
	shared    sharer
}

func newParser() *parser {
	return &parser{strings: newInterner(), shared: sharer{hash: maphash.MakeSeed()}}
}

// estate ends the parsing; what only parsing needs is let go.
func (p *parser) estate() Estate {
	p.relations.texts = p.strings.texts
	p.strings = interner{}
	return Estate{CIs: p.cis.flatten(), Positions: Positions{names: p.names, cis: p.ciAt, relations: p.relAt}}
}

func (p *parser) place(line, col int32) place {
	return place{uint32(len(p.names) - 1), line, col}
}

func (p *parser) bad(kind cmdb.MistakeKind, line, col int32, format string, args ...any) {
	pos := Positions{names: p.names}
	p.mistakes.Add(kind, pos.text(p.place(line, col)), format, args...)
}

func (p *parser) wrongType(v *value, name, want string) {
	p.bad(cmdb.MistakeType, v.line, v.col, "%s: want %s, got %s", name, want, v.describe())
}

// ci decodes one CI; a CI with mistakes is kept, so that relations to it are
// not reported too.
func (p *parser) ci(v *value) {
	if v.kind != object {
		p.wrongType(v, "ci", "an object with id and class")
		return
	}
	var c cmdb.CI
	var plain, keyed bool
	for i := range v.fields {
		f := &v.fields[i]
		if p.repeated(v, i) {
			continue
		}
		switch f.name {
		case "id":
			c.ID = p.text(f)
		case "class":
			c.Class = p.text(f)
		case "type":
			plain = true
			c.Class = p.text(f)
		case "name":
			c.Name = p.text(f)
		case "owner":
			c.Owner = p.text(f)
		case "environment":
			c.Environment = p.text(f)
		case "criticality":
			c.Criticality = cmdb.Criticality(p.text(f))
			if !c.Criticality.Valid() {
				p.bad(cmdb.MistakeValue, f.value.line, f.value.col, "criticality %q: want %v", c.Criticality, cmdb.Criticalities())
			}
		case "keys":
			keyed = true
			c.Keys = p.keys(&f.value)
		case "attributes":
			c.Attributes = p.attributes(&f.value)
		default:
			p.bad(cmdb.MistakeField, f.line, f.col,
				"field %q of a CI is unknown; want id, class (or type), name, keys, attributes, owner, environment or criticality", f.name)
		}
	}
	if plain && has(v, "class") {
		p.bad(cmdb.MistakeField, v.line, v.col, "both class and type are given; type is another name for class")
	}
	p.require(v, "id", "ci", c.ID)
	if !plain {
		p.require(v, "class", "ci "+strconv.Quote(c.ID), c.Class)
	} else {
		p.require(v, "type", "ci "+strconv.Quote(c.ID), c.Class)
	}
	if plain && !keyed {
		c.Keys = plainKeys(c.Attributes)
	}
	p.addCI(c, v.line, v.col)
}

// plainIdentities are the attributes that identify a CI of the plain form,
// which has no keys.
var plainIdentities = []string{"name", "fqdn", "hostname", "host", "ip", "mac", "serial", "cloud_id"}

func plainKeys(attributes map[string]string) map[string][]string {
	var keys map[string][]string
	for _, k := range plainIdentities {
		if v := attributes[k]; v != "" {
			if keys == nil {
				keys = map[string][]string{}
			}
			keys[k] = []string{v}
		}
	}
	return keys
}

func (p *parser) addCI(c cmdb.CI, line, col int32) {
	p.cis.add(c)
	p.ciAt = append(p.ciAt, p.place(line, col))
}

func (p *parser) relation(v *value) {
	if v.kind != object {
		p.wrongType(v, "relation", "an object with from, to and type")
		return
	}
	var r cmdb.Relation
	for i := range v.fields {
		f := &v.fields[i]
		if p.repeated(v, i) {
			continue
		}
		switch f.name {
		case "from":
			r.From = p.text(f)
		case "to":
			r.To = p.text(f)
		case "type":
			r.Type = p.text(f)
		case "group":
			r.Group = p.text(f)
		case "need":
			if f.value.kind == null {
				continue
			}
			n, err := strconv.ParseInt(f.value.text, 10, 32)
			if f.value.kind != number || err != nil {
				p.wrongType(&f.value, "need", "a whole number")
			}
			r.Need = int(n)
		default:
			p.bad(cmdb.MistakeField, f.line, f.col, "field %q of a relation is unknown; want from, to, type, group or need", f.name)
		}
	}
	p.require(v, "from", "relation", r.From)
	p.require(v, "to", "relation", r.To)
	p.require(v, "type", "relation", r.Type)
	p.addRelation(r, v.line, v.col)
}

func (p *parser) addRelation(r cmdb.Relation, line, col int32) {
	p.relations.add(r, &p.strings)
	p.relAt = append(p.relAt, p.place(line, col))
}

// require reports an absent or empty field, but not one whose value was
// reported already because of its type.
func (p *parser) require(v *value, name, of, got string) {
	if got != "" {
		return
	}
	for i := range v.fields {
		if f := &v.fields[i]; f.name == name && f.value.kind != text && f.value.kind != null {
			return
		}
	}
	p.bad(cmdb.MistakeMissing, v.line, v.col, "%s of %s is missing", name, of)
}

func has(v *value, name string) bool {
	return slices.ContainsFunc(v.fields, func(f field) bool { return f.name == name })
}

// repeated reports a field that stands twice; the first counts.
func (p *parser) repeated(v *value, i int) bool {
	// Comparing each with each must not be what an object of a million fields
	// costs. Among this many one is unknown or repeated, hence reported.
	if i > 64 {
		return false
	}
	for k := range i {
		if v.fields[k].name == v.fields[i].name {
			p.bad(cmdb.MistakeField, v.fields[i].line, v.fields[i].col, "field %q is given twice", v.fields[i].name)
			return true
		}
	}
	return false
}

func (p *parser) text(f *field) string {
	switch f.value.kind {
	case text:
		return f.value.text
	case null:
	case number, boolean:
		p.wrongType(&f.value, f.name, "text (put it in quotes)")
	default:
		p.wrongType(&f.value, f.name, "text")
	}
	return ""
}

func (p *parser) keys(v *value) map[string][]string {
	if v.kind == null {
		return nil
	}
	if v.kind != object {
		p.wrongType(v, "keys", "an object such as {fqdn: web-1.example.com}")
		return nil
	}
	out := make(map[string][]string, len(v.fields))
	for i := range v.fields {
		f := &v.fields[i]
		if _, ok := out[f.name]; ok {
			p.bad(cmdb.MistakeField, f.line, f.col, "key %q is given twice; give several values as a list", f.name)
			continue
		}
		if f.name == "" {
			p.bad(cmdb.MistakeValue, f.line, f.col, "a key has no name; want one such as fqdn")
			continue
		}
		values := f.value.list
		if f.value.kind != list {
			values = []value{f.value}
		}
		if len(values) > cmdb.MaxKeyValues {
			p.bad(cmdb.MistakeValue, f.line, f.col, "key %q has %d values; at most %d are possible", f.name, len(values), cmdb.MaxKeyValues)
			continue
		}
		all := make([]string, 0, len(values))
		for k := range values {
			switch x := &values[k]; x.kind {
			case text, number, boolean:
				if x.text != "" && !slices.Contains(all, x.text) {
					all = append(all, x.text)
				}
			case null:
			default:
				p.wrongType(x, "keys."+f.name, "text or a list of texts")
			}
		}
		if len(all) > 0 {
			out[f.name] = all
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (p *parser) attributes(v *value) map[string]string {
	if v.kind == null || v.kind == object && len(v.fields) == 0 {
		return nil
	}
	if v.kind != object {
		p.wrongType(v, "attributes", "an object")
		return nil
	}
	out := make(map[string]string, len(v.fields))
	p.flatten(out, "", v)
	if len(out) == 0 {
		return nil
	}
	return p.shared.share(out)
}

func (p *parser) flatten(out map[string]string, prefix string, v *value) {
	for i := range v.fields {
		f := &v.fields[i]
		name := prefix + f.name
		if f.value.kind == null {
			continue
		}
		if f.value.kind == object {
			p.flatten(out, name+".", &f.value)
			continue
		}
		if _, ok := out[name]; ok {
			p.bad(cmdb.MistakeField, f.line, f.col, "attribute %q is given twice", name)
			continue
		}
		if f.value.kind == list {
			out[name] = f.value.json()
		} else {
			out[name] = f.value.text
		}
	}
}
