package peers

import (
	"encoding/json"
	"fmt"
)

// clusterOf reports whether an Alertmanager knows n members, itself among
// them, and has settled.
func (s *Server) clusterOf(n int) error {
	body, err := get(s.URL + "/api/v2/status")
	if err != nil {
		return err
	}
	var status struct {
		Cluster struct {
			Status string            `json:"status"`
			Peers  []json.RawMessage `json:"peers"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		return fmt.Errorf("status of %s: %w", s.URL, err)
	}
	if c := status.Cluster; c.Status != "ready" || len(c.Peers) != n {
		return fmt.Errorf("cluster of %s is %s with %d members, not ready with %d", s.URL, c.Status, len(c.Peers), n)
	}
	return nil
}
