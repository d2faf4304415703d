package simulate

// effect is what a CI suffers.
type effect uint8

const (
	// down: it does nothing any more.
	down effect = iota
	// failing: it answers with errors.
	failing
	// slow: it answers late.
	slow
	// saturated: a resource of it is used up.
	saturated
	// degraded: a part of it is gone and the rest does the work.
	degraded
	// starved: nobody asks it for anything.
	starved
	// dark: it has no power.
	dark
	// cutOff: it works, but nobody reaches it.
	cutOff
	// linkLost: a neighbour in the network is gone.
	linkLost
	// lossy: a link of it loses packets.
	lossy

	effects
)

// passage says that an effect of one CI gives an effect to a neighbour.
type passage struct {
	cause effect
	typ   relationType
	// toNeeded says which way: false to those that need the CI, true to those
	// that it needs.
	toNeeded bool
	at, to   classSet // of the CI and of the neighbour; 0 is any
	effect   effect
	chance   float64
	// delay is the median in seconds.
	delay float64
	// crowded says that the chance falls with the number of neighbours of this
	// type: of many callers not all call at that time.
	crowded bool
	// shared says that the effect is shared among the neighbours that the other
	// end has for the same purpose: one pod of three is a third of them.
	shared bool
}

var (
	machines = setOf(node, server, virtualMachine)
	devices  = setOf(router, switchDevice, firewall)
	stores   = setOf(database, cache, queue)
	inPods   = setOf(pod, virtualMachine, node) | stores
)

// passages is how faults travel. The order is that in which chances are drawn.
func passages() []passage {
	return []passage{
		// Services.
		{cause: down, typ: dependsOn, effect: failing, chance: 0.85, delay: 25, crowded: true},
		{cause: failing, typ: dependsOn, effect: failing, chance: 0.6, delay: 30, crowded: true},
		{cause: failing, typ: dependsOn, effect: slow, chance: 0.2, delay: 40, crowded: true},
		{cause: slow, typ: dependsOn, effect: slow, chance: 0.6, delay: 35, crowded: true},
		{cause: slow, typ: dependsOn, effect: failing, chance: 0.15, delay: 75, crowded: true},
		{cause: saturated, typ: dependsOn, at: stores | setOf(service), effect: slow, chance: 0.6, delay: 40, crowded: true},
		{cause: cutOff, typ: dependsOn, effect: failing, chance: 0.85, delay: 20, crowded: true},
		{cause: down, typ: dependsOn, toNeeded: true, to: setOf(service) | stores, effect: starved, chance: 0.6, delay: 90, shared: true},
		{cause: failing, typ: dependsOn, toNeeded: true, to: setOf(service) | stores, effect: starved, chance: 0.35, delay: 110, shared: true},

		// What services are made of.
		{cause: down, typ: servedBy, effect: down, chance: 0.95, delay: 10},
		{cause: failing, typ: servedBy, effect: failing, chance: 0.9, delay: 10},
		{cause: slow, typ: servedBy, effect: slow, chance: 0.9, delay: 15},
		{cause: saturated, typ: servedBy, effect: slow, chance: 0.7, delay: 40},
		{cause: degraded, typ: servedBy, effect: failing, chance: 0.2, delay: 15},
		{cause: degraded, typ: servedBy, effect: slow, chance: 0.2, delay: 25},
		{cause: down, typ: owns, effect: down, chance: 0.9, delay: 15, shared: true},
		{cause: down, typ: owns, effect: degraded, chance: 0.9, delay: 15},
		{cause: failing, typ: owns, effect: failing, chance: 0.8, delay: 15, shared: true},
		{cause: slow, typ: owns, effect: slow, chance: 0.8, delay: 20, shared: true},
		{cause: saturated, typ: owns, effect: slow, chance: 0.6, delay: 30, shared: true},
		{cause: cutOff, typ: owns, effect: degraded, chance: 0.9, delay: 15},
		{cause: failing, typ: owns, toNeeded: true, effect: failing, chance: 0.4, delay: 15},
		{cause: down, typ: owns, toNeeded: true, effect: down, chance: 0.9, delay: 12},
		{cause: failing, typ: configuredBy, effect: down, chance: 0.7, delay: 30},
		{cause: failing, typ: inNamespace, effect: degraded, chance: 0.3, delay: 45, crowded: true},
		{cause: failing, typ: memberOf, to: setOf(node), effect: degraded, chance: 0.4, delay: 45, crowded: true},

		// What they run on.
		{cause: down, typ: runsOn, effect: down, chance: 0.95, delay: 15},
		{cause: cutOff, typ: runsOn, effect: cutOff, chance: 0.95, delay: 10},
		{cause: saturated, typ: runsOn, to: inPods, effect: slow, chance: 0.4, delay: 40},
		{cause: slow, typ: runsOn, to: inPods, effect: slow, chance: 0.4, delay: 40},
		{cause: lossy, typ: runsOn, to: inPods, effect: slow, chance: 0.4, delay: 40},
		{cause: saturated, typ: storedOn, effect: failing, chance: 0.9, delay: 20},
		{cause: slow, typ: storedOn, effect: slow, chance: 0.9, delay: 25},
		{cause: down, typ: storedOn, effect: down, chance: 0.95, delay: 10},

		// Power and places.
		{cause: dark, typ: poweredBy, effect: dark, chance: 0.98, delay: 2},
		{cause: dark, typ: mountedIn, effect: down, chance: 0.97, delay: 4},
		{cause: saturated, typ: mountedIn, effect: saturated, chance: 0.35, delay: 50},

		// The network: what is lost is lost at once, and goes one hop.
		{cause: down, typ: connectsTo, to: devices, effect: linkLost, chance: 0.92, delay: 4},
		{cause: down, typ: connectsTo, to: setOf(accessPoint), effect: cutOff, chance: 0.85, delay: 8},
		// Most servers have a second way out.
		{cause: down, typ: connectsTo, to: machines, effect: cutOff, chance: 0.4, delay: 8},
		{cause: down, typ: connectsTo, toNeeded: true, at: devices | setOf(server), effect: linkLost, chance: 0.92, delay: 4},
		{cause: down, typ: connectsTo, toNeeded: true, at: setOf(accessPoint), effect: linkLost, chance: 0.6, delay: 6},
		{cause: lossy, typ: connectsTo, to: devices, effect: lossy, chance: 0.3, delay: 20, crowded: true},
		{cause: lossy, typ: connectsTo, to: setOf(accessPoint) | machines, effect: lossy, chance: 0.3, delay: 30, crowded: true},
		{cause: lossy, typ: connectsTo, toNeeded: true, effect: lossy, chance: 0.6, delay: 15},
		{cause: saturated, typ: connectsTo, at: devices, to: devices, effect: linkLost, chance: 0.3, delay: 40},
		{cause: saturated, typ: connectsTo, toNeeded: true, at: devices, to: devices, effect: linkLost, chance: 0.3, delay: 40},
	}
}

// spent says that an effect is passed on by nobody but the root: a loss of
// packets does not wander through a network.
func (x effect) spent(depth uint8) bool { return x == lossy && depth > 0 }

// hides says that a CI that suffers x shows nothing of y.
func (x effect) hides(y effect) bool {
	switch x {
	case down, dark:
		return y != x && y != dark
	case cutOff:
		return y == slow || y == failing || y == saturated || y == lossy || y == starved
	case failing:
		return y == degraded
	default:
		return false
	}
}
