package simulate

// alarm is a name under which alerts fire.
type alarm struct {
	name     string
	severity uint8 // 1, the worst, to 4; what most of its alerts have
	// text is what it says; text.go knows what stands for {…}.
	text string
	// grave alarms mean an outage wherever they fire, so they are not noise.
	grave bool
}

// sign says that CIs of some classes that suffer an effect raise an alarm.
type sign struct {
	at     classSet
	effect effect
	alarm  string
	chance float64
	// lag is the median time in seconds until the alarm notices.
	lag float64
}

// library is the alarms that there are and who raises them.
type library struct {
	alarms []alarm
	number map[string]uint16
	signs  [classes][effects][]numberedSign
	kinds  []kind
	passes [relationTypes][2][effects][]numberedPassage
}

type numberedSign struct {
	alarm  uint16
	chance float64
	lag    float64
}

type numberedPassage struct {
	passage
	number int
}

func newLibrary() *library {
	l := &library{alarms: alarms(), number: map[string]uint16{}, kinds: kinds()}
	for i, a := range l.alarms {
		l.number[a.name] = uint16(i)
	}
	for _, s := range signs() {
		for c := range classes {
			if s.at.has(c) {
				l.signs[c][s.effect] = append(l.signs[c][s.effect], numberedSign{l.number[s.alarm], s.chance, s.lag})
			}
		}
	}
	for i, p := range passages() {
		way := 0
		if p.toNeeded {
			way = 1
		}
		list := &l.passes[p.typ][way][p.cause]
		*list = append(*list, numberedPassage{p, i})
	}
	return l
}

// add makes one more alarm.
func (l *library) add(a alarm) uint16 {
	l.alarms = append(l.alarms, a)
	return uint16(len(l.alarms) - 1)
}

