package peers

import (
	"os"
	"path/filepath"
	"testing"
)

// StartPrometheus runs a Prometheus with a configuration, in whose folder
// files lie by their names, such as the rule files that it names. An alert is
// sent again every second instead of every minute, so that a test need not
// wait; flags are added to the command line.
func StartPrometheus(t testing.TB, config string, files map[string]string, flags ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "prometheus.yml", config)
	for name, text := range files {
		write(t, dir, name, text)
	}
	return start(t, Prometheus, dir, func(addr string) []string {
		return append([]string{
			"--config.file=" + filepath.Join(dir, "prometheus.yml"),
			"--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + addr,
			"--rules.alert.resend-delay=1s",
		}, flags...)
	})
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
