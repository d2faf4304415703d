package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/repotest"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repotest.Root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

var (
	// A command in a code block may follow a prompt, and stands alone in prose.
	blockCommand  = regexp.MustCompile(`(?m)^(?:\$ )?(?:\./tocsin|tocsin|go run \./cmd/tocsin) (.*)$`)
	inlineCommand = regexp.MustCompile("`tocsin ([^`]+)`")
	word          = regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`)
)

// commandLines are the arguments of the commands of ours that a page names.
func commandLines(page string) (lines [][]string) {
	for _, re := range []*regexp.Regexp{blockCommand, inlineCommand} {
		for _, m := range re.FindAllStringSubmatch(page, -1) {
			line, _, _ := strings.Cut(m[1], " #")
			var args []string
			for _, w := range word.FindAllString(line, -1) {
				args = append(args, strings.Trim(w, `"'`))
			}
			lines = append(lines, args)
		}
	}
	return lines
}

// understood says what is wrong with a command line; prose may leave its
// arguments out, but what it has must exist.
func understood(args []string) error {
	cmd, rest, err := newRootCommand().Find(args)
	if err != nil {
		return err
	}
	if !cmd.HasParent() {
		return errors.New("no such command")
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if got := cmd.Flags().Args(); len(got) > 0 {
		return cmd.ValidateArgs(got)
	}
	return nil
}

func TestPagesCallTocsinRightly(t *testing.T) {
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		lines := commandLines(readPage(t, name))
		if len(lines) == 0 && name == "README.md" {
			t.Errorf("%s: names no command of ours", name)
		}
		for _, args := range lines {
			if err := understood(args); err != nil {
				t.Errorf("%s: tocsin %s: %v", name, strings.Join(args, " "), err)
			}
		}
	}
}

func TestUnderstoodCanFail(t *testing.T) {
	for line, ok := range map[string]bool{
		"./tocsin incidents list --severity critical # now": true,
		"$ tocsin incidents ack 2EM-FSR8 -m \"on my way\"":  true,
		"text\ngo run ./cmd/tocsin demo   # it plays":       true,
		"so `tocsin explain` says":                          true,
		"tocsin incidents lst":                              false,
		"tocsin serve --confg x":                            false,
		"tocsin explain 1":                                  false,
		"see `tocsin predict`":                              false,
	} {
		lines := commandLines(line)
		if len(lines) != 1 {
			t.Errorf("%q: found %q, want one command", line, lines)
		} else if err := understood(lines[0]); (err == nil) != ok {
			t.Errorf("%q: %v, want understood: %v", line, err, ok)
		}
	}
}

var (
	commandRow = regexp.MustCompile("(?m)^\\| `tocsin ([a-z]+)` \\| (.*) \\|$")
	quoted     = regexp.MustCompile("`([a-z]+)`")
)

// The table has every command, and every command beneath it.
func TestREADMEListsEveryCommand(t *testing.T) {
	got := map[string][]string{}
	for _, m := range commandRow.FindAllStringSubmatch(readPage(t, "README.md"), -1) {
		got[m[1]] = nil
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			got[m[1]] = append(got[m[1]], q[1])
		}
	}
	for _, c := range newRootCommand().Commands() {
		words, ok := got[c.Name()]
		delete(got, c.Name())
		if !ok {
			t.Errorf("README.md: its table of commands lacks tocsin %s", c.Name())
		}
		if !c.HasSubCommands() {
			continue
		}
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		slices.Sort(names)
		slices.Sort(words)
		if diff := cmp.Diff(names, words); diff != "" {
			t.Errorf("README.md: the commands of tocsin %s (-there are +it lists):\n%s", c.Name(), diff)
		}
	}
	for name := range got {
		t.Errorf("README.md: lists tocsin %s, which does not exist", name)
	}
}

var door = regexp.MustCompile("(?m)^\\| `((?:GET|POST) /[^`]*)` \\|")

// Every door that the README lists is served by a pattern of its own.
func TestREADMEListsDoorsThatExist(t *testing.T) {
	s, _ := wire(t)
	mux, ok := s.http.Handler.(*http.ServeMux)
	if !ok {
		t.Fatalf("the server's handler is a %T; want the mux, to ask it for its patterns", s.http.Handler)
	}
	doors := door.FindAllStringSubmatch(readPage(t, "README.md"), -1)
	if len(doors) < 10 {
		t.Errorf("README.md: its table has %d doors, want all", len(doors))
	}
	for _, m := range doors {
		method, path, _ := strings.Cut(m[1], " ")
		req := httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(path), nil)
		if _, pattern := mux.Handler(req); pattern != m[1] {
			t.Errorf("README.md: the door %q is served by %q", m[1], pattern)
		}
	}
}

var (
	demoBlock  = regexp.MustCompile("(?s)```text\n(309 alerts.*?)```")
	incidentNo = regexp.MustCompile(`\b[0-9A-Z]{3}-[0-9A-Z]{4}\b`)
	joined     = regexp.MustCompile(`Joined because [^\n]*`)
)

// What the README shows of the demo is what the demo prints, but for the IDs,
// which tell the day. After a change of the scoring, paste the new lines.
func TestREADMEShowsTheDemo(t *testing.T) {
	page := readPage(t, "README.md")
	block := demoBlock.FindStringSubmatch(page)
	if block == nil {
		t.Fatal("README.md: no block that shows the demo")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--fast", "--exit", "--listen", "127.0.0.1:0"}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	plain := func(s string) string { return strings.TrimSpace(incidentNo.ReplaceAllString(s, "ID")) }
	printed := map[string]bool{"…": true}
	for line := range strings.Lines(stdout.String()) {
		printed[plain(line)] = true
	}
	for line := range strings.Lines(block[1]) {
		if !printed[plain(line)] {
			t.Errorf("README.md: the demo does not print %q", line)
		}
	}
	for _, sentence := range joined.FindAllString(page, -1) {
		if !strings.Contains(stdout.String(), sentence) {
			t.Errorf("README.md: no alert of the demo has %q", sentence)
		}
	}
	if t.Failed() {
		t.Logf("the demo printed:\n%s", &stdout)
	}
}
