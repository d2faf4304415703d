package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
	"go.yaml.in/yaml/v3"

	"tocsin/ingest"
)

// Spec is a mapping as configured. All fields but Name and TimeLayout are jq
// expressions; those left out set nothing.
type Spec struct {
	// Name is the end of the door's path, and the name of the source.
	Name string `yaml:"name"`
	// Each gives the parts of the message that are one event each; empty takes
	// the elements of a list, and else the whole. The other expressions see
	// one part as ".", and the whole message as "$message".
	Each string `yaml:"each"`
	// Kind gives alert, change or acknowledge; such a word alone is taken as
	// it is. Empty means alert.
	Kind string `yaml:"kind"`
	// Status gives firing or resolved; such a word alone is taken as it is.
	// Empty means firing. Only alerts have one.
	Status string `yaml:"status"`
	// LabelsFrom gives an object of labels; Labels go before it.
	Labels     map[string]string `yaml:"labels"`
	LabelsFrom string            `yaml:"labels_from"`
	// AnnotationsFrom gives an object of annotations; Annotations go before it.
	Annotations     map[string]string `yaml:"annotations"`
	AnnotationsFrom string            `yaml:"annotations_from"`
	// Severity gives the source's word, see [ingest.SourceOptions].
	Severity string `yaml:"severity"`
	// StartsAt and EndsAt give a time: RFC 3339, or seconds, milliseconds,
	// microseconds or nanoseconds since 1970, told apart by their size. 0 is
	// no time.
	StartsAt string `yaml:"starts_at"`
	EndsAt   string `yaml:"ends_at"`
	// TimeLayout is how other times are written, in Go's way; one without a
	// zone is UTC.
	TimeLayout   string `yaml:"time_layout"`
	GeneratorURL string `yaml:"generator_url"`
	// Actor gives who acted, for an acknowledgement.
	Actor string `yaml:"actor"`
	// Fingerprint gives the parts of the alert's identity, when that is not
	// all its labels: for a tool whose resolution comes with fewer of them.
	Fingerprint []string `yaml:"fingerprint"`
}

// Mapping is a Spec made ready. It is safe for concurrent use.
type Mapping struct {
	spec Spec
	each *gojq.Code

	kind, status, severity, startsAt, endsAt, generatorURL, actor, labelsFrom, annotationsFrom *expression

	labels, annotations []named
	fingerprint         []*expression
}

type named struct {
	name string
	*expression
}

// Name is the mapping's name.
func (m *Mapping) Name() string { return m.spec.Name }

// Mistake is one field of a mapping that is wrong.
type Mistake struct {
	Mapping, Field string
	Err            error
}

func (m *Mistake) Error() string {
	return fmt.Sprintf("mapping %q: %s: %v", m.Mapping, m.Field, m.Err)
}

func (m *Mistake) Unwrap() error { return m.Err }

var validName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const defaultEach = `if type == "array" then .[] else . end`

