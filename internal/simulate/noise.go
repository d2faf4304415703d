package simulate

import (
	"math"
	"strings"
)

// Noise is what fires without a fault. A noisy alert takes its CI's class, its
// name and its severity from an alert of a fault that is drawn, so that none of
// these tells the two apart; only how it behaves does. Some have names of their
// own, as backups have.

// ownNoise are alarms that no fault raises, and where.
func ownNoise() []struct {
	at    classSet
	alarm alarm
} {
	type own = struct {
		at    classSet
		alarm alarm
	}
	return []own{
		{setOf(database, server, virtualMachine, volume), alarm{name: "BackupFailed", text: "backup {build} of {ci} failed after {min} minutes"}},
		{setOf(database, server, virtualMachine, volume), alarm{name: "BackupSlow", text: "backup of {ci} runs for {min} minutes"}},
		{setOf(service), alarm{name: "CertificateExpiresSoon", text: "certificate of {app} expires in {n} days"}},
		{setOf(service, deployment), alarm{name: "BatchJobFailed", text: "job {build} of {app} failed, {m} records left"}},
		{hosts, alarm{name: "ClockSkew", text: "clock of {ci} is {ms} ms off"}},
		{hosts, alarm{name: "ConfigDrift", text: "{ci} differs from revision {build} in {n} lines"}},
		{hosts, alarm{name: "AuthFailures", text: "{n} logins to {ci} failed in 10m"}},
		{devices, alarm{name: "InterfaceUtilisationHigh", text: "{port} of {ci} is used to {pct} %"}},
		{devices | setOf(accessPoint), alarm{name: "SNMPTimeout", text: "poll of {ci} took {ms} ms"}},
		{setOf(pod), alarm{name: "ImageOutdated", text: "image of {ci} is {n} releases old"}},
	}
}

// behaviour is how a noisy alert behaves.
type behaviour int

const (
	chronic  behaviour = iota // fires again and again, at times of its own
	periodic                  // fires by the clock, as a nightly backup does
	flapping                  // fires many times in a short while, then not for long
	single                    // fires once
)

// behaviours are the shares of the behaviours in the noise of a profile.
func behaviours(p Profile) [4]float64 {
	if p == ProfileNetwork {
		return [4]float64{chronic: 0.45, periodic: 0.15, flapping: 0.3, single: 0.1}
	}
	return [4]float64{chronic: 0.35, periodic: 0.15, flapping: 0.2, single: 0.3}
}

type noiseMaker struct {
	*estate
	source

	opts  *Options
	lib   *library
	like  []episode // alerts of faults
	total float64
	// most is how often one noisy alert fires; a few that make most of the
	// noise would make it easy to tell.
	most  int
	taken map[uint64]bool
	// tries is how often it looks for an alert that is not taken; once, when
	// all seem to be.
	tries int
	out   []episode
	// wanted is the share of each severity among the alerts of faults, and had
	// how many alerts of noise have it.
	wanted [5]float64
	had    [5]int
	own    []struct {
		at    classSet
		alarm uint16
	}
}

// noise makes noise beside the alerts of faults.
func (e *estate) noise(lib *library, o *Options, like []episode) []episode {
	n := int(math.Round(float64(len(like)) * o.Noise / (1 - o.Noise)))
	m := &noiseMaker{estate: e, source: newSource(o.Seed, "noise", 0), opts: o, lib: lib, like: like,
		total: o.Duration.Seconds(), most: max(12, n/25), taken: map[uint64]bool{}, tries: 50, out: make([]episode, 0, n)}
	for _, own := range ownNoise() {
		m.own = append(m.own, struct {
			at    classSet
			alarm uint16
		}{own.at, lib.add(own.alarm)})
	}
	for _, e := range like {
		m.wanted[e.severity] += 1 / float64(len(like))
	}
	end := 0.0
	for b, share := range behaviours(o.Profile) {
		end += share * float64(n)
		for goal := int(math.Round(end)); len(m.out) < goal; {
			m.some(behaviour(b), goal-len(m.out))
			o.Progress("noise", len(m.out), n)
		}
	}
	return m.out
}

