package peers

import (
	"path/filepath"
	"testing"
)

// StartAlertmanager runs an Alertmanager with a configuration, on its own;
// flags are added to the command line.
func StartAlertmanager(t testing.TB, config string, flags ...string) *Server {
	t.Helper()
	return startAlertmanager(t, config, "", flags)
}

// StartAlertmanagers runs a cluster of n Alertmanagers with one configuration.
// They gossip on loopback, and have found each other when this returns.
func StartAlertmanagers(t testing.TB, n int, config string, flags ...string) []*Server {
	t.Helper()
	var all []*Server
	for range n {
		mine := flags
		for _, s := range all {
			mine = append(mine[:len(mine):len(mine)], "--cluster.peer="+s.ClusterAddr)
		}
		all = append(all, startAlertmanager(t, config, freeAddr(t), mine))
	}
	for _, s := range all {
		Until(t, startTimeout, func() error { return s.clusterOf(n) })
	}
	return all
}

func startAlertmanager(t testing.TB, config, clusterAddr string, flags []string) *Server {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "alertmanager.yml", config)
	s := start(t, Alertmanager, dir, func(addr string) []string {
		args := []string{
			"--config.file=" + filepath.Join(dir, "alertmanager.yml"),
			"--storage.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + addr,
			"--cluster.listen-address=" + clusterAddr,
		}
		if clusterAddr != "" {
			// Defaults are for a wide network; a member waits peer-timeout
			// times its position before it notifies.
			args = append(args, "--cluster.advertise-address="+clusterAddr, "--cluster.gossip-interval=50ms",
				"--cluster.pushpull-interval=1s", "--cluster.settle-timeout=2s", "--cluster.peer-timeout=2s")
		}
		return append(args, flags...)
	})
	s.ClusterAddr = clusterAddr
	return s
}
