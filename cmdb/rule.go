package cmdb

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Rule says how to find a CI by labels. In YAML:
//
//   - labels: [namespace, pod]   # all must be present; joined: "shop/api-0"
//     join: "/"                  # between the values; "/" when left out
//     pattern: "(.+)-[0-9]+"     # optional; the whole joined value must match
//     replace: "$1"              # optional; $1, or the whole value without groups
//     transform: [lower]         # optional, in this order
//     keys: [id, name, pod]      # where to look, first hit wins; "*" is any kind
//     classes: [pod]             # optional; only CIs of these classes
type Rule struct {
	// Name appears in [Binding.By]; empty means the labels joined by "+".
	Name   string   `yaml:"name,omitempty" json:"name,omitempty"`
	Labels []string `yaml:"labels" json:"labels"`
	// Join stands between the values of several labels; empty means "/".
	Join      string      `yaml:"join,omitempty" json:"join,omitempty"`
	Pattern   string      `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	Replace   string      `yaml:"replace,omitempty" json:"replace,omitempty"`
	Transform []Transform `yaml:"transform,omitempty" json:"transform,omitempty"`
	// Keys are where the value is looked up, one after the other until one
	// finds a CI: "id", "name", a kind of key such as fqdn, or "*" for every
	// kind at once. Empty means id, name, *.
	Keys    []string `yaml:"keys,omitempty" json:"keys,omitempty"`
	Classes []string `yaml:"classes,omitempty" json:"classes,omitempty"`
}

// Transform changes a value before it is looked up.
type Transform string

// The transforms.
const (
	// StripPort cuts a port: "web-1:9100" → "web-1", "[::1]:9100" → "::1". A
	// bare IPv6 address has no port.
	StripPort Transform = "strip_port"
	// URLHost keeps the host and port of a URL and leaves other values alone:
	// "https://shop.example.com/health" → "shop.example.com".
	URLHost Transform = "url_host"
	// ShortName cuts the domain: "web-1.example.com" → "web-1". IP addresses
	// stay.
	ShortName Transform = "short_name"
	// Lower makes letters lower case.
	Lower Transform = "lower"
)

// Transforms are all transforms.
var Transforms = []Transform{StripPort, URLHost, ShortName, Lower}

// Where a rule may look besides the kinds of keys.
const (
	KeyID   = "id"
	KeyName = "name"
	KeyAny  = "*"
)

// DefaultRules are the rules used when none are configured.
func DefaultRules() []Rule {
	return []Rule{
		{Labels: []string{"ci"}},
		{Labels: []string{"instance"}, Transform: []Transform{URLHost, StripPort}},
		{Labels: []string{"host"}},
		{Labels: []string{"hostname"}},
		{Labels: []string{"node"}},
		{Labels: []string{"namespace", "pod"}},
		{Labels: []string{"service"}, Classes: []string{ClassService}},
		{Labels: []string{"service"}},
		{Labels: []string{"device"}},
	}
}

// rule is a Rule made ready.
type rule struct {
	Rule
	by      string // what stands before the value in By and Tried: "host="
	pattern *regexp.Regexp
}

func (r Rule) compile() (rule, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c := rule{Rule: r, by: r.Name}
	if c.by == "" {
		c.by = strings.Join(r.Labels, "+")
	}
	c.by += "="
	if len(r.Labels) == 0 || slices.Contains(r.Labels, "") {
		bad("labels %q: name at least one label, none of them empty", r.Labels)
	}
	if c.Join == "" {
		c.Join = "/"
	}
	for _, t := range r.Transform {
		if !slices.Contains(Transforms, t) {
			bad("transform %q: want one of %v", t, Transforms)
		}
	}
	if slices.Contains(r.Keys, "") {
		bad("keys %q: a key is empty; want id, name, * or a kind of key", r.Keys)
	}
	if len(r.Keys) == 0 {
		c.Keys = []string{KeyID, KeyName, KeyAny}
	}
	switch {
	case r.Pattern != "":
		// (?s:…) as in Prometheus: a dot matches a line break too.
		p, err := regexp.Compile("^(?s:" + r.Pattern + ")$")
		if err != nil {
			bad("pattern %q: %w", r.Pattern, err)
			break
		}
		c.pattern = p
		if c.Replace == "" {
			c.Replace = "$0"
			if p.NumSubexp() > 0 {
				c.Replace = "$1"
			}
		}
	case r.Replace != "":
		bad("replace %q needs a pattern", r.Replace)
	}
	return c, errors.Join(errs...)
}

// value is what the rule looks up; "" when a label is missing or the pattern
// does not match.
func (r *rule) value(get func(string) string) string {
	v := get(r.Labels[0])
	if v == "" {
		return ""
	}
	if len(r.Labels) > 1 {
		var b strings.Builder
		b.WriteString(v)
		for _, l := range r.Labels[1:] {
			w := get(l)
			if w == "" {
				return ""
			}
			b.WriteString(r.Join)
			b.WriteString(w)
		}
		v = b.String()
	}
	if r.pattern != nil {
		at := r.pattern.FindStringSubmatchIndex(v)
		if at == nil {
			return ""
		}
		v = string(r.pattern.ExpandString(nil, r.Replace, v, at))
	}
	for _, t := range r.Transform {
		v = t.apply(v)
	}
	return v
}

func (t Transform) apply(v string) string {
	switch t {
	case StripPort:
		return stripPort(v)
	case URLHost:
		return urlHost(v)
	case ShortName:
		return shortName(v)
	case Lower:
		return strings.ToLower(v)
	default: // refused by compile
		return v
	}
}

func stripPort(v string) string {
	if strings.HasPrefix(v, "[") {
		if end := strings.IndexByte(v, ']'); end > 0 && (end+1 == len(v) || v[end+1] == ':' && isPort(v[end+2:])) {
			return v[1:end]
		}
		return v
	}
	host, port, ok := strings.Cut(v, ":")
	if !ok || !isPort(port) { // a second colon is no port: a bare IPv6 address
		return v
	}
	return host
}

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func urlHost(v string) string {
	_, rest, ok := strings.Cut(v, "://")
	if !ok {
		return v
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

func shortName(v string) string {
	host, _, ok := strings.Cut(v, ".")
	if !ok || host == "" || isIP(v) {
		return v
	}
	return host
}
