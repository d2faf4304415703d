package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tocsin/ingest/httpdoor"
	"tocsin/internal/repotest"
)

// The configuration to copy is what serve would start with.
func TestExampleConfiguration(t *testing.T) {
	if _, err := newSetup(filepath.Join(repotest.Root(t), "deploy", "tocsin.example.yaml"), nil); err != nil {
		t.Error(err)
	}
}

// A named block begins with the language and a file name.
var namedBlock = regexp.MustCompile("(?ms)^```[a-z]+ ([a-z]+)\\.([a-z]+)\n(.*?)^```$")

// snippets writes the README's named blocks to files and lists them by the
// stem of their name: tocsin, estate…
func snippets(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	for _, m := range namedBlock.FindAllStringSubmatch(readPage(t, "README.md"), -1) {
		name := filepath.Join(t.TempDir(), m[1]+"."+m[2])
		if err := os.WriteFile(name, []byte(m[3]), 0o600); err != nil {
			t.Fatal(err)
		}
		files[m[1]] = append(files[m[1]], name)
	}
	return files
}

func TestREADMESnippets(t *testing.T) {
	files := snippets(t)
	for stem, want := range map[string]int{"tocsin": 3, "estate": 3, "mapping": 1, "sample": 1, "event": 1} {
		if got := len(files[stem]); got != want {
			t.Fatalf("README.md: %d blocks named %s, want %d", got, stem, want)
		}
	}
	for _, f := range files["tocsin"] {
		if _, err := newSetup(f, nil); err != nil {
			t.Error(err)
		}
	}
	for _, f := range files["estate"] {
		set, err := newSetup("", []string{f})
		if err != nil {
			t.Error(err)
		} else if len(set.Estate.CIs) == 0 || len(set.Estate.Relations) == 0 || len(set.Warnings) > 0 {
			t.Errorf("%s: %d CIs, %d relations, warnings %v", f, len(set.Estate.CIs), len(set.Estate.Relations), set.Warnings)
		}
	}

	var stdout, stderr bytes.Buffer
	args := []string{"map", "--mapping", files["mapping"][0], files["sample"][0]}
	if code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Errorf("the mapping on its sample: exit code %d\n%s", code, &stderr)
	} else if want := "zabbix: 1 event, 0 rejected, 0 ignored\n"; !strings.HasPrefix(stdout.String(), want) {
		t.Errorf("the mapping on its sample: %s\nwant %s", &stdout, want)
	}

	out := postEvents(t, files["event"][0])
	if out.Accepted != 2 || len(out.Rejected) != 0 {
		t.Errorf("the events: %+v, want both accepted", out)
	}
}

// postEvents sends a file to the door for our own events of a running server.
func postEvents(t *testing.T, file string) (out httpdoor.Outcome) {
	t.Helper()
	body, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	s, _ := wire(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	resp, err := http.Post("http://"+s.addr()+"/api/v1/events", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &out); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%s %s: %v", resp.Status, answer, err)
	}
	return out
}