func alarms() []alarm {
	return []alarm{
		{name: "HighRequestErrorRate", severity: 2, text: "{pct} % of {m} requests to {app} fail"},
		{name: "HighRequestLatency", severity: 3, text: "p99 of {app} is {ms} ms, allowed are {limit} ms"},
		{name: "ErrorBudgetBurn", severity: 2, text: "{app} burns its error budget {x} times too fast"},
		{name: "ServiceDown", severity: 1, text: "{app} answered none of {n} probes", grave: true},
		{name: "NoRequestsReceived", severity: 3, text: "{app} received no request for {min} minutes"},
		{name: "CircuitBreakerOpen", severity: 3, text: "circuit from {app} to {peer} is open after {n} failures"},
		{name: "QueueWorkersBusy", severity: 3, text: "{app}: {n} of {n} workers are busy"},
		{name: "KubeDeploymentReplicasMismatch", severity: 3, text: "{app} has {n} replicas that are not available"},
		{name: "KubeDeploymentRolloutStuck", severity: 2, text: "rollout of {app} makes no progress for {min} minutes"},
		{name: "KubePodCrashLooping", severity: 2, text: "container of {ci} restarted {n} times in 10m"},
		{name: "KubePodNotReady", severity: 2, text: "{ci} is not ready for {min} minutes"},
		{name: "KubeContainerOOMKilled", severity: 2, text: "container of {ci} was killed at {mb} MiB"},
		{name: "KubeContainerWaiting", severity: 3, text: "container of {ci} waits for {min} minutes"},
		{name: "KubeImagePullBackOff", severity: 2, text: "{ci}: image of build {build} cannot be pulled"},
		{name: "CPUThrottlingHigh", severity: 4, text: "{ci} is throttled {pct} % of the time"},
		{name: "MemoryUsageHigh", severity: 3, text: "{ci} uses {pct} % of its memory ({mb} MiB)"},
		{name: "CPUUsageHigh", severity: 3, text: "{ci} uses {pct} % of its CPU"},
		{name: "KubeNodeNotReady", severity: 1, text: "node {ci} is not ready for {min} minutes"},
		{name: "KubeNodeFlapping", severity: 3, text: "readiness of node {ci} changed {n} times in 15m"},
		{name: "KubeNodePressure", severity: 3, text: "node {ci} evicts pods, {mb} MiB are left"},
		{name: "KubeQuotaExceeded", severity: 3, text: "namespace {app} uses {pct} % of its quota"},
		{name: "KubeAPIErrorsHigh", severity: 1, text: "API server of {ci} fails {pct} % of requests"},
		{name: "ConfigReloadFailed", severity: 2, text: "configuration revision {build} of {app} was refused"},
		{name: "HostDown", severity: 1, text: "{ci} ({ip}) answers no ping for {sec} seconds"},
		{name: "HostUnreachable", severity: 2, text: "no route to {ci} ({ip}), {n} probes lost"},
		{name: "LoadHigh", severity: 3, text: "load of {ci} is {x} for each core"},
		{name: "DiskLatencyHigh", severity: 3, text: "writes on {ci} take {ms} ms"},
		{name: "DiskWillFill", severity: 3, text: "{ci} is {pct} % full and will be full in {min} minutes"},
		{name: "DiskFull", severity: 1, text: "{ci} is full, {mb} MiB are left"},
		{name: "DiskFailed", severity: 2, text: "disk {n} of {ci} failed, {m} sectors are bad"},
		{name: "MemoryECCErrors", severity: 3, text: "{ci} corrected {m} memory errors in an hour"},
		{name: "AgentSilent", severity: 4, text: "agent on {ci} sent nothing for {min} minutes"},
		{name: "DatabaseDown", severity: 1, text: "{ci} refuses connections ({n} attempts)", grave: true},
		{name: "DatabaseErrors", severity: 2, text: "{n} statements a second fail on {ci}"},
		{name: "SlowQueries", severity: 3, text: "{n} queries on {ci} took longer than {ms} ms"},
		{name: "ConnectionsExhausted", severity: 2, text: "{n} of {n} connections to {ci} are used"},
		{name: "ReplicationLag", severity: 3, text: "replica of {ci} is {sec} seconds behind"},
		{name: "NoDatabaseOperations", severity: 3, text: "{ci} saw no operation for {min} minutes"},
		{name: "LocksWaiting", severity: 3, text: "{n} sessions on {ci} wait for a lock for {sec} seconds"},
		{name: "CacheHitRateLow", severity: 4, text: "hit rate of {ci} fell to {pct} %"},
		{name: "CacheEvictions", severity: 3, text: "{ci} evicts {m} keys a second"},
		{name: "QueueBacklog", severity: 3, text: "{m} messages wait in {ci}"},
		{name: "QueueConsumersGone", severity: 2, text: "{ci} lost {n} consumers"},
		{name: "CertificateExpired", severity: 1, text: "certificate {build} of {app} expired {min} minutes ago"},
		{name: "RackPowerLost", severity: 1, text: "{ci}: no power on {n} outlets", grave: true},
		{name: "PowerFeedLost", severity: 1, text: "{ci}: 0 V, breaker {n} tripped", grave: true},
		{name: "TemperatureHigh", severity: 2, text: "inlet of {ci} has {deg} degrees"},
		{name: "FanFailed", severity: 3, text: "fan {n} of {ci} stands still"},
		{name: "DeviceUnreachable", severity: 1, text: "{ci} ({ip}) does not answer SNMP, {n} polls lost"},
		{name: "DeviceRestarted", severity: 2, text: "{ci} restarted, up for {sec} seconds"},
		{name: "LinkDown", severity: 2, text: "interface {port} of {ci} to {peer} is down"},
		{name: "BGPPeerDown", severity: 2, text: "BGP session of {ci} with {peer} went from established to idle, hold timer {sec}"},
		{name: "OSPFNeighbourLost", severity: 3, text: "OSPF neighbour {peer} of {ci} lost on {port}"},
		{name: "LAGDegraded", severity: 3, text: "bundle {n} of {ci} has lost a member"},
		{name: "PacketLossHigh", severity: 3, text: "{pct} % of packets on {port} of {ci} are lost"},
		{name: "CRCErrors", severity: 4, text: "{m} CRC errors on {port} of {ci}"},
		{name: "OpticalPowerLow", severity: 3, text: "receiver of {port} on {ci} has -{deg} dBm"},
		{name: "ControlPlaneBusy", severity: 2, text: "routing engine of {ci} is at {pct} %"},
		{name: "AccessPointDown", severity: 2, text: "{ci} left its controller, {n} clients lost"},
		{name: "ClientsDropped", severity: 4, text: "{n} clients of {ci} were dropped"},
		{name: "FirewallSessionsFull", severity: 2, text: "{ci} holds {m} sessions, {pct} % of its table"},
	}
}

