package repotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "tocsin/"

var core = []string{"ingest", "cmdb", "correlate"}

// arrows say what of ours the packages that match a pattern may import; the
// first match holds. "*" stands for one element of a path, and as the only
// import for everything. A package may always be imported by its own tests.
var arrows = []struct {
	pattern string
	imports []string
}{
	// The core: what happens before may be known by what happens after.
	{"ingest", nil},
	{"cmdb", nil},
	{"correlate", []string{"ingest", "cmdb"}},

	// Adapters know the core and never each other, so that any of them can be
	// replaced alone. httpdoor is what all doors over HTTP have in common.
	{"ingest/*", []string{"ingest", "ingest/httpdoor"}},
	{"ingest/httpdoor/doortest", []string{"ingest"}},
	{"cmdb/*", []string{"cmdb"}},
	{"correlate/correlatetest", core},
	{"internal/repotest", nil},
	{"internal/peers", nil},
	// A mapping is configured in the words of its own package.
	{"internal/config", []string{"ingest", "cmdb", "correlate", "ingest/mapping"}},
	// What a replay predicts is told in the words of those who judge it.
	{"internal/replay", []string{"ingest", "cmdb", "correlate", "internal/quality"}},
	// Learning is replaying again and again.
	{"internal/learn", []string{"ingest", "cmdb", "correlate", "internal/quality", "internal/replay"}},
	{"internal/*", core},

	// Only cmd wires everything, and nobody imports it.
	{"cmd/*", []string{"*"}},
}

// Tests may also use these.
var testImports = []string{"internal/repotest", "internal/peers", "correlate/correlatetest", "ingest/httpdoor/doortest"}

// A listed is what we need of `go list -json`.
type listed struct {
	ImportPath, Name, Dir              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

// packages lists the packages of the module, their paths without its name.
func packages(t *testing.T) []listed {
	t.Helper()
	// -e: a package of somebody else that does not compile for the moment is
	// not what is tested here.
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = Root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list found no packages")
	}
	return all
}

// forbidden names the imports of a package that the arrows do not allow.
func forbidden(p listed) (complaints []string) {
	i := slices.IndexFunc(arrows, func(a struct {
		pattern string
		imports []string
	}) bool {
		ok, err := path.Match(a.pattern, p.ImportPath)
		return ok && err == nil
	})
	if i < 0 {
		return []string{fmt.Sprintf("no arrow says what %s may import; a package sits in one of the folders of the layout, or add an arrow", p.ImportPath)}
	}
	check := func(imports, allowed []string, who string) {
		for _, imp := range imports {
			ours, ok := strings.CutPrefix(imp, module)
			if !ok || ours == p.ImportPath || slices.Contains(allowed, ours) {
				continue
			}
			if slices.Contains(allowed, "*") && !strings.HasPrefix(ours, "cmd/") {
				continue
			}
			complaints = append(complaints, fmt.Sprintf("%s imports %s; it may import %v", who, ours, allowed))
		}
	}
	allowed := arrows[i].imports
	check(p.Imports, allowed, p.ImportPath)
	inTests := slices.Concat(allowed, testImports)
	check(p.TestImports, inTests, "the test of "+p.ImportPath)
	check(p.XTestImports, inTests, "the test of "+p.ImportPath)
	return complaints
}

func TestArrows(t *testing.T) {
	pkgs := packages(t)
	for _, p := range pkgs {
		for _, c := range forbidden(p) {
			t.Error(c)
		}
	}
	for _, a := range arrows {
		if !slices.ContainsFunc(pkgs, func(p listed) bool { ok, _ := path.Match(a.pattern, p.ImportPath); return ok }) {
			t.Errorf("the arrow for %s matches no package; remove or correct it", a.pattern)
		}
	}
}

func TestArrowsCanFail(t *testing.T) {
	f := func(p listed, want string) {
		t.Helper()
		if got := strings.Join(forbidden(p), "\n"); got != want {
			t.Errorf("%+v:\n got %q\nwant %q", p, got, want)
		}
	}
	f(listed{ImportPath: "correlate", Imports: []string{"time", "tocsin/cmdb", "tocsin/ingest"}}, "")
	f(listed{ImportPath: "correlate", Imports: []string{"tocsin/internal/config"}}, "correlate imports internal/config; it may import [ingest cmdb]")
	f(listed{ImportPath: "cmdb", Imports: []string{"tocsin/ingest"}}, "cmdb imports ingest; it may import []")
	f(listed{ImportPath: "internal/api", Imports: []string{"tocsin/internal/sqlite"}}, "internal/api imports internal/sqlite; it may import [ingest cmdb correlate]")
	f(listed{ImportPath: "internal/api", TestImports: []string{"tocsin/internal/peers"}}, "")
	f(listed{ImportPath: "internal/api", XTestImports: []string{"tocsin/internal/sqlite", "tocsin/internal/api"}},
		"the test of internal/api imports internal/sqlite; it may import [ingest cmdb correlate internal/repotest internal/peers correlate/correlatetest ingest/httpdoor/doortest]")
	f(listed{ImportPath: "cmd/tocsin", Imports: []string{"tocsin/internal/sqlite", "tocsin/ingest/otlp"}}, "")
	f(listed{ImportPath: "cmd/tocsin", Imports: []string{"tocsin/cmd/other"}}, "cmd/tocsin imports cmd/other; it may import [*]")
	f(listed{ImportPath: "helpers/strings"}, "no arrow says what helpers/strings may import; a package sits in one of the folders of the layout, or add an arrow")
}
