package repotest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the repository's Markdown files, without those of others that lie
// in testdata.
func pages(t *testing.T, root string) (names []string) {
	t.Helper()
	for _, name := range files(t, root) {
		if path.Ext(name) == ".md" && !strings.Contains(name, "testdata/") && !strings.Contains(name, "node_modules/") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal("no page to check")
	}
	return names
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// dead lists the relative links of a page that lead nowhere.
func dead(page, text string, exists func(string) bool) (found []string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target == "" || strings.Contains(target, ":") {
			continue
		}
		if to := path.Join(path.Dir(page), target); !exists(to) {
			found = append(found, fmt.Sprintf("%s: the link to %s leads nowhere", page, m[1]))
		}
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	root := Root(t)
	for _, page := range pages(t, root) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dead(page, string(text), func(name string) bool {
			_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
			return err == nil
		}) {
			t.Error(d)
		}
	}
}

func TestLinksCanBeDead(t *testing.T) {
	text := "[a](a.md) [b](../b.md#part) [web](https://example.com/x) [here](#here) [gone](gone.md)"
	exists := func(name string) bool { return slices.Contains([]string{"docs/a.md", "b.md"}, name) }
	got := dead("docs/page.md", text, exists)
	if want := []string{"docs/page.md: the link to gone.md leads nowhere"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A decision that needs more than a page is several.
const maxDecision = 3500

var decisionHead = regexp.MustCompile(`^# ([0-9]+)\. \S`)

func TestDecisionsAreShort(t *testing.T) {
	root := Root(t)
	n := 0
	for _, page := range pages(t, root) {
		if path.Dir(page) != "docs/adr" {
			continue
		}
		n++
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > maxDecision {
			t.Errorf("%s: %d bytes, at most %d; say less, or make two of it", page, len(text), maxDecision)
		}
		if m := decisionHead.FindSubmatch(text); m == nil || fmt.Sprintf("%04s", m[1]) != path.Base(page)[:4] {
			t.Errorf("%s: begins with %q; want its number and title", page, strings.SplitN(string(text), "\n", 2)[0])
		}
		for _, part := range []string{"\n## Context\n", "\n## Decision\n", "\n## Cost\n"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: lacks %s", page, strings.TrimSpace(part))
			}
		}
	}
	if n == 0 {
		t.Error("docs/adr: no decision to check")
	}
}
