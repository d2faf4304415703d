package simulate

// kind is a kind of fault.
type kind struct {
	name   string
	at     class
	weight float64
	effect effect
	// alarms that only the root raises for this kind, besides the signs of the
	// effect.
	alarms []ownAlarm
	// lasts is the median in minutes.
	lasts float64
	// change is what may have caused it; "" when changes do not.
	change string
	// rare ones hit so much that they do not recur.
	rare bool
	// peer says that the root has an accomplice: the other end of a link
	// that fails, which suffers the same.
	peer bool
}

type ownAlarm struct {
	name   string
	chance float64
	lag    float64
}

func kinds() []kind {
	one := func(name string, chance, lag float64) []ownAlarm { return []ownAlarm{{name, chance, lag}} }
	return []kind{
		{name: "bad_release", at: deployment, weight: 10, effect: failing, lasts: 18, change: "deployment",
			alarms: one("KubeDeploymentRolloutStuck", 0.5, 90)},
		{name: "crash_loop", at: deployment, weight: 9, effect: down, lasts: 20, change: "deployment",
			alarms: one("KubeDeploymentRolloutStuck", 0.4, 90)},
		{name: "slow_release", at: deployment, weight: 5, effect: slow, lasts: 25, change: "deployment"},
		{name: "memory_leak", at: pod, weight: 6, effect: saturated, lasts: 22,
			alarms: one("KubeContainerOOMKilled", 0.8, 45)},
		{name: "image_missing", at: pod, weight: 4, effect: down, lasts: 15, change: "deployment",
			alarms: []ownAlarm{{"KubeImagePullBackOff", 0.9, 20}, {"KubeContainerWaiting", 0.6, 60}}},
		{name: "deadlock", at: service, weight: 6, effect: saturated, lasts: 15},
		{name: "certificate_expired", at: service, weight: 3, effect: failing, lasts: 35,
			alarms: one("CertificateExpired", 0.9, 10)},
		{name: "network_policy", at: service, weight: 3, effect: cutOff, lasts: 14, change: "network_policy"},
		{name: "config_error", at: configMap, weight: 5, effect: failing, lasts: 15, change: "configuration"},
		{name: "quota", at: namespace, weight: 2, effect: failing, lasts: 30, change: "configuration"},
		{name: "control_plane", at: cluster, weight: 1, effect: failing, lasts: 20, change: "upgrade", rare: true},
		{name: "node_lost", at: node, weight: 4, effect: down, lasts: 20, rare: true},
		{name: "node_pressure", at: node, weight: 5, effect: saturated, lasts: 25,
			alarms: one("MemoryUsageHigh", 0.6, 30)},

		{name: "disk_full", at: volume, weight: 5, effect: saturated, lasts: 30},
		{name: "disk_slow", at: volume, weight: 4, effect: slow, lasts: 25},
		{name: "disk_failed", at: volume, weight: 2, effect: down, lasts: 40},
		{name: "connections", at: database, weight: 6, effect: saturated, lasts: 15, change: "configuration"},
		{name: "locks", at: database, weight: 4, effect: slow, lasts: 18, change: "schema_migration",
			alarms: one("LocksWaiting", 0.85, 25)},
		{name: "database_crash", at: database, weight: 3, effect: down, lasts: 12, change: "upgrade"},
		{name: "evictions", at: cache, weight: 3, effect: saturated, lasts: 20, change: "configuration"},
		{name: "cache_lost", at: cache, weight: 2, effect: down, lasts: 12},
		{name: "backlog", at: queue, weight: 4, effect: saturated, lasts: 25},

		{name: "host_crash", at: server, weight: 3, effect: down, lasts: 25},
		{name: "memory_module", at: server, weight: 2, effect: saturated, lasts: 40,
			alarms: one("MemoryECCErrors", 0.9, 20)},
		{name: "vm_crash", at: virtualMachine, weight: 4, effect: down, lasts: 12, change: "patch"},
		{name: "vm_starved", at: virtualMachine, weight: 4, effect: saturated, lasts: 20,
			alarms: one("CPUUsageHigh", 0.7, 30)},
		{name: "power_lost", at: powerFeed, weight: 0.4, effect: dark, lasts: 30, change: "maintenance", rare: true},
		{name: "cooling", at: rack, weight: 1, effect: saturated, lasts: 40, rare: true,
			alarms: one("FanFailed", 0.5, 20)},

		{name: "link_cut", at: router, weight: 7, effect: linkLost, lasts: 35, peer: true},
		{name: "link_cut", at: switchDevice, weight: 9, effect: linkLost, lasts: 25, peer: true, change: "cabling"},
		{name: "optics", at: switchDevice, weight: 7, effect: lossy, lasts: 40,
			alarms: one("OpticalPowerLow", 0.8, 15)},
		{name: "optics", at: router, weight: 4, effect: lossy, lasts: 40,
			alarms: one("OpticalPowerLow", 0.8, 15)},
		{name: "device_crash", at: switchDevice, weight: 5, effect: down, lasts: 12, change: "upgrade",
			alarms: one("DeviceRestarted", 0.6, 70)},
		{name: "device_crash", at: router, weight: 3, effect: down, lasts: 12, change: "upgrade",
			alarms: one("DeviceRestarted", 0.6, 70)},
		{name: "route_storm", at: router, weight: 3, effect: saturated, lasts: 15, change: "configuration"},
		{name: "sessions_full", at: firewall, weight: 3, effect: saturated, lasts: 20, change: "policy"},
		{name: "access_point", at: accessPoint, weight: 2, effect: down, lasts: 20},
		{name: "interference", at: accessPoint, weight: 1, effect: saturated, lasts: 30},
	}
}
