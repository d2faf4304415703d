package api

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"tocsin/cmdb"
)

// sourceAPI is the source of what people and scripts write one by one.
const sourceAPI = "api"

var errUnchanged = errors.New("unchanged")

func (s *Server) putCI(w http.ResponseWriter, r *http.Request) error {
	var c cmdb.CI
	if err := readBody(r, &c); err != nil {
		return err
	}
	id := r.PathValue("id")
	switch {
	case c.ID != "" && c.ID != id:
		return invalid("id", "%q is not the CI in the path, %q", c.ID, id)
	case c.State != "" && c.State != cmdb.StateLive:
		e := invalid("state", "%q: want live or nothing", c.State)
		e.Hint = "use DELETE to retire a CI"
		return e
	}
	c.ID, c.State, c.Source, c.At = id, "", sourceAPI, s.opt.Now()
	err := s.opt.Estate.ChangeEstate(r.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		old := now.Get(id)
		if err := ciMatches(r, old); err != nil {
			return cmdb.Change{}, err
		}
		c.Revision = now.Revision() + 1
		if old != nil {
			same := c
			same.Revision, same.At = old.Revision, old.At
			if reflect.DeepEqual(&same, old) {
				return cmdb.Change{}, errUnchanged
			}
		}
		return cmdb.Change{CIs: []cmdb.CI{c}}, nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("write ci %q: %w", id, err)
	}
	return s.getCI(w, r)
}

// ciMatches refuses to overwrite what the caller has not seen.
func ciMatches(r *http.Request, c *cmdb.CI) error {
	header := r.Header.Get("If-Match")
	switch {
	case header == "" || c != nil && matchesETag(header, c.Revision):
		return nil
	case c == nil:
		return &Error{Code: CodeConflict, Message: "there is no such CI any more", Hint: "leave the header If-Match out to make it anew"}
	default:
		return &Error{Code: CodeConflict, Message: "the CI has revision " + strconv.FormatInt(c.Revision, 10) + " by now",
			Hint: "read it again and decide anew", Revision: c.Revision}
	}
}

// retireCI retires a CI together with its relations: were they left, a CI of
// the same ID would get them back years later.
func (s *Server) retireCI(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var retired cmdb.CI
	err := s.opt.Estate.ChangeEstate(r.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		old, err := findCI(now, id)
		if err != nil {
			return cmdb.Change{}, err
		}
		if err := ciMatches(r, old); err != nil {
			return cmdb.Change{}, err
		}
		retired = *old
		retired.State, retired.Source, retired.Revision, retired.At = cmdb.StateRetired, sourceAPI, now.Revision()+1, s.opt.Now()
		change := cmdb.Change{CIs: []cmdb.CI{retired}}
		for rel := range now.AllRelations() {
			if rel.From == id || rel.To == id {
				rel.State, rel.Source, rel.Revision, rel.At = cmdb.StateRetired, sourceAPI, retired.Revision, retired.At
				change.Relations = append(change.Relations, rel)
			}
		}
		return change, nil
	})
	if err != nil {
		return fmt.Errorf("retire ci %q: %w", id, err)
	}
	s.write(w, r, http.StatusOK, retired)
	return nil
}

func (s *Server) putRelation(w http.ResponseWriter, r *http.Request) error {
	var rel cmdb.Relation
	if err := readBody(r, &rel); err != nil {
		return err
	}
	if rel.State != "" && rel.State != cmdb.StateLive {
		e := invalid("state", "%q: want live or nothing", rel.State)
		e.Hint = "use DELETE to retire a relation"
		return e
	}
	rel.State, rel.Source, rel.At = "", sourceAPI, s.opt.Now()
	err := s.opt.Estate.ChangeEstate(r.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		if old, ok := now.Relation(rel.From, rel.To, rel.Type); ok && old.Group == rel.Group && old.Need == rel.Need && old.Source == rel.Source {
			rel = old
			return cmdb.Change{}, errUnchanged
		}
		rel.Revision = now.Revision() + 1
		return cmdb.Change{Relations: []cmdb.Relation{rel}}, nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("write relation: %w", err)
	}
	s.write(w, r, http.StatusOK, rel)
	return nil
}

func (s *Server) retireRelation(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	for _, name := range []string{"from", "to", "type"} {
		if q.text(name) == "" {
			return invalid(name, "is missing")
		}
	}
	var rel cmdb.Relation
	err := s.opt.Estate.ChangeEstate(r.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		var ok bool
		if rel, ok = now.Relation(q.text("from"), q.text("to"), q.text("type")); !ok {
			return cmdb.Change{}, &Error{Code: CodeNotFound, Message: "there is no such relation"}
		}
		rel.State, rel.Source, rel.Revision, rel.At = cmdb.StateRetired, sourceAPI, now.Revision()+1, s.opt.Now()
		return cmdb.Change{Relations: []cmdb.Relation{rel}}, nil
	})
	if err != nil {
		return fmt.Errorf("retire relation: %w", err)
	}
	s.write(w, r, http.StatusOK, rel)
	return nil
}

// Import says what an import changed, or, as a dry run, would change.
type Import struct {
	Source  string    `json:"source"`
	DryRun  bool      `json:"dry_run"`
	Summary string    `json:"summary"`
	Diff    cmdb.Diff `json:"diff"`
}

func (s *Server) importEstate(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	out := Import{Source: q.text("source"), DryRun: q.bool("dry_run")}
	format := one(q, "format", parseOne("format", "yaml", "json", "csv"))
	name := q.text("name")
	switch {
	case q.err != nil:
		return q.err
	case format == "":
		return invalid("format", "is missing; want yaml, json or csv")
	case out.Source == "":
		return invalid("source", "is missing; name where this comes from, for the next import retires what is gone from the same source")
	case s.opt.ReadEstate == nil:
		return &Error{Code: CodeState, Message: "this server takes no imports"}
	}
	if name == "" {
		name = "import." + format
	}
	f, err := s.opt.ReadEstate(format, name, r.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	err = s.opt.Estate.ChangeEstate(r.Context(), func(now *cmdb.Snapshot) (cmdb.Change, error) {
		if err := f.check(now, out.Source); err != nil {
			return cmdb.Change{}, err
		}
		change, diff := cmdb.Reconcile(now, out.Source, f.CIs, f.Relations, s.opt.Now())
		out.Diff, out.Summary = diff, diff.String()
		if out.DryRun {
			if _, err := now.Apply(change); err != nil {
				return cmdb.Change{}, err
			}
			return cmdb.Change{}, errUnchanged
		}
		if diff.Empty() {
			return cmdb.Change{}, errUnchanged
		}
		return change, nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("import %s: %w", name, err)
	}
	s.write(w, r, http.StatusOK, out)
	return nil
}

// check finds what Apply would refuse as well, but tells positions in the file
// and not in the change made of it. Ends of relations may also be CIs that
// other sources brought.
func (f *EstateFile) check(now *cmdb.Snapshot, source string) error {
	cis := slices.Clone(f.CIs)
	listed := make(map[string]bool, len(cis))
	for i := range cis {
		listed[cis[i].ID] = true
	}
	for i := range f.Relations {
		for _, end := range []string{f.Relations[i].From, f.Relations[i].To} {
			if listed[end] {
				continue
			}
			if c := now.Get(end); c != nil && c.Source != source {
				listed[end] = true
				cis = append(cis, *c)
			}
		}
	}
	_, err := cmdb.NewAt(cis, slices.Clone(f.Relations), f.Positions)
	return err
}
