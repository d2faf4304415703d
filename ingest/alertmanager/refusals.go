package alertmanager

import (
	"fmt"
	"slices"

	"tocsin/ingest"
)

// places gives all rejections the index of the message, in its order. The
// first ones, found by the decoder, have it already, in rising order; those
// behind them count in the events that were left.
func places(all []ingest.Rejection, decoded int) []ingest.Rejection {
	out := slices.Clone(all)
	own, theirs := out[:decoded], out[decoded:]
	for i := range theirs {
		r := &theirs[i]
		for _, o := range own {
			if o.Index > r.Index {
				break
			}
			r.Index++
		}
	}
	slices.SortFunc(out, func(a, b ingest.Rejection) int { return a.Index - b.Index })
	return out
}

// maxTexts bounds what a sender is told of a batch that is wrong all through.
const maxTexts = 50

func texts(rejected []ingest.Rejection) []string {
	out := make([]string, 0, min(len(rejected), maxTexts)+1)
	for _, r := range rejected[:min(len(rejected), maxTexts)] {
		out = append(out, r.Error())
	}
	if n := len(rejected) - maxTexts; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return out
}
