package config

import (
	"time"

	"tocsin/correlate"
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
			ReplicaLabels:  []string{"prometheus_replica", "replica", "__replica__"},
			SeverityLabels: []string{"severity", "priority", "level"},
			MaxLabels:      128,
			MaxLabelBytes:  4 << 10,
		},
		Correlation: correlate.DefaultConfig(),
	}
}

// defaults gives the elements of lists and maps theirs, before what the file
// says is put over them.
func setDefaults(v any) {
	switch v := v.(type) {
	case *Receiver:
		v.setDefaults()
	case *Source:
		v.setDefaults()
	}
}

func (s *Source) setDefaults() { s.ResolveTimeout = Duration(5 * time.Minute) }
