package replay

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"tocsin/internal/quality"
)

// Records are a result in the neutral form, see package quality.
type Records struct {
	Predicted []quality.Prediction
	Causes    []quality.Causes
	Changes   []quality.ChangeLink
	Problems  []quality.Recurrence
}

// Records tells the result under the names that the source and a given
// grouping have for things.
func (r *Result) Records() *Records {
	o := r.Outcome
	rec := &Records{}
	r.eachAlert(func(id string, episode int32) {
		p := quality.Prediction{AlertID: id}
		if at := o.final(o.episodes[episode].incident); at != nowhere {
			p.IncidentID = o.incidents[at].name()
		}
		rec.Predicted = append(rec.Predicted, p)
	})
	incidents := r.spokesmen()
	known := slices.ContainsFunc(incidents, func(inc *Incident) bool { return inc.Signature != "" })
	for _, inc := range incidents {
		causes := quality.Causes{IncidentID: inc.name()}
		for _, c := range inc.Causes {
			causes.Causes = append(causes.Causes, quality.Cause{Kind: c.Kind, ID: c.ID, Score: share(c.Score)})
		}
		rec.Causes = append(rec.Causes, causes)
		if c := inc.Change; c.ID != "" {
			rec.Changes = append(rec.Changes, quality.ChangeLink{IncidentID: inc.name(), ChangeID: c.ID, Score: share(c.Score)})
		}
		if known {
			rec.Problems = append(rec.Problems, quality.Recurrence{IncidentID: inc.name(), Signature: inc.Signature})
		}
	}
	return rec
}

const kindChange = "change"

// share is a score of a thousand as a part of one.
func share(score int) float64 { return float64(score) / 1000 }

// name is what an incident is called: by the grouping that it was given, or by
// its own ID.
func (i *Incident) name() string { return cmp.Or(i.group, i.ID) }

// eachAlert calls f with every alert that the source has a name for, or with
// every episode when it has none for any.
func (r *Result) eachAlert(f func(id string, episode int32)) {
	if len(r.rows) > 0 {
		for _, row := range r.rows {
			f(row.id, row.episode)
		}
		return
	}
	for i := range r.Outcome.episodes {
		f(r.Outcome.episodes[i].String(), int32(i))
	}
}

// Alerts are the alerts with the names that the source has for them, in the
// order in which they came. One episode may have several names.
func (r *Result) Alerts() iter.Seq2[string, Episode] {
	return func(yield func(string, Episode) bool) {
		more := true
		r.eachAlert(func(id string, episode int32) {
			more = more && yield(id, r.Outcome.episodes[episode].Episode)
		})
	}
}

// spokesmen are the incidents, and of those that are one group of a given
// grouping the largest.
func (r *Result) spokesmen() []*Incident {
	all := r.Outcome.Incidents()
	if !r.grouped {
		return all
	}
	size := map[string]int{}
	for i := range r.Outcome.episodes {
		if at := r.Outcome.final(r.Outcome.episodes[i].incident); at != nowhere {
			size[r.Outcome.incidents[at].ID]++
		}
	}
	best := map[string]*Incident{}
	for _, inc := range all {
		if b := best[inc.name()]; b == nil || size[inc.ID] > size[b.ID] {
			best[inc.name()] = inc
		}
	}
	return slices.DeleteFunc(all, func(inc *Incident) bool { return best[inc.name()] != inc })
}

// Write writes the records as predicted.jsonl, causes.jsonl, changes.jsonl and
// problems.jsonl into a folder, which is made when it does not exist.
func (rec *Records) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return errors.Join(
		writeFile(dir, "predicted.jsonl", rec.Predicted),
		writeFile(dir, "causes.jsonl", rec.Causes),
		writeFile(dir, "changes.jsonl", rec.Changes),
		writeFile(dir, "problems.jsonl", rec.Problems),
	)
}

func writeFile[T quality.Record](dir, name string, records []T) (err error) {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := quality.NewWriter(f)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return nil
}
