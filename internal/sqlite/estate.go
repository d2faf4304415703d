package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"tocsin/cmdb"
)

// Estate returns the newest revisions of all CIs and relations, without those
// that are retired and without relations that have lost an end.
func (s *Store) Estate(ctx context.Context) ([]cmdb.CI, []cmdb.Relation, error) {
	conn, err := s.readDB.Conn(ctx)
	if err != nil {
		return nil, nil, explain(err)
	}
	defer conn.Close()
	cis, relations, err := s.newestEstate(ctx, conn)
	if err != nil {
		return nil, nil, err
	}
	cis = slices.DeleteFunc(cis, func(c cmdb.CI) bool { return c.State == cmdb.StateRetired })
	live := make(map[string]bool, len(cis))
	for i := range cis {
		live[cis[i].ID] = true
	}
	relations = slices.DeleteFunc(relations, func(r cmdb.Relation) bool {
		return r.State == cmdb.StateRetired || !live[r.From] || !live[r.To]
	})
	return cis, relations, nil
}

// topology is the estate as a snapshot, nil when there never was one. The
// retired are given too, so that the snapshot's revision goes on from theirs.
func (s *Store) topology(ctx context.Context, conn querier) (*cmdb.Snapshot, error) {
	cis, relations, err := s.newestEstate(ctx, conn)
	if err != nil || len(cis) == 0 {
		return nil, err
	}
	snap, err := cmdb.New(cis, relations)
	if err != nil {
		return nil, fmt.Errorf("estate: %w", err)
	}
	return snap, nil
}

// newestEstate walks the tables in the order of their keys: the last revision
// of a run is the newest, which takes no lookup for each record.
func (s *Store) newestEstate(ctx context.Context, conn querier) (cis []cmdb.CI, relations []cmdb.Relation, err error) {
	err = s.each(ctx, conn, `SELECT body FROM cis ORDER BY id, revision`, nil, func(rows *sql.Rows) (bool, error) {
		var c cmdb.CI
		if err := scanBody(rows, "CI", &c); err != nil {
			return false, err
		}
		if n := len(cis); n > 0 && cis[n-1].ID == c.ID {
			cis[n-1] = c
		} else {
			cis = append(cis, c)
		}
		return true, nil
	})
	if err != nil {
		return nil, nil, err
	}
	err = s.each(ctx, conn, `SELECT body FROM relations ORDER BY "from", "to", type, revision`, nil, func(rows *sql.Rows) (bool, error) {
		var r cmdb.Relation
		if err := scanBody(rows, "relation", &r); err != nil {
			return false, err
		}
		if n := len(relations); n > 0 && relations[n-1].From == r.From && relations[n-1].To == r.To && relations[n-1].Type == r.Type {
			relations[n-1] = r
		} else {
			relations = append(relations, r)
		}
		return true, nil
	})
	return cis, relations, err
}
