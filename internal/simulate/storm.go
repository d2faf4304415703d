package simulate

import "fmt"

// stormSeconds is how long it takes for all alerts of a storm to fire.
const stormSeconds = 10

// storm adds the fault of the storm and its alerts: all of them different, in
// ten seconds, on the hub and those who need it.
func (e *estate) storm(lib *library, o *Options, number uint64) (*fault, []episode) {
	r := newSource(o.Seed, "storm", 0)
	f := &fault{number: number, kind: -1, roots: []int32{e.hub}, storm: true}
	f.start = float64(int(r.Float64() * max(o.Duration.Seconds()-stormSeconds, 1)))
	f.end = f.start + r.between(600, 1800)
	first := episode{ci: e.hub, peer: none, fault: int32(number), alarm: lib.number["ServiceDown"], severity: 1, root: true,
		start: int32(f.start), end: int32(f.end)}
	eps := make([]episode, 0, o.Storm)
	eps = append(eps, first)
	var alarm uint16
	for i := range o.Storm - 1 {
		leaf := int32(i % StormLeaves)
		if leaf == 0 {
			alarm = lib.add(ownCheck(i/StormLeaves + 1))
		}
		eps = append(eps, episode{ci: e.hub + 1 + leaf, peer: e.hub, fault: int32(number), alarm: alarm, severity: uint8(r.span(1, 4)),
			start: int32(f.start + stormSeconds*float64(i+1)/float64(o.Storm)), end: int32(f.end + r.logNormal(60, 0.8))})
	}
	return f, eps
}

// ownCheck is one of the many checks that fail on every client at once.
func ownCheck(i int) alarm {
	return alarm{name: fmt.Sprintf("LoginCheck%02dFailed", i), text: "{ci}: no answer from {peer} within {ms} ms", grave: true}
}
