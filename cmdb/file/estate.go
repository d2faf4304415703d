package file

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/cmdb"
)

// Estate is what files hold: CIs and relations in the order of the files. CIs
// with the same attributes may share one map, so none may be modified in place.
type Estate struct {
	CIs       []cmdb.CI
	Relations []cmdb.Relation
	Positions Positions

	snap *cmdb.Snapshot
}

// Positions tells where CIs and relations were read, as file:line:column.
type Positions struct {
	names     []string
	cis       []place
	relations []place
}

type place struct {
	file      uint32
	line, col int32
}

// CI is the position of Estate.CIs[i].
func (p *Positions) CI(i int) string { return p.text(p.cis[i]) }

// Relation is the position of Estate.Relations[i].
func (p *Positions) Relation(i int) string { return p.text(p.relations[i]) }

// Positions are the positions in the terms of package cmdb.
func (p *Positions) Positions() cmdb.Positions {
	return cmdb.Positions{CI: p.CI, Relation: p.Relation}
}

func (p *Positions) text(at place) string {
	return fmt.Sprintf("%s:%d:%d", p.names[at.file], at.line, at.col)
}

// Warning is something that may be meant, but is worth a look.
type Warning struct {
	Kind     WarningKind `json:"kind"`
	Position string      `json:"position"`
	Detail   string      `json:"detail"`
}

func (w Warning) String() string { return w.Position + ": " + w.Detail }

// WarningKind says what a warning is about.
type WarningKind string

// What is worth a look.
const (
	// WarningCycle: CIs need each other in a circle.
	WarningCycle WarningKind = "cycle"
	// WarningGroup: more of a redundancy group must fail than it has targets.
	WarningGroup WarningKind = "group"
	// WarningSharedKey: several CIs have one key, which makes bindings by it
	// ambiguous.
	WarningSharedKey WarningKind = "shared_key"
)

// Format is a file format.
type Format string

// The formats.
const (
	YAML Format = "yaml"
	JSON Format = "json"
	CSV  Format = "csv"
)

// FormatOf tells the format from the extension of a file name.
func FormatOf(name string) (Format, error) {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".yaml", ".yml":
		return YAML, nil
	case ".json":
		return JSON, nil
	case ".csv":
		return CSV, nil
	default:
		return "", fmt.Errorf("%s: extension %q: want .yaml, .yml, .json or .csv", name, ext)
	}
}

// Load reads files as one estate and checks it whole: relations may lead from
// one file to another. The error joins all mistakes of all files, each a
// *[cmdb.Mistake], and what could not be read.
func Load(paths ...string) (Estate, []Warning, error) {
	p := newParser()
	var errs []error
	for _, path := range paths {
		if err := p.load(path); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(append(errs, p.mistakes.Err())...); err != nil {
		return Estate{}, nil, err
	}
	e := p.estate()
	// The snapshot comes first, since building it needs memory of its own.
	if err := e.build(p.relations.list.n, p.relations.all()); err != nil {
		return Estate{}, nil, err
	}
	e.Relations = p.relations.flatten()
	warnings, err := e.Check()
	if err != nil {
		return Estate{}, nil, err
	}
	return e, warnings, nil
}

func (p *parser) load(path string) error {
	format, err := FormatOf(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.parse(f, path, format)
}

// Parse reads one input of a format; name stands for it in positions. It checks
// each CI and relation in itself; whether they fit together, and into an estate
// that is already there, [Estate.Check] or [cmdb.Snapshot.Apply] says. The error
// joins all mistakes, each a *[cmdb.Mistake], or is one of reading.
func Parse(r io.Reader, name string, format Format) (Estate, error) {
	p := newParser()
	if err := errors.Join(p.parse(r, name, format), p.mistakes.Err()); err != nil {
		return Estate{}, err
	}
	e := p.estate()
	e.Relations = p.relations.flatten()
	return e, nil
}

// ParseYAML is [Parse] for YAML.
func ParseYAML(r io.Reader, name string) (Estate, error) { return Parse(r, name, YAML) }

// ParseJSON is [Parse] for JSON.
func ParseJSON(r io.Reader, name string) (Estate, error) { return Parse(r, name, JSON) }

// ParseCSV is [Parse] for CSV.
func ParseCSV(r io.Reader, name string) (Estate, error) { return Parse(r, name, CSV) }

// parse reads one input. Mistakes in it are collected; the error is one of
// reading.
func (p *parser) parse(r io.Reader, name string, format Format) error {
	p.names = append(p.names, name)
	br := bufio.NewReaderSize(r, 64<<10)
	if b, err := br.Peek(3); err == nil && string(b) == "\ufeff" {
		if _, err := br.Discard(3); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	var err error
	switch format {
	case YAML:
		err = p.yaml(br)
	case JSON:
		err = p.json(br)
	case CSV:
		err = p.csv(br)
	default:
		return fmt.Errorf("%s: format %q: want %s, %s or %s", name, format, YAML, JSON, CSV)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Snapshot builds the estate's snapshot, once. The error joins mistakes with
// the positions in the files. Do not modify CIs afterwards.
func (e *Estate) Snapshot() (*cmdb.Snapshot, error) {
	if e.snap != nil {
		return e.snap, nil
	}
	if err := e.build(len(e.Relations), slices.Values(e.Relations)); err != nil {
		return nil, err
	}
	return e.snap, nil
}

func (e *Estate) build(n int, relations iter.Seq[cmdb.Relation]) error {
	s, err := cmdb.NewFrom(e.CIs, n, relations, e.Positions.Positions())
	if err != nil {
		return err
	}
	e.snap = s
	return nil
}
