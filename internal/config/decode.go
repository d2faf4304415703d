package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"tocsin/correlate"
)

// maxNodes bounds how much a file may hold once its aliases are followed: ten
// lines of aliases to aliases are a billion values.
const maxNodes = 50_000

// decoder puts a tree of YAML over a struct that holds the defaults.
type decoder struct {
	*mistakes
	nodes int
}

// decode puts n over v. key is the path of v.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, key string) {
	if d.nodes++; d.nodes > maxNodes {
		return // reported by parse
	}
	if n.Kind == yaml.AliasNode {
		// An alias to itself ends too: the types nest only so deep.
		d.decode(n.Alias, v, key)
		return
	}
	if _, ok := d.at[key]; !ok {
		d.at[key] = at(n)
	}
	if isNull(n) {
		return // "limits:" with all its keys commented out means the defaults
	}
	if v.Kind() == reflect.Pointer { // a value that may be absent
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, v.Elem(), key)
		return
	}
	if v.Kind() == reflect.Pointer {
		x := d.element(v.Type().Elem())
		d.nodes-- // the same value again
		d.decode(n, x, key)
		v.Set(x.Addr())
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, u, key)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, key)
	case reflect.Map:
		d.entries(n, v, key)
	case reflect.Slice, reflect.Array:
		d.elements(n, v, key)
	case reflect.String:
		if d.scalar(n, key, "text") {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		d.plain(n, v, key, "true or false")
	default:
		d.plain(n, v, key, "a whole number")
	}
}

// wrong reports a value that cannot be decoded.
func (d *decoder) wrong(n *yaml.Node, key, format string, args ...any) {
	d.unread[key] = true
	d.add(at(n), key, format, args...)
}

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// scalar reports a list or mapping that stands where one value should.
func (d *decoder) scalar(n *yaml.Node, key, want string) bool {
	if n.Kind != yaml.ScalarNode {
		d.wrong(n, key, "%s: want %s", kindName(n), want)
	}
	return n.Kind == yaml.ScalarNode
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// text decodes what has its own way to read text.
func (d *decoder) text(n *yaml.Node, u encoding.TextUnmarshaler, key string) {
	switch u := u.(type) {
	case *correlate.Duration:
		// Days and weeks are understood everywhere or nowhere.
		d.text(n, (*Duration)(u), key)
		return
	case *Duration:
		if d.scalar(n, key, "a duration, such as 10s or 5m") {
			if n.Value == "0" {
				*u = 0
				return
			}
			if err := u.UnmarshalText([]byte(n.Value)); err != nil {
				d.wrong(n, key, "%v", err)
			}
		}
		return
	}
	if d.scalar(n, key, "text") {
		if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			d.wrong(n, key, "%v", err)
		}
	}
}

// plain decodes a number or a truth value by the rules of YAML.
func (d *decoder) plain(n *yaml.Node, v reflect.Value, key, want string) {
	if !d.scalar(n, key, want) {
		return
	}
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!bool" {
		d.wrong(n, key, "%q: want %s", n.Value, want)
		return
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		d.wrong(n, key, "%q: want %s", n.Value, want)
	}
}

// fields decodes a mapping whose keys are known.
func (d *decoder) fields(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, key, "%s: want a mapping with the keys %s", kindName(n), strings.Join(keysOf(v.Type()), ", "))
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		if !d.key(k, key, seen) {
			continue
		}
		if f, ok := field(v, k.Value); ok {
			d.decode(val, f, join(key, k.Value))
		} else {
			d.add(at(k), join(key, k.Value), "%s", unknownKey(k.Value, keysOf(v.Type())))
		}
	}
}

// key checks a mapping's key, and that it stands there once.
func (d *decoder) key(k *yaml.Node, parent string, seen map[string]*yaml.Node) bool {
	switch first := seen[k.Value]; {
	case k.Kind != yaml.ScalarNode:
		d.add(at(k), parent, "%s as a key: want a name", kindName(k))
		return false
	case k.ShortTag() == "!!merge":
		d.add(at(k), join(parent, k.Value), "merge keys are not supported; write the keys out, or use an alias for the whole value")
		return false
	case first != nil:
		d.add(at(k), join(parent, k.Value), "stands here for the second time, first in line %d; keep one", first.Line)
		return false
	}
	seen[k.Value] = k
	return true
}

// entries decodes a mapping with free keys over what the map has already.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, key, "%s: want a mapping of names to values", kindName(n))
		return
	}
	// The defaults' map is not ours to write to.
	m := reflect.MakeMap(v.Type())
	for it := v.MapRange(); it.Next(); {
		m.SetMapIndex(it.Key(), it.Value())
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		if !d.key(k, key, seen) {
			continue
		}
		x := d.element(v.Type().Elem())
		d.decode(val, x, join(key, k.Value))
		m.SetMapIndex(reflect.ValueOf(k.Value).Convert(v.Type().Key()), x)
	}
	v.Set(m)
}

// elements decodes a list, which replaces that of the defaults.
func (d *decoder) elements(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, key, "%s: want a list", kindName(n))
		return
	}
	if v.Kind() == reflect.Array {
		if len(n.Content) != v.Len() {
			d.wrong(n, key, "has %d elements: want %d", len(n.Content), v.Len())
			return
		}
	} else {
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	}
	for i, c := range n.Content {
		x := d.element(v.Type().Elem())
		path := fmt.Sprintf("%s[%d]", key, i)
		if isNull(c) {
			d.at[path] = at(c)
			d.wrong(c, path, "is empty; write a value or remove the line")
		}
		d.decode(c, x, path)
		v.Index(i).Set(x)
	}
}

// element makes a new element with its defaults.
func (d *decoder) element(t reflect.Type) reflect.Value {
	x := reflect.New(t)
	setDefaults(x.Interface())
	return x.Elem()
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
