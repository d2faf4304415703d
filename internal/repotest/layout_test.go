package repotest

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// topLevel is all that may lie at the top, besides files that begin with a dot.
var topLevel = []string{
	"CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum",
	"cmd", "cmdb", "correlate", "deploy", "docs", "grafana-plugin", "ingest", "internal", "problems",
}

// vague are names of packages that say nothing about what is inside, so that
// everything ends up there.
var vague = []string{"base", "common", "helper", "helpers", "lib", "misc", "model", "models", "pkg", "shared", "types", "util", "utils"}

func TestTopLevel(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range files(t, Root(t)) {
		top, _, _ := strings.Cut(name, "/")
		if seen[top] || strings.HasPrefix(top, ".") {
			continue
		}
		seen[top] = true
		if !slices.Contains(topLevel, top) {
			t.Errorf("%s: does not belong at the top; the layout has %v", top, topLevel)
		}
	}
	for _, must := range []string{"LICENSE", "Makefile", "README.md", "go.mod", "cmd", "ingest", "cmdb", "correlate", "internal"} {
		if !seen[must] {
			t.Errorf("%s: missing at the top", must)
		}
	}
}

func TestPackageNames(t *testing.T) {
	for _, p := range packages(t) {
		for elem := range strings.SplitSeq(p.ImportPath, "/") {
			if slices.Contains(vague, elem) {
				t.Errorf("%s: %q says nothing about what is inside; put each noun where it is born", p.ImportPath, elem)
			}
		}
		if base := path.Base(p.ImportPath); p.Name != "main" && p.Name != base && len(p.GoFiles) > 0 {
			t.Errorf("%s: package %s in folder %s; name them alike", p.ImportPath, p.Name, base)
		}
	}
}

var sentenceEnd = regexp.MustCompile(`[.!?]["')\]]*(\s|$)`)

// sentences counts the sentences of a comment, roughly.
func sentences(text string) int { return len(sentenceEnd.FindAllString(text, -1)) }

func TestPackageComments(t *testing.T) {
	checked := 0
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue // only tests
		}
		checked++
		var text strings.Builder
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Error(err)
				continue
			}
			if file.Doc != nil {
				text.WriteString(file.Doc.Text())
			}
		}
		if n := sentences(text.String()); n < 2 {
			t.Errorf("%s: its package comment has %d sentences; say what it is and why it is this way", p.ImportPath, n)
		}
	}
	if checked == 0 {
		t.Error("no package to check")
	}
}

func TestSentences(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		if got := sentences(text); got != want {
			t.Errorf("%q: %d sentences, want %d", text, got, want)
		}
	}
	f("", 0)
	f("Package x does y", 0)
	f("Package x does y.\n", 1)
	f("Package x speaks v1.0 of z. It does (not) wait.", 2)
}

// machinePath matches an absolute path that exists only on somebody's machine.
// It is put together here so that this file does not match itself.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.$}/-])(/` + `home/[a-z]|/` + `root/|/` + `Users/[A-Za-z]|/` + `work/|[A-Z]:\\` + `Users\\)|\.\./` + `shared\b`)

func TestNoMachinePaths(t *testing.T) {
	root := Root(t)
	checked := 0
	for _, name := range files(t, root) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			continue // binary
		}
		checked++
		for i, line := range bytes.Split(data, []byte("\n")) {
			if m := machinePath.Find(line); m != nil {
				t.Errorf("%s:%d: %q is a path of one machine", name, i+1, m)
			}
		}
	}
	if checked == 0 {
		t.Error("no text file to check")
	}
}

func TestMachinePathCanFail(t *testing.T) {
	f := func(line string, want bool) {
		t.Helper()
		if got := machinePath.MatchString(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
	f("cd /"+"home/jane/tocsin", true)
	f(`"/`+`root/go"`, true)
	f("see ..`/"+"shared", false)
	f("see ../"+"shared/x", true)
	f("https://example.com/"+"work/items", false)
	f("$HOME/"+"work/x", false)
	f("/usr/share/doc", false)
}
