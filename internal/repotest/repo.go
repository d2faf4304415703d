package repotest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Root returns the directory that holds go.mod, above the directory that the
// test runs in.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod in this directory or above it")
		}
		dir = up
	}
}

// files lists the repository's files, slashed and relative to root, in order:
// those git knows of, and new ones it would take. Without git, as in an
// unpacked archive, it is everything but what a build leaves behind.
func files(t testing.TB, root string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	var list []string
	if out, err := cmd.Output(); err == nil {
		for name := range strings.SplitSeq(string(out), "\x00") {
			// A file that was deleted and not yet committed is still listed.
			if info, err := os.Stat(filepath.Join(root, name)); name != "" && err == nil && info.Mode().IsRegular() {
				list = append(list, name)
			}
		}
	} else {
		list = walk(t, root)
	}
	if len(list) == 0 {
		t.Fatal("found no files in the repository")
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func walk(t testing.TB, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".tools", "node_modules", "dist", "data"}, d.Name()) {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && rel != "tocsin" {
			list = append(list, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
