package config

import (
	"strings"
	"time"

	"tocsin/ingest"
)

// Normalizer is Ingest as [ingest.NewNormalizer] takes it.
func (in *Ingest) Normalizer() ingest.NormalizerOptions {
	opt := ingest.NormalizerOptions{
		ReplicaLabels: in.ReplicaLabels, SeverityLabels: in.SeverityLabels,
		MaxLabels: in.MaxLabels, MaxLabelBytes: in.MaxLabelBytes,
		Sources: map[string]ingest.SourceOptions{},
	}
	for name, s := range in.Sources {
		o := ingest.SourceOptions{Severities: ingest.SeverityMap{}, KeepRaw: s.KeepRaw, Timeout: (*time.Duration)(s.ResolveTimeout)}
		for word, severity := range s.Severity {
			o.Severities[strings.ToLower(strings.TrimSpace(word))] = severity
		}
		opt.Sources[name] = o
	}
	return opt
}
