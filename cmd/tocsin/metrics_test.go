package main

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/config"
	"tocsin/internal/repotest"
)

// wire makes a server with the default configuration that does not run.
func wire(t *testing.T) (*server, *repotest.Registry) {
	t.Helper()
	reg := repotest.NewRegistry()
	set := &setup{Config: config.Default()}
	set.Config.Data, set.Config.Listen = t.TempDir(), "127.0.0.1:0"
	s, err := newServer(t.Context(), set, reg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s, reg
}

func TestMetrics(t *testing.T) {
	_, reg := wire(t)
	repotest.CheckMetrics(t, reg, filepath.Join("testdata", "metrics.txt"), *update)
}

var tableMetric = regexp.MustCompile("(?m)^\\| `(tocsin_[a-z_]+)(?:\\{[a-z,]*\\})?` \\|")

// documentedMetrics are the names in the first column of a page's tables.
func documentedMetrics(page string) (names []string) {
	for _, m := range tableMetric.FindAllStringSubmatch(page, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

func TestREADMEListsEveryMetric(t *testing.T) {
	_, reg := wire(t)
	ours := slices.DeleteFunc(reg.Names(), func(n string) bool { return !strings.HasPrefix(n, "tocsin_") })
	if diff := cmp.Diff(ours, documentedMetrics(readPage(t, "README.md"))); diff != "" {
		t.Errorf("the server's metrics and those in README.md differ (-server +README.md):\n%s", diff)
	}
}

func TestDocumentedMetrics(t *testing.T) {
	page := "| metric | meaning |\n| `tocsin_b{source,reason}` | b |\n| `tocsin_a` | not `tocsin_c` |\ntext `tocsin_d` |\n"
	if diff := cmp.Diff([]string{"tocsin_a", "tocsin_b"}, documentedMetrics(page)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