// some adds the alerts of one noisy alert, at most n.
func (m *noiseMaker) some(b behaviour, n int) {
	e := m.draw()
	n = min(n, m.most)
	goal := len(m.out) + n
	switch b {
	case chronic:
		// Three a day to one in half an hour; the gaps vary.
		gap := max(math.Exp(m.between(math.Log(1800), math.Log(8*3600))), m.total/float64(n))
		for at := m.Float64() * gap; at < m.total && len(m.out) < goal; at += m.logNormal(gap*0.8, 0.7) {
			m.add(e, at, m.logNormal(240, 0.8))
		}
	case periodic:
		m.periodic(e, goal)
	case flapping:
		ends := m.ends(e)
		for bursts := m.span(1, 4); bursts > 0; bursts-- {
			at := m.Float64() * m.total
			for k := m.span(5, 20); k > 0 && at < m.total; k-- {
				for _, x := range ends {
					if len(m.out) < goal {
						m.add(x, at+m.between(0, 4), m.logNormal(25, 0.6))
					}
				}
				at += m.logNormal(100, 0.6)
			}
		}
	case single:
		m.add(e, m.Float64()*m.total, m.logNormal(300, 0.9))
	}
}

// ends are both ends of what flaps, if it is a link.
func (m *noiseMaker) ends(e episode) []episode {
	if e.peer == none || !devices.has(m.items[e.ci].class) || !devices.has(m.items[e.peer].class) ||
		!strings.Contains(m.lib.alarms[e.alarm].text, "{peer}") {
		return []episode{e}
	}
	far := e
	far.ci, far.peer = e.peer, e.ci
	if !m.take(far) {
		return []episode{e}
	}
	return []episode{e, far}
}

// periodic adds a job that runs on up to five CIs at the same times.
func (m *noiseMaker) periodic(e episode, goal int) {
	on := []episode{e}
	of := m.byClass[m.items[e.ci].class]
	for range m.IntN(5) {
		x := e
		x.ci, x.peer = of[m.IntN(len(of))], none
		if m.take(x) {
			on = append(on, x)
		}
	}
	every := []float64{3600, 4 * 3600, 12 * 3600, 24 * 3600, 24 * 3600}[m.IntN(5)]
	for m.total/every*float64(len(on)) > float64(goal-len(m.out)+1) {
		every *= 2
	}
	fails := m.between(0.6, 1)
	for at := m.Float64() * min(every, m.total); at < m.total; at += every {
		for _, x := range on {
			if len(m.out) < goal && m.Float64() < fails {
				m.add(x, at+m.between(0, 90), m.logNormal(600, 0.5))
			}
		}
	}
}

func (m *noiseMaker) add(e episode, at, lasts float64) {
	e.start = int32(at)
	e.end = e.start + max(int32(lasts), 1)
	m.out = append(m.out, e)
	m.had[e.severity]++
}

// draw makes an alert that has not been noisy yet. Of a few it is the one whose
// severity noise has too little of: some noisy alerts fire hundreds of times.
func (m *noiseMaker) draw() episode {
	best, least := episode{}, math.Inf(1)
	for range 4 {
		e := m.drawAny()
		if surplus := float64(m.had[e.severity]) - m.wanted[e.severity]*float64(len(m.out)); surplus < least {
			best, least = e, surplus
		}
	}
	m.take(best)
	return best
}

// somewhere is a CI of the same class: in half of all cases one that a few
// steps lead to, since noise lives where other things break, too.
func (m *noiseMaker) somewhere(like int32) int32 {
	c := m.items[like].class
	if m.Float64() < 0.5 {
		at := like
		for range 6 {
			ls := m.linksOf(at)
			if len(ls) == 0 {
				break
			}
			if at = ls[m.IntN(len(ls))].ci; m.items[at].class == c && at != like {
				return at
			}
		}
	}
	return m.byClass[c][m.IntN(len(m.byClass[c]))]
}

// take says that an alert is noisy; false when it was already.
func (m *noiseMaker) take(e episode) bool {
	id := uint64(e.ci)<<16 | uint64(e.alarm)
	was := m.taken[id]
	m.taken[id] = true
	return !was
}

func (m *noiseMaker) drawAny() episode {
	var e episode
	for range m.tries {
		e = m.like[m.IntN(len(m.like))]
		c := m.items[e.ci].class
		if m.lib.alarms[e.alarm].grave || m.Float64() < 0.25 {
			var fit []uint16
			for _, o := range m.own {
				if o.at.has(c) {
					fit = append(fit, o.alarm)
				}
			}
			if len(fit) == 0 {
				continue
			}
			e.alarm = fit[m.IntN(len(fit))]
		}
		e.ci = m.somewhere(e.ci)
		e.peer = none
		if ls := m.linksOf(e.ci); len(ls) > 0 {
			e.peer = ls[m.IntN(len(ls))].ci
		}
		e.fault, e.root = none, false
		if m.opts.NoiseSeverity > 0 {
			e.severity = uint8(m.opts.NoiseSeverity)
		}
		if id := uint64(e.ci)<<16 | uint64(e.alarm); !m.taken[id] {
			return e
		}
	}
	m.tries = 1
	e.fault, e.root, e.peer = none, false, none
	return e
}
