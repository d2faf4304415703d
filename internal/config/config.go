package config

import (
	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
	"tocsin/ingest/mapping"
)

// Config is the whole configuration. [Default] has the defaults: a file names
// only what differs. deploy/tocsin.example.yaml explains every key.
type Config struct {
	// Listen is the host:port to serve on; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Data is the folder of the embedded store, relative to the working directory.
	Data string `yaml:"data"`
	// ExternalURL is where people reach Tocsin, for links in notifications.
	// Empty means that links are left out.
	ExternalURL string `yaml:"external_url"`
	Limits      Limits `yaml:"limits"`
	// Retention is how long ended records are kept; 0 keeps them for ever.
	Retention Duration `yaml:"retention"`

	CMDB        CMDB             `yaml:"cmdb"`
	Ingest      Ingest           `yaml:"ingest"`
	Binding     Binding          `yaml:"binding"`
	Correlation correlate.Config `yaml:"correlation"`
	Notify      Notify           `yaml:"notify"`
}

// Limits bound what one request and all requests together may take.
type Limits struct {
	// MaxBodyBytes is the largest request body, after decompression.
	MaxBodyBytes int64 `yaml:"max_body_bytes"`
	// MaxEventsInFlight is how many events may wait to be stored; more are
	// answered with 503.
	MaxEventsInFlight int `yaml:"max_events_in_flight"`
	// RequestTimeout is how long a request may take, its body included.
	RequestTimeout Duration `yaml:"request_timeout"`
}

// CMDB says where the estate comes from.
type CMDB struct {
	// Files are estates in YAML, JSON or CSV, read as one.
	Files []string `yaml:"files"`
}

// Ingest says how events of all sources are normalised.
type Ingest struct {
	// ReplicaLabels are left out of an alert's identity, so that the copies
	// that the members of a pair send are one alert.
	ReplicaLabels []string `yaml:"replica_labels"`
	// SeverityLabels are where an alert's severity is looked for, first hit wins.
	SeverityLabels []string `yaml:"severity_labels"`
	// MaxLabels and MaxLabelBytes bound the labels, and likewise the
	// annotations, of one event: their number and the length of a name or value.
	MaxLabels     int `yaml:"max_labels"`
	MaxLabelBytes int `yaml:"max_label_bytes"`
	// Sources are settings for one source each, by its name.
	Sources map[string]Source `yaml:"sources"`
	// Mappings read foreign JSON, each at its own door.
	Mappings []mapping.Spec `yaml:"mappings"`
}

// Source is how the events of one source differ from the usual.
type Source struct {
	// Severity translates the source's own words, in any case. Words that are
	// not in it keep the meaning they have for all sources.
	Severity map[string]ingest.Severity `yaml:"severity"`
	// ResolveTimeout is how long a firing alert that does not say when it ends
	// stays firing without being sent again; 0 means for ever. Without it the
	// source has its own: 5m for prometheus, 12h for alertmanager and grafana,
	// 24h for all others.
	ResolveTimeout *Duration `yaml:"resolve_timeout"`
	// KeepRaw keeps each event's payload as it was sent.
	KeepRaw bool `yaml:"keep_raw"`
	// HMACSecretFile holds the secret that the source signs its messages with;
	// empty takes unsigned messages.
	HMACSecretFile string `yaml:"hmac_secret_file"`
	// HMACSecret is what HMACSecretFile holds, read by [Load].
	HMACSecret Secret `yaml:"-"`
}

// Binding says how the CI of an alert is found.
type Binding struct {
	// Rules are tried in order, first match wins. Those of a file replace
	// [cmdb.DefaultRules]; an empty list binds nothing.
	Rules []cmdb.Rule `yaml:"rules"`
}

// Notify says who is told about incidents.
type Notify struct {
	Receivers []Receiver `yaml:"receivers"`
}
