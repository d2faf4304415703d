package api

import (
	"errors"
	"fmt"
	"net/http"

	"tocsin/correlate"
	"tocsin/ingest"
)

// NoiseList are the alerts that are kept out of incidents because of their own
// past.
type NoiseList struct {
	Items []NoisyAlert `json:"items"`
	// Alerts counts them all; at most maxNoise are listed.
	Alerts int `json:"alerts"`
}

// NoisyAlert is one of them, with the numbers that say so.
type NoisyAlert struct {
	correlate.Noise
	// Alert is what is stored of it; missing when that is beyond the retention.
	Alert *ingest.Alert `json:"alert,omitempty"`
}

const maxNoise = 1000

func (s *Server) noise(w http.ResponseWriter, r *http.Request) error {
	all, err := s.opt.Explainer.Noise(r.Context())
	if err != nil {
		return fmt.Errorf("list noise: %w", err)
	}
	out := NoiseList{Items: []NoisyAlert{}, Alerts: len(all)}
	for _, n := range all[:min(len(all), maxNoise)] {
		item := NoisyAlert{Noise: n}
		a, err := s.opt.Reader.Alert(r.Context(), n.Fingerprint)
		switch {
		case err == nil:
			item.Alert = &a
		case !errors.Is(err, correlate.ErrNotFound):
			return fmt.Errorf("read alert %s: %w", n.Fingerprint, err)
		}
		out.Items = append(out.Items, item)
	}
	s.write(w, r, http.StatusOK, out)
	return nil
}
