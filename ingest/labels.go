package ingest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Label is one name and value, both kept exactly as they were sent.
type Label struct {
	Name, Value string
}

// Labels is a set of labels, sorted by name, each name once. The zero value is
// the empty set. In JSON it is an object.
type Labels []Label

// NewLabels makes a set from a map. Labels with an empty value are left out:
// to Prometheus and Alertmanager they are the same as an absent label.
func NewLabels(m map[string]string) Labels {
	ls := make(Labels, 0, len(m))
	for k, v := range m {
		if v != "" {
			ls = append(ls, Label{k, v})
		}
	}
	return SortLabels(ls)
}

// LabelsOf makes a set from name, value, name, value… The last value of a
// repeated name wins; a trailing name without a value is ignored.
func LabelsOf(pairs ...string) Labels {
	ls := make(Labels, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		ls = ls.Set(pairs[i], pairs[i+1])
	}
	return ls
}

func (ls Labels) find(name string) (int, bool) {
	return slices.BinarySearchFunc(ls, name, func(l Label, n string) int { return strings.Compare(l.Name, n) })
}

// Get returns the value of a label, or "" when it is absent.
func (ls Labels) Get(name string) string {
	if i, ok := ls.find(name); ok {
		return ls[i].Value
	}
	return ""
}

// Set returns the set with one label added, replaced, or, for an empty value,
// removed. It may reuse the receiver's memory, like append.
func (ls Labels) Set(name, value string) Labels {
	i, ok := ls.find(name)
	switch {
	case ok && value == "":
		return slices.Delete(ls, i, i+1)
	case ok:
		ls[i].Value = value
		return ls
	case value == "":
		return ls
	default:
		return slices.Insert(ls, i, Label{name, value})
	}
}

// Without returns a set without the given names. The receiver is unchanged,
// and is returned as it is when it holds none of them.
func (ls Labels) Without(names []string) Labels {
	if !slices.ContainsFunc(names, func(n string) bool { _, ok := ls.find(n); return ok }) {
		return ls
	}
	out := make(Labels, 0, len(ls))
	for _, l := range ls {
		if !slices.Contains(names, l.Name) {
			out = append(out, l)
		}
	}
	return out
}

// Map returns the set as a new map.
func (ls Labels) Map() map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

// String writes the set as Prometheus does: {a="x", b="y"}.
func (ls Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%q", l.Name, l.Value)
	}
	b.WriteByte('}')
	return b.String()
}

// MarshalJSONTo writes the set as an object, names in order.
func (ls Labels) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, l := range ls {
		if err := enc.WriteToken(jsontext.String(l.Name)); err != nil {
			return err
		}
		if err := enc.WriteToken(jsontext.String(l.Value)); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// MarshalJSON is [Labels.MarshalJSONTo] for encoding/json.
func (ls Labels) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	enc := jsontext.NewEncoder(&b, jsontext.AllowInvalidUTF8(true))
	if err := ls.MarshalJSONTo(enc); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// ErrLabelValue is returned for a label whose value is not a JSON string.
var ErrLabelValue = errors.New("label values are strings")

// UnmarshalJSONFrom reads an object of strings; null is the empty set. Labels
// with an empty value are left out. Any other value is an error naming the
// label, because guessing a text for it would change the alert's identity.
func (ls *Labels) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() == 'n' {
		*ls = nil
		return nil
	}
	if tok.Kind() != '{' {
		return fmt.Errorf("labels: got %s, want an object of strings", tok.Kind())
	}
	out := (*ls)[:0]
	inOrder := true
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		n := name.String()
		value, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if value.Kind() != '"' {
			return fmt.Errorf("label %q: got %s: %w", n, value.Kind(), ErrLabelValue)
		}
		v := value.String()
		if v == "" {
			continue
		}
		if len(out) > 0 && out[len(out)-1].Name >= n {
			inOrder = false
		}
		out = append(out, Label{n, v})
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if !inOrder {
		out = SortLabels(out)
	}
	*ls = out
	return nil
}

// SortLabels makes a set of labels in any order, in place. Of labels with one
// name the last wins.
func SortLabels(ls []Label) Labels {
	slices.SortStableFunc(ls, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	n := 0
	for i := range ls {
		if i+1 < len(ls) && ls[i+1].Name == ls[i].Name {
			continue
		}
		ls[n] = ls[i]
		n++
	}
	return ls[:n]
}

// UnmarshalJSON is [Labels.UnmarshalJSONFrom] for encoding/json.
func (ls *Labels) UnmarshalJSON(b []byte) error {
	return ls.UnmarshalJSONFrom(jsontext.NewDecoder(strings.NewReader(string(b))))
}

// Fingerprint is a stable hash of identifying labels: 64-bit FNV-1a over the
// sorted names and values, each followed by the byte 0xff, which is how
// Prometheus and Alertmanager compute theirs (prometheus/common, package
// model, LabelSet.Fingerprint). An alert that carries no replica label has
// therefore the same fingerprint here and there. Written as 16 hex digits.
type Fingerprint uint64

// FingerprintOf hashes a label set.
func FingerprintOf(ls Labels) Fingerprint {
	h := noLabels
	for i := range ls {
		h = h.with(&ls[i])
	}
	return h
}

// noLabels is the fingerprint of the empty set: the offset basis of FNV-1a.
const noLabels Fingerprint = 14695981039346656037

// with is the fingerprint of a set with one more label behind the others.
func (f Fingerprint) with(l *Label) Fingerprint {
	const prime, separator = 1099511628211, 0xff
	h := uint64(f)
	for i := range len(l.Name) {
		h = (h ^ uint64(l.Name[i])) * prime
	}
	h = (h ^ separator) * prime
	for i := range len(l.Value) {
		h = (h ^ uint64(l.Value[i])) * prime
	}
	return Fingerprint((h ^ separator) * prime)
}

// ParseFingerprint reads 16 hex digits.
func ParseFingerprint(s string) (Fingerprint, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("fingerprint %q: want 16 hex digits", s)
	}
	return Fingerprint(binary.BigEndian.Uint64(b)), nil
}

func (f Fingerprint) String() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(f))
	return hex.EncodeToString(b[:])
}

// MarshalText writes 16 hex digits.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads 16 hex digits.
func (f *Fingerprint) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFingerprint(string(b))
	return err
}
