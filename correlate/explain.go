package correlate

import (
	"time"

	"tocsin/ingest"
)

// Explanation answers why an alert is, or is not, in an incident.
type Explanation struct {
	Fingerprint ingest.Fingerprint `json:"fingerprint"`
	Incident    string             `json:"incident"`
	// Member says that the alert is in the incident. Then Evidence is what was
	// recorded when it came in; otherwise it is computed as of At from the
	// state and the estate of that moment.
	Member   bool      `json:"member"`
	At       time.Time `json:"at"`
	Evidence Evidence  `json:"evidence"`
}
