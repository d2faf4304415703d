package simulate

// class is the class of a CI.
type class uint8

const (
	service class = iota
	deployment
	pod
	node
	namespace
	cluster
	configMap
	volume
	database
	cache
	queue
	server
	virtualMachine
	rack
	powerFeed
	site
	router
	switchDevice
	accessPoint
	firewall

	classes
)

func (c class) String() string {
	return [classes]string{
		"service", "deployment", "pod", "node", "namespace", "cluster", "configmap", "volume", "database", "cache", "queue",
		"server", "virtual_machine", "rack", "power_feed", "site", "router", "switch", "access_point", "firewall",
	}[c]
}

// classSet is a set of classes.
type classSet uint32

func setOf(cs ...class) (s classSet) {
	for _, c := range cs {
		s |= 1 << c
	}
	return s
}

func (s classSet) has(c class) bool { return s>>c&1 == 1 }

// relationType is the type of a relation; from needs to.
type relationType uint8

const (
	dependsOn relationType = iota
	servedBy
	owns
	runsOn
	inNamespace
	memberOf
	configuredBy
	storedOn
	mountedIn
	poweredBy
	connectsTo
	locatedIn

	relationTypes
)

func (t relationType) String() string {
	return [relationTypes]string{
		"depends_on", "served_by", "owns", "runs_on", "in_namespace", "member_of", "configured_by", "stored_on",
		"mounted_in", "powered_by", "connects_to", "located_in",
	}[t]
}
