package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The core takes the same decisions live, in a replay and after a restart only
// if nothing but its arguments tells it anything.

// impureImports are packages of the standard library that reach the world
// outside, or that differ from run to run.
var impureImports = map[string]string{
	"crypto/rand": "random numbers are not repeatable; derive from the content",
	"database":    "I/O belongs to an adapter", "database/sql": "I/O belongs to an adapter",
	"hash/maphash": "its seed differs from run to run; use xxhash",
	"io/ioutil":    "I/O belongs to an adapter",
	"log":          "the core does not log; return it", "log/slog": "the core does not log; return it",
	"net": "I/O belongs to an adapter", "net/http": "I/O belongs to an adapter",
	"os": "I/O belongs to an adapter", "os/exec": "I/O belongs to an adapter", "os/signal": "I/O belongs to an adapter",
	"runtime": "a decision must not depend on the machine",
	"syscall": "I/O belongs to an adapter",
	"testing": "tests only",
}

// pureModules are the modules of others that the core may use: they only compute.
var pureModules = []string{
	"github.com/cespare/xxhash/v2",
	"github.com/go-json-experiment/json",
	"github.com/prometheus/alertmanager/pkg/labels",
	"tocsin",
}

// impureNames are what a core package must not use of an otherwise pure package.
var impureNames = map[string]string{
	"time.Now": "take now as an argument", "time.Since": "take now as an argument", "time.Until": "take now as an argument",
	"time.Sleep": "the core does not wait", "time.After": "the core does not wait", "time.AfterFunc": "the core does not wait",
	"time.Tick": "the core does not wait", "time.NewTimer": "the core does not wait", "time.NewTicker": "the core does not wait",
	"time.Local":          "the machine's zone; name the zone",
	"context.WithTimeout": "a timeout is a clock", "context.WithDeadline": "a deadline is a clock",
	"fmt.Print": "I/O belongs to an adapter", "fmt.Printf": "I/O belongs to an adapter", "fmt.Println": "I/O belongs to an adapter",
}

// seeded are the only names of math/rand that do not draw from a random seed.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "NewSource", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}

// impurities lists what in a file is not pure, as file:line:col: what; way out.
func impurities(fset *token.FileSet, file *ast.File) (found []string) {
	add := func(n ast.Node, format string, args ...any) {
		found = append(found, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // as used in this file → import path
	for _, imp := range file.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			add(imp, "import %s", imp.Path.Value)
			continue
		}
		if why, ok := impureImports[p]; ok {
			add(imp, "import %s in the core; %s", p, why)
		} else if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") && !slices.ContainsFunc(pureModules, func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") }) {
			add(imp, "import %s in the core; if it only computes, add it to pureModules", p)
		}
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if imp.Name != nil {
			name = imp.Name.Name
			if name == "." {
				add(imp, "import . %s in the core; name it, or its uses cannot be checked", p)
			}
		}
		names[name] = p
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n, "go statement in the core; goroutines belong to an adapter")
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Obj == nil && (id.Name == "print" || id.Name == "println") {
				add(n, "%s in the core; return it", id.Name)
			}
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok || id.Obj != nil { // a variable of that name shadows the package
				return true
			}
			p := names[id.Name]
			if why, ok := impureNames[p+"."+n.Sel.Name]; ok {
				add(n, "%s.%s in the core; %s", p, n.Sel.Name, why)
			}
			if (p == "math/rand" || p == "math/rand/v2") && !slices.Contains(seeded, n.Sel.Name) {
				add(n, "%s.%s in the core draws from a random seed; use rand.New with a seed from the content", p, n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestCoreIsPure(t *testing.T) {
	root := Root(t)
	// A simulated world is the same for the same seed, for the same reasons.
	for _, dir := range slices.Concat(core, []string{"internal/simulate"}) {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "_test.go") })
		if len(names) == 0 {
			t.Errorf("%s: no Go files to check", dir)
		}
		for _, name := range names {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, found := range impurities(fset, file) {
				t.Error(strings.TrimPrefix(found, root+string(filepath.Separator)))
			}
		}
	}
}

func TestPurityCanFail(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x.go", "package x\n"+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := impurities(fset, file)
		if len(got) != len(want) {
			t.Errorf("%s\n got %q\nwant %q", src, got, want)
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s\n got %q\nwant %q…", src, got[i], want[i])
			}
		}
	}
	f(`import "time"; var x = time.Now()`, "x.go:2:24: time.Now in the core; take now as an argument")
	f(`import clock "time"; func f() { _ = clock.Since }`, "x.go:2:37: time.Since in the core")
	f(`import "time"; func f(now time.Time) time.Time { return now.Add(time.Second) }`)
	f(`import "time"; func f(time interface{ Now() int }) int { return time.Now() }; var _ = time.Second`)
	f(`func f() { go f() }`, "x.go:2:12: go statement in the core")
	f(`import "os"`, "x.go:2:8: import os in the core; I/O")
	f(`import _ "log/slog"`, "x.go:2:8: import log/slog in the core; the core does not log")
	f(`import . "time"`, "x.go:2:8: import . time in the core")
	f(`import "math/rand/v2"; var x, y = rand.IntN(3), rand.New(rand.NewPCG(1, 2))`, "x.go:2:35: math/rand/v2.IntN in the core draws from a random seed")
	f(`import "github.com/segmentio/kafka-go"`, "x.go:2:8: import github.com/segmentio/kafka-go in the core; if it only computes")
	f(`import "github.com/prometheus/alertmanager/pkg/labels"`)
	f(`func f() { println() }`, "x.go:2:12: println in the core")
}
