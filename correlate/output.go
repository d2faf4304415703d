package correlate

import (
	"time"

	"tocsin/cmdb"
	"tocsin/ingest"
)

// Output is what one tick decided: everything in it is to be stored in one
// transaction before the input is acknowledged. Records are in the order of
// their numbers.
type Output struct {
	At          time.Time
	Events      []ingest.Event
	Alerts      []ingest.Alert
	Attachments []Attachment
	Incidents   []Incident
	Links       []Link
	Memories    []Memory
	Lessons     []Lesson
	// Sightings are the re-sends, at most one for each alert.
	Sightings []ingest.Sighting
	// Counts are the events taken in, by source.
	Counts map[string]Counts
	// Replies answer the tick's commands, in the order of their IDs. They are
	// for the caller and not stored.
	Replies []Reply
}

// Counts says what became of a source's events. Received is their sum with
// what was rejected before it reached the engine.
type Counts struct {
	Stored       int64 `json:"stored"`
	Deduplicated int64 `json:"deduplicated"`
	Rejected     int64 `json:"rejected"`
}

// Empty says whether there is nothing to store.
func (o *Output) Empty() bool {
	return len(o.Events)+len(o.Alerts)+len(o.Attachments)+len(o.Incidents)+len(o.Links)+len(o.Memories)+len(o.Lessons)+len(o.Sightings)+len(o.Counts) == 0
}

// State is what an engine is restored from: what a store makes of all outputs
// so far.
type State struct {
	// At is the newest tick.
	At time.Time
	// EventSeq and Revision are the highest numbers given so far.
	EventSeq int64
	Revision int64
	// Alerts are the newest revisions of the alerts that fire, or ended after
	// State.At − Horizon, or are named by Attachments, with labels,
	// annotations and sightings applied.
	Alerts []ingest.Alert
	// Incidents are the newest revisions of those not yet closed or merged,
	// and of those that were closed or merged after State.At − Horizon, and of
	// those opened on the day of State.At.
	Incidents []Incident
	// Attachments are the newest for each incident and alert among Incidents,
	// without the detached.
	Attachments []Attachment
	// Changes are the change events received after State.At − Horizon.
	Changes []ingest.Event
	// Commands are the command events received after State.At − Horizon.
	Commands []ingest.Event
	// Memories are the newest of each kind and key.
	Memories []Memory
	// Lessons are those made after State.At − [History], by number.
	Lessons []Lesson
	// Topology is the estate, nil when there is none.
	Topology *cmdb.Snapshot
}
