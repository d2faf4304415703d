package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Memory is one thing that the past taught. Of each Kind and Key the newest
// revision holds. Stores keep memories without a look into them.
type Memory struct {
	// Kind is what it is about, such as "habit"; Key which one.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Revision is the engine's record number.
	Revision int64           `json:"revision"`
	At       time.Time       `json:"at"`
	Body     json.RawMessage `json:"body"`
}

// remembered is what the engine keeps as a Memory. It is JSON itself, and says
// by what key it is found.
type remembered interface{ memory() (kind, key string) }

// memorise has something that was learned stored at the end of the tick.
func (e *Engine) memorise(r remembered) { e.learned[r] = struct{}{} }

func (e *Engine) flushMemories() {
	if len(e.learned) == 0 {
		return
	}
	first := len(e.out.Memories)
	for r := range e.learned {
		kind, key := r.memory()
		body, err := json.Marshal(r)
		if err != nil { // it consists of texts and numbers
			panic(err)
		}
		e.out.Memories = append(e.out.Memories, Memory{Kind: kind, Key: key, At: timeOf(e.now), Body: body})
	}
	clear(e.learned)
	fresh := e.out.Memories[first:]
	slices.SortFunc(fresh, func(a, b Memory) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key)) })
	for i := range fresh {
		e.revision++
		fresh[i].Revision = e.revision
	}
}

// restoreMemories takes stored memories in. Kinds that this version does not know
// are left alone: a newer one may have stored them.
func (e *Engine) restoreMemories(all []Memory) error {
	var signed []*Signature
	for i := range all {
		m := &all[i]
		var err error
		switch m.Kind {
		case habitKind:
			h := &Habit{}
			if err = json.Unmarshal(m.Body, h); err == nil {
				e.habits[kindKey(h.Class, h.Name)] = h
			}
		case symptomKind:
			s := &Symptom{}
			if err = json.Unmarshal(m.Body, s); err == nil {
				e.restoreSymptom(s)
			}
		case siteKind:
			s := &Site{}
			if err = json.Unmarshal(m.Body, s); err == nil {
				e.restoreSite(s)
			}
		case changeRateKind:
			r := &ChangeRate{}
			if err = json.Unmarshal(m.Body, r); err == nil {
				e.changeRates[r.CI] = r
			}
		case signatureKind:
			g := &Signature{}
			if err = json.Unmarshal(m.Body, g); err == nil {
				signed = append(signed, g)
			}
		case changeKind:
			p := &ChangePast{}
			if err = json.Unmarshal(m.Body, p); err == nil {
				e.changePasts[p.key()] = p
			}
		case rateKind:
			err = json.Unmarshal(m.Body, &e.rate)
		}
		if err != nil {
			return fmt.Errorf("restore memory %s of kind %s: %w", m.Key, m.Kind, err)
		}
	}
	// The oldest first, because they are forgotten first: those that the engine
	// had forgotten are still stored.
	slices.SortFunc(signed, func(a, b *Signature) int { return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Name, b.Name)) })
	for _, g := range signed {
		e.signatures.insert(g)
	}
	return nil
}
