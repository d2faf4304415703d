package config

import (
	"slices"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Default returns the configuration of a server that was given none: it serves
// on loopback and keeps its store in ./data.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:9094",
		Data:   "./data",
		Limits: Limits{
			MaxBodyBytes:      20 << 20,
			MaxEventsInFlight: 50_000,
			RequestTimeout:    Duration(30 * time.Second),
		},
		Retention: Duration(90 * 24 * time.Hour),
		Ingest: Ingest{
			ReplicaLabels:  slices.Clone(ingest.DefaultReplicaLabels),
			SeverityLabels: []string{"severity", "level", "priority"},
			MaxLabels:      128,
			MaxLabelBytes:  16 << 10,
		},
		Binding:     Binding{Rules: cmdb.DefaultRules()},
		Correlation: correlate.DefaultConfig(),
	}
}

// setDefaults gives the elements of lists and maps theirs, before what the file
// says is put over them.
func setDefaults(v any) {
	if r, ok := v.(*Receiver); ok {
		r.setDefaults()
	}
}
