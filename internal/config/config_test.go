package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFixtures loads testdata/good and testdata/bad. Of each bad file the
// expected mistakes stand beside it; each has a good twin, so that what is
// refused is the mistake and not the key.
func TestFixtures(t *testing.T) {
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(bad) == 0 {
		t.Fatalf("no bad fixtures: %v", err)
	}
	for _, path := range bad {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			if _, err := Load("testdata/good/" + name); err != nil {
				t.Errorf("the good twin: %v", err)
			}
			c, err := Load(path)
			if err == nil {
				t.Fatalf("loaded %s without an error: %+v", path, c)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("mistakes of %s (-want +got):\n%s", path, diff)
			}
		})
	}
}