// Compile makes a mapping ready. The error joins a *[Mistake] for each field
// that is wrong, with the place in the expression as line:column.
func Compile(spec Spec) (*Mapping, error) {
	m := &Mapping{spec: spec}
	var mistakes []error
	mistake := func(field string, err error) {
		mistakes = append(mistakes, &Mistake{spec.Name, field, err})
	}
	if !validName.MatchString(spec.Name) {
		mistake("name", fmt.Errorf("%.80q: use up to 64 letters, digits, _ and -", spec.Name))
	}
	one := func(field, src string) *expression {
		if strings.TrimSpace(src) == "" {
			return nil
		}
		code, err := compile(src)
		if err != nil {
			mistake(field, err)
			return nil
		}
		return &expression{field: field, code: code}
	}
	if e := one("each", cmp.Or(spec.Each, defaultEach)); e != nil {
		m.each = e.code
	}
	m.kind = one("kind", literal(spec.Kind, string(ingest.KindAlert), string(ingest.KindChange), string(ingest.KindAcknowledge)))
	m.status = one("status", literal(spec.Status, string(ingest.Firing), string(ingest.Resolved)))
	m.labelsFrom = one("labels_from", spec.LabelsFrom)
	m.annotationsFrom = one("annotations_from", spec.AnnotationsFrom)
	m.severity = one("severity", spec.Severity)
	m.startsAt = one("starts_at", spec.StartsAt)
	m.endsAt = one("ends_at", spec.EndsAt)
	m.generatorURL = one("generator_url", spec.GeneratorURL)
	m.actor = one("actor", spec.Actor)
	all := func(field string, set map[string]string) (out []named) {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if name == "" {
				mistake(field, errors.New("a name is empty"))
			}
			e := one(field+"."+name, set[name])
			if e == nil && strings.TrimSpace(set[name]) == "" {
				mistake(field+"."+name, errors.New("empty: want a jq expression"))
			}
			out = append(out, named{name, e})
		}
		return out
	}
	m.labels, m.annotations = all("labels", spec.Labels), all("annotations", spec.Annotations)
	for i, src := range spec.Fingerprint {
		m.fingerprint = append(m.fingerprint, one(fmt.Sprintf("fingerprint[%d]", i), src))
	}
	if m.labels == nil && m.labelsFrom == nil {
		mistake("labels", errors.New("neither labels nor labels_from: an event needs at least one label"))
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return m, nil
}

// literal makes one of some words an expression that gives it; no function of
// jq has one of these names.
func literal(src string, words ...string) string {
	if slices.Contains(words, strings.TrimSpace(src)) {
		return `"` + strings.TrimSpace(src) + `"`
	}
	return src
}

func compile(src string) (*gojq.Code, error) {
	query, err := gojq.Parse(src)
	if err != nil {
		var parse *gojq.ParseError
		if errors.As(err, &parse) {
			return nil, fmt.Errorf("%s: %w in %q", position(src, parse.Offset-len(parse.Token)), err, src)
		}
		return nil, fmt.Errorf("%w in %q", err, src)
	}
	// No option opens the environment, inputs or modules, so there are none.
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$message"}))
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, src)
	}
	return code, nil
}

// position is an offset as line:column, from 1.
func position(src string, offset int) string {
	before := src[:max(0, min(offset, len(src)))]
	line := strings.Count(before, "\n")
	return fmt.Sprintf("%d:%d", line+1, len(before)-strings.LastIndexByte(before, '\n'))
}

// Parse reads a file of mappings, which has one key, mappings, with a list of
// Spec. Keys that are not known are errors; name is for errors.
func Parse(r io.Reader, name string) ([]Spec, error) {
	var file struct {
		Mappings []Spec `yaml:"mappings"`
	}
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: empty; want mappings: with a list", name)
		}
		return nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document; put all mappings into one list", name)
	}
	if len(file.Mappings) == 0 {
		return nil, fmt.Errorf("%s: no mappings; want mappings: with a list", name)
	}
	return file.Mappings, nil
}

// plain words the errors of the YAML decoder without our type's name.
func plain(err error) error {
	var mistakes *yaml.TypeError
	if !errors.As(err, &mistakes) {
		return err
	}
	var texts []string
	for _, text := range mistakes.Errors {
		text, _, _ = strings.Cut(text, " in type ")
		texts = append(texts, text)
	}
	return errors.New(strings.Join(texts, "; "))
}

// Set are mappings by their name.
type Set map[string]*Mapping

// NewSet compiles mappings; the error joins the mistakes of all of them.
func NewSet(specs []Spec) (Set, error) {
	set := Set{}
	var mistakes []error
	for _, spec := range specs {
		m, err := Compile(spec)
		switch {
		case err != nil:
			mistakes = append(mistakes, err)
		case set[spec.Name] != nil:
			mistakes = append(mistakes, &Mistake{spec.Name, "name", errors.New("stands twice")})
		default:
			set[spec.Name] = m
		}
	}
	return set, errors.Join(mistakes...)
}
