package learn

import "fmt"

// halves are the cases to learn from and those to judge by.
type halves struct {
	training, heldOut []int
	// edits are the corrections in each, pairs what they say.
	edits, pairs [2]int
}

// The least that is needed to learn anything.
const (
	minEdits = 3  // on each side
	minPairs = 10 // on both together
)

// split divides cases by time: those of the first two thirds of the edits are
// for training. What was left as it was goes by its time as well.
func (e *Evidence) split() halves {
	total := 0
	for i := range e.Cases {
		total += len(e.Cases[i].Edits)
	}
	var h halves
	for i := range e.Cases {
		c := &e.Cases[i]
		side := 0
		if 3*h.edits[0] < 2*total && h.edits[1] == 0 {
			h.training = append(h.training, i)
		} else {
			side = 1
			h.heldOut = append(h.heldOut, i)
		}
		h.edits[side] += len(c.Edits)
		for _, p := range c.pairs {
			if p.edit != unsaid {
				h.pairs[side]++
			}
		}
	}
	return h
}

// tooFew says that there is too little to learn from, and how much there is;
// empty when there is enough.
func (h *halves) tooFew(what string) string {
	switch {
	case h.edits[0] < minEdits || h.edits[1] < minEdits:
		return fmt.Sprintf("%s to learn from and %d later to judge by: want at least %d of each", count(h.edits[0], what), h.edits[1], minEdits)
	case h.pairs[0]+h.pairs[1] < minPairs:
		return fmt.Sprintf("%s, about %s of alerts: want at least %d", count(h.edits[0]+h.edits[1], what), count(h.pairs[0]+h.pairs[1], "pair"), minPairs)
	default:
		return ""
	}
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
