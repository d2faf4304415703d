package simulate

import "math"

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
	taken map[uint64]bool
	out   []episode
	own   []struct {
		at    classSet
		alarm uint16
	}
}

// noise makes noise beside the alerts of faults.
func (e *estate) noise(lib *library, o *Options, like []episode) []episode {
	n := int(math.Round(float64(len(like)) * o.Noise / (1 - o.Noise)))
	m := &noiseMaker{estate: e, source: newSource(o.Seed, "noise", 0), opts: o, lib: lib, like: like,
		total: o.Duration.Seconds(), taken: map[uint64]bool{}, out: make([]episode, 0, n)}
	for _, own := range ownNoise() {
		m.own = append(m.own, struct {
			at    classSet
			alarm uint16
		}{own.at, lib.add(own.alarm)})
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
	switch b {
	case chronic:
		// Three a day to one in half an hour; the gaps vary.
		gap := math.Exp(m.between(math.Log(1800), math.Log(8*3600)))
		for at := m.Float64() * gap; at < m.total && n > 0; n-- {
			m.add(e, at, m.logNormal(240, 0.8))
			at += m.logNormal(gap*0.8, 0.7)
		}
	case periodic:
		m.periodic(e, n)
	case flapping:
		for bursts := m.span(1, 4); bursts > 0 && n > 0; bursts-- {
			at := m.Float64() * m.total
			for k := m.span(5, 20); k > 0 && n > 0 && at < m.total; k-- {
				m.add(e, at, m.logNormal(25, 0.6))
				at += m.logNormal(100, 0.6)
				n--
			}
		}
	case single:
		m.add(e, m.Float64()*m.total, m.logNormal(300, 0.9))
	}
}

// periodic adds a job that runs on up to five CIs at the same times.
func (m *noiseMaker) periodic(e episode, n int) {
	every := []float64{3600, 4 * 3600, 12 * 3600, 24 * 3600, 24 * 3600}[m.IntN(5)]
	first := m.Float64() * every
	fails := m.between(0.6, 1)
	on := []episode{e}
	for range m.IntN(5) {
		x := m.draw()
		x.alarm, x.severity = e.alarm, e.severity
		if m.items[x.ci].class == m.items[e.ci].class {
			on = append(on, x)
		}
	}
	for at := first; at < m.total && n > 0; at += every {
		for _, x := range on {
			if n > 0 && m.Float64() < fails {
				m.add(x, at+m.between(0, 90), m.logNormal(600, 0.5))
				n--
			}
		}
	}
	if first >= m.total { // a world shorter than the period
		m.add(e, m.Float64()*m.total, 600)
	}
}

func (m *noiseMaker) add(e episode, at, lasts float64) {
	e.start = int32(at)
	e.end = e.start + max(int32(lasts), 1)
	m.out = append(m.out, e)
}

// draw makes an alert that has not been noisy yet.
func (m *noiseMaker) draw() episode {
	var e episode
	for range 50 {
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
		e.ci = m.byClass[c][m.IntN(len(m.byClass[c]))]
		e.peer = none
		if ls := m.linksOf(e.ci); len(ls) > 0 {
			e.peer = ls[m.IntN(len(ls))].ci
		}
		e.fault, e.root = none, false
		if m.opts.NoiseSeverity > 0 {
			e.severity = uint8(m.opts.NoiseSeverity)
		}
		if id := uint64(e.ci)<<16 | uint64(e.alarm); !m.taken[id] {
			m.taken[id] = true
			return e
		}
	}
	e.fault, e.root, e.peer = none, false, none
	return e
}
