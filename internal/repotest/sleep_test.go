package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// sleeps lists the calls of time.Sleep in a test file, unless it uses synctest:
// in a bubble no time passes, and everywhere else a sleep is either too long
// or, on a busy machine, too short.
func sleeps(fset *token.FileSet, file *ast.File) (found []string) {
	for _, imp := range file.Imports {
		if imp.Path.Value == `"testing/synctest"` {
			return nil
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if id, ok := sel.X.(*ast.Ident); ok && id.Name == "time" && id.Obj == nil {
				found = append(found, fmt.Sprintf("%s: time.Sleep in a test; wait for a condition (peers.Until) or use testing/synctest", fset.Position(n.Pos())))
			}
		}
		return true
	})
	return found
}

func TestTestsDoNotSleep(t *testing.T) {
	root := Root(t)
	checked := 0
	for _, name := range files(t, root) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		checked++
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, name), nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range sleeps(fset, file) {
			t.Error(strings.TrimPrefix(s, root+string(filepath.Separator)))
		}
	}
	if checked == 0 {
		t.Error("no test file to check")
	}
}

func TestSleepsCanFail(t *testing.T) {
	f := func(imports string, want int) {
		t.Helper()
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "x_test.go", "package x\nimport ("+imports+")\nfunc f() { time.Sleep(time.Second) }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := sleeps(fset, file); len(got) != want {
			t.Errorf("%s: %q, want %d", imports, got, want)
		}
	}
	f(`"time"`, 1)
	f(`"time"; "testing/synctest"`, 0)
}
