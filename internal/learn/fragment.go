package learn

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"tocsin/correlate"
)

// Fragment writes a configuration's section correlation in YAML: all of it that
// is not as it is by default, so that it can take the place of another one.
// Each line of the comment stands before it.
func Fragment(cfg *correlate.Config, comment string) ([]byte, error) {
	usual := correlate.DefaultConfig()
	var now, then yaml.Node
	if err := now.Encode(cfg); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if err := then.Encode(&usual); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	section := changed(&now, &then)
	if section == nil { // it is the default again
		section = &yaml.Node{Kind: yaml.MappingNode}
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "correlation"}, section}}
	var b bytes.Buffer
	for line := range strings.Lines(strings.TrimSpace(comment)) {
		b.WriteString(strings.TrimRight("# "+line, " \n") + "\n")
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// changed is what of a tree of YAML is not in another; nil when all is.
func changed(now, then *yaml.Node) *yaml.Node {
	if now.Kind != yaml.MappingNode || then.Kind != yaml.MappingNode {
		if same(now, then) {
			return nil
		}
		// A list replaces that of the defaults, so what its elements do not say
		// need not be written.
		return pruned(now)
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: now.Tag}
	for i := 0; i+1 < len(now.Content); i += 2 {
		key, v := now.Content[i], now.Content[i+1]
		if old := lookUp(then, key.Value); old != nil {
			v = changed(v, old)
		}
		if v != nil {
			out.Content = append(out.Content, key, v)
		}
	}
	if len(out.Content) == 0 {
		return nil
	}
	return out
}

func lookUp(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// pruned leaves out of mappings in a list what is zero, which is what they say
// without it.
func pruned(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			out.Content = append(out.Content, pruned(c))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i], n.Content[i+1]
			if key.Value == "match" && v.Kind == yaml.MappingNode { // labels, of which "0" is a value
				out.Content = append(out.Content, key, v)
			} else if v = pruned(v); !zero(v) {
				out.Content = append(out.Content, key, v)
			}
		}
	default: // a single value
	}
	return &out
}

func zero(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return len(n.Content) == 0
	}
	switch n.Value {
	case "", "0", "0s", "false", "null", "~":
		return true
	default:
		return false
	}
}
