package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// commands lists what a page's code blocks run: "make X" and "tocsin X".
// `go run ./cmd/tocsin X` and `./tocsin X` are tocsin too. Flags are left out,
// and so is everything that is not one of the two.
func commands(page string) (found []string) {
	fenced := false
	for line := range strings.SplitSeq(page, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			continue
		}
		line = strings.TrimPrefix(line, "$ ")
		line = strings.Replace(line, "go run ./cmd/tocsin", "tocsin", 1)
		for part := range strings.SplitSeq(strings.ReplaceAll(line, "&&", "|"), "|") {
			words := strings.Fields(part)
			for len(words) > 0 && strings.Contains(words[0], "=") { // FOO=bar make test
				words = words[1:]
			}
			if len(words) < 2 || strings.HasPrefix(words[1], "-") {
				continue
			}
			switch strings.TrimPrefix(words[0], "./") {
			case "make", "tocsin":
				found = append(found, strings.TrimPrefix(words[0], "./")+" "+words[1])
			}
		}
	}
	return found
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)

// available lists what there is to run: the Makefile's targets and the names
// of the cobra commands in cmd/tocsin.
func available(t *testing.T, root string) (all []string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range target.FindAllSubmatch(makefile, -1) {
		all = append(all, "make "+string(m[1]))
	}
	names, err := filepath.Glob(filepath.Join(root, "cmd", "tocsin", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Error("cmd/tocsin: no Go files")
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, use := range uses(file) {
			all = append(all, "tocsin "+use)
		}
	}
	// cobra adds these by itself.
	return append(all, "tocsin help", "tocsin completion")
}

// uses lists the first words of the Use fields in a file.
func uses(file *ast.File) (found []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isIdent := kv.Key.(*ast.Ident)
		lit, isLit := kv.Value.(*ast.BasicLit)
		if !isIdent || !isLit || key.Name != "Use" || lit.Kind != token.STRING {
			return true
		}
		if s, err := strconv.Unquote(lit.Value); err == nil {
			name, _, _ := strings.Cut(s, " ")
			found = append(found, name)
		}
		return true
	})
	return found
}

func TestPagesNameCommandsThatExist(t *testing.T) {
	root := Root(t)
	all := available(t, root)
	for _, page := range []string{"README.md", "CONTRIBUTING.md"} {
		data, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Error(err)
			continue
		}
		named := commands(string(data))
		if len(named) == 0 {
			t.Errorf("%s: its code blocks name no command", page)
		}
		for _, c := range named {
			if !slices.Contains(all, c) {
				t.Errorf("%s: there is no %q", page, c)
			}
		}
	}
}

func TestCommands(t *testing.T) {
	page := "make no\n```sh\n$ go run ./cmd/tocsin demo --fast\nCI=true make test && ./tocsin serve --data d | jq .\ntocsin --help\ncurl x\n```\ntocsin no\n"
	got, want := fmt.Sprint(commands(page)), "[tocsin demo make test tocsin serve]"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