func signs() []sign {
	workload := setOf(pod)
	wired := devices
	return []sign{
		{setOf(service), failing, "HighRequestErrorRate", 0.92, 30},
		{setOf(service), failing, "ErrorBudgetBurn", 0.25, 120},
		{setOf(service), failing, "CircuitBreakerOpen", 0.15, 40},
		{setOf(service), slow, "HighRequestLatency", 0.92, 40},
		{setOf(service), slow, "QueueWorkersBusy", 0.12, 60},
		{setOf(service), down, "ServiceDown", 0.6, 25},
		{setOf(service), down, "HighRequestErrorRate", 0.7, 30},
		{setOf(service), down, "NoRequestsReceived", 0.3, 90},
		{setOf(service), cutOff, "ServiceDown", 0.7, 25},
		{setOf(service), starved, "NoRequestsReceived", 0.8, 60},
		{setOf(service), saturated, "QueueWorkersBusy", 0.8, 40},
		{setOf(service), saturated, "HighRequestLatency", 0.6, 50},

		{setOf(deployment), degraded, "KubeDeploymentReplicasMismatch", 0.6, 60},
		{setOf(deployment), down, "KubeDeploymentReplicasMismatch", 0.85, 45},
		{workload, down, "KubePodNotReady", 0.75, 40},
		{workload, down, "KubePodCrashLooping", 0.3, 60},
		{workload, cutOff, "KubePodNotReady", 0.7, 40},
		{workload, saturated, "MemoryUsageHigh", 0.5, 40},
		{workload, saturated, "CPUUsageHigh", 0.45, 40},
		{workload, saturated, "CPUThrottlingHigh", 0.4, 50},
		{workload, slow, "CPUThrottlingHigh", 0.25, 60},
		{workload, failing, "KubePodNotReady", 0.3, 60},

		{setOf(node), down, "KubeNodeNotReady", 0.95, 40},
		{setOf(node), cutOff, "KubeNodeNotReady", 0.95, 40},
		{setOf(node), saturated, "LoadHigh", 0.8, 40},
		{setOf(node), saturated, "KubeNodePressure", 0.5, 60},
		{setOf(node), slow, "LoadHigh", 0.5, 40},
		{setOf(node), degraded, "KubeNodeFlapping", 0.8, 60},
		{setOf(node), lossy, "PacketLossHigh", 0.6, 50},
		{setOf(namespace), failing, "KubeQuotaExceeded", 0.95, 30},
		{setOf(cluster), failing, "KubeAPIErrorsHigh", 0.95, 30},
		{setOf(configMap), failing, "ConfigReloadFailed", 0.8, 20},

		{setOf(server, virtualMachine), down, "HostDown", 0.9, 25},
		{setOf(server, virtualMachine), down, "AgentSilent", 0.3, 120},
		{setOf(server, virtualMachine), cutOff, "HostUnreachable", 0.9, 25},
		{setOf(server, virtualMachine), saturated, "LoadHigh", 0.8, 40},
		{setOf(server, virtualMachine), slow, "DiskLatencyHigh", 0.6, 40},
		{setOf(server, virtualMachine), lossy, "PacketLossHigh", 0.6, 50},

		{setOf(volume), saturated, "DiskFull", 0.9, 20},
		{setOf(volume), saturated, "DiskWillFill", 0.5, 5},
		{setOf(volume), slow, "DiskLatencyHigh", 0.9, 30},
		{setOf(volume), down, "DiskFailed", 0.9, 15},
		{setOf(database), down, "DatabaseDown", 0.95, 20},
		{setOf(database), cutOff, "DatabaseDown", 0.95, 20},
		{setOf(database), failing, "DatabaseErrors", 0.9, 25},
		{setOf(database), slow, "SlowQueries", 0.85, 35},
		{setOf(database), slow, "ReplicationLag", 0.3, 60},
		{setOf(database), saturated, "ConnectionsExhausted", 0.85, 25},
		{setOf(database), starved, "NoDatabaseOperations", 0.8, 60},
		{setOf(cache), down, "HostDown", 0.5, 20},
		{setOf(cache), down, "CacheHitRateLow", 0.6, 40},
		{setOf(cache), saturated, "CacheEvictions", 0.9, 30},
		{setOf(cache), slow, "CacheHitRateLow", 0.7, 40},
		{setOf(cache), cutOff, "HostUnreachable", 0.8, 20},
		{setOf(queue), down, "QueueConsumersGone", 0.8, 25},
		{setOf(queue), down, "HostDown", 0.5, 20},
		{setOf(queue), saturated, "QueueBacklog", 0.95, 40},
		{setOf(queue), slow, "QueueBacklog", 0.7, 60},
		{setOf(queue), cutOff, "QueueConsumersGone", 0.8, 25},

		{setOf(powerFeed), dark, "PowerFeedLost", 0.9, 3},
		{setOf(rack), dark, "RackPowerLost", 0.95, 4},
		{setOf(rack), saturated, "TemperatureHigh", 0.95, 30},
		{machines | wired, saturated, "TemperatureHigh", 0.1, 60},

		{wired, down, "DeviceUnreachable", 0.95, 25},
		{wired, linkLost, "LinkDown", 0.85, 4},
		{setOf(router, firewall), linkLost, "BGPPeerDown", 0.5, 20},
		{setOf(router, switchDevice), linkLost, "OSPFNeighbourLost", 0.45, 12},
		{setOf(switchDevice), linkLost, "LAGDegraded", 0.25, 10},
		{wired, lossy, "CRCErrors", 0.7, 30},
		{wired, lossy, "PacketLossHigh", 0.7, 40},
		{wired, saturated, "ControlPlaneBusy", 0.9, 30},
		{setOf(firewall), saturated, "FirewallSessionsFull", 0.9, 20},
		{setOf(accessPoint), cutOff, "AccessPointDown", 0.9, 30},
		{setOf(accessPoint), down, "AccessPointDown", 0.9, 30},
		{setOf(accessPoint), lossy, "ClientsDropped", 0.6, 40},
		{setOf(accessPoint), saturated, "ClientsDropped", 0.9, 40},
	}
}
