package cmdb

import (
	"slices"
	"time"
)

// CI is one configuration item. A service is a CI of class "service".
type CI struct {
	// ID is unique in the estate and stable; any non-empty text.
	ID string `json:"id"`
	// Class is the kind of item: "service", "server", "pod", "rack", "pdu"…
	Class string `json:"class"`
	// Name is what people call it; empty means ID.
	Name string `json:"name,omitempty"`
	// Keys are further identities by kind, such as fqdn, ip, pod
	// ("namespace/pod") or cloud_id; one kind may have several values.
	Keys map[string][]string `json:"keys,omitempty"`
	// Attributes are whatever else the source knows.
	Attributes  map[string]string `json:"attributes,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Environment string            `json:"environment,omitempty"`
	Criticality Criticality       `json:"criticality,omitempty"`
	// State is "live" (also when empty) or "retired".
	State string `json:"state,omitempty"`

	// Source, Revision and At tell who wrote this revision and when.
	Source   string    `json:"source,omitempty"`
	Revision int64     `json:"revision,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// DisplayName is Name, or ID when there is none.
func (c *CI) DisplayName() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// MaxKeyValues is how many values one kind of key of one CI may have: to
// compare a value with them means to look at each.
const MaxKeyValues = 1000

// The class of services, and the states of a CI or relation.
const (
	ClassService = "service"
	StateLive    = "live"
	StateRetired = "retired"
)

// Criticality is how much the business depends on a CI; empty means not said,
// which counts as medium.
type Criticality string

// The criticalities, worst first.
const (
	CriticalityCritical Criticality = "critical"
	CriticalityHigh     Criticality = "high"
	CriticalityMedium   Criticality = "medium"
	CriticalityLow      Criticality = "low"
)

var criticalities = []Criticality{CriticalityCritical, CriticalityHigh, CriticalityMedium, CriticalityLow}

// Criticalities are all criticalities, worst first.
func Criticalities() []Criticality { return slices.Clone(criticalities) }

// Valid says whether c is one of [Criticalities], or empty.
func (c Criticality) Valid() bool { return c == "" || slices.Contains(criticalities, c) }

// Rank orders criticalities, 0 for critical to 3 for low. Anything else, the
// empty one included, ranks as medium.
func (c Criticality) Rank() int {
	if i := slices.Index(criticalities, c); i >= 0 {
		return i
	}
	return 2
}

// Relation says that From needs To.
type Relation struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Type is the kind of need: depends_on, runs_on, member_of, powered_by,
	// connects_to… The type's own direction never differs from From needs To.
	Type string `json:"type"`
	// Group names a redundancy group among the relations of From: From is hit
	// only when at least Need of the group's targets fail. Empty means that
	// this relation alone suffices.
	Group string `json:"group,omitempty"`
	// Need is how many of the group must fail; 0 means all of them.
	Need int `json:"need,omitempty"`

	State    string    `json:"state,omitempty"`
	Source   string    `json:"source,omitempty"`
	Revision int64     `json:"revision,omitempty"`
	At       time.Time `json:"at,omitzero"`
}
