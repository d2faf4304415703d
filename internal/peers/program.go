package peers

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A Program is one that tests start.
type Program struct {
	// Env is the variable that names another file than the one on PATH.
	Env string
	// Names are looked for on PATH, in order.
	Names []string
	// Package is Debian's package that holds it.
	Package string
}

// The programs. Debian renamed Alertmanager, for another one had the name.
var (
	Prometheus   = Program{"TOCSIN_PROMETHEUS", []string{"prometheus"}, "prometheus"}
	Alertmanager = Program{"TOCSIN_ALERTMANAGER", []string{"prometheus-alertmanager", "alertmanager"}, "prometheus-alertmanager"}
	Amtool       = Program{"TOCSIN_AMTOOL", []string{"amtool"}, "prometheus-alertmanager"}
)

// requireEnv makes the absence of a program a failure.
const requireEnv = "TOCSIN_REQUIRE_PEERS"

// path finds the program's file.
func (p Program) path() (string, error) {
	if file := os.Getenv(p.Env); file != "" {
		found, err := exec.LookPath(file)
		if err != nil {
			return "", fmt.Errorf("%s=%s: %w; name an executable file or unset it", p.Env, file, err)
		}
		return found, nil
	}
	for _, name := range p.Names {
		if file, err := exec.LookPath(name); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is not on PATH; install Debian's package %s or name the file in %s", p.Names[0], p.Package, p.Env)
}

// Require ends the test unless all the programs are there: skipped, with how
// to get them, or failed if TOCSIN_REQUIRE_PEERS is set to anything but 0.
func Require(t testing.TB, programs ...Program) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := p.path(); err != nil {
			missing = append(missing, err.Error())
		}
	}
	if len(missing) == 0 {
		return
	}
	text := strings.Join(missing, "\n")
	if v := os.Getenv(requireEnv); v != "" && v != "0" {
		t.Fatalf("%s is set:\n%s", requireEnv, text)
	}
	t.Skipf("SKIPPED, nothing was tested:\n%s\nor run make setup as root", text)
}

// RunAmtool runs amtool and returns what it printed; an error is its exit code
// and what it complained of.
func RunAmtool(t testing.TB, args ...string) (string, error) {
	t.Helper()
	Require(t, Amtool)
	file, err := Amtool.path()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, args...)
	// A configuration file in somebody's home must not decide a test.
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("amtool %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
