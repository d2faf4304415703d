package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/ingest"
)

// update rewrites what the samples are to become:
// go test ./ingest/mapping -run Samples -update
var update = flag.Bool("update", false, "rewrite the .want files")

// TestSamples runs every mapping of testdata on its sample. The .want files
// hold whole reports, so that a change of any rule shows.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%v: %d mappings, want at least 4", err, len(files))
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".yaml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			specs, err := Parse(f, file)
			if err != nil {
				t.Fatal(err)
			}
			sample, err := os.ReadFile(base + ".json")
			if err != nil {
				t.Fatal(err)
			}
			rep := DryRun(t.Context(), mustCompile(t, specs[0]), sample, DryRunOptions{Now: now})
			if len(rep.Events) == 0 || len(rep.Rejected) > 0 || rep.Untried > 0 {
				t.Errorf("%d events, rejected %v, %d untried", len(rep.Events), rep.Rejected, rep.Untried)
			}
			for _, e := range rep.Events {
				if e.Severity == ingest.Unknown && e.Kind == ingest.KindAlert {
					t.Errorf("event %d: severity %q is unknown", e.Index, e.SourceSeverity)
				}
			}
			got, err := json.MarshalIndent(rep, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(base+".want", got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestIgnored(t *testing.T) {
	m := mustCompile(t, Spec{Each: ".alerts[]", Labels: map[string]string{"host": ".host // .node", "tag": `.tags[0]`}})
	sample := []byte(`{"alerts":[{"host":"a","node":"b","tags":["x","y"],"odd name":1,"1st":null,"empty":{},"none":[]}],"a\"b":true}`)
	before := bytes.Clone(sample)
	rep := DryRun(t.Context(), m, sample, DryRunOptions{Now: now})
	want := []Leaf{{`.["a\"b"]`, "true"}, {`.alerts[0].["1st"]`, "null"}, {".alerts[0].empty", "{}"}, {".alerts[0].node", `"b"`},
		{".alerts[0].none", "[]"}, {`.alerts[0].["odd name"]`, "1"}, {".alerts[0].tags[1]", `"y"`}}
	if d := cmp.Diff(want, rep.Ignored); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(before, sample) {
		t.Error("the sample was changed")
	}
	for _, l := range rep.Ignored {
		if _, err := compile(l.Path); err != nil {
			t.Errorf("%s is no jq path: %v", l.Path, err)
		}
	}
}

func TestDryRunOfBadSamples(t *testing.T) {
	m := mustCompile(t, Spec{Labels: map[string]string{"a": ".a"}})
	f := func(sample string, reason ingest.Reason) {
		t.Helper()
		rep := DryRun(t.Context(), m, []byte(sample), DryRunOptions{Now: now})
		if len(rep.Events) != 0 || len(rep.Rejected) != 1 || rep.Rejected[0].Reason != reason {
			t.Errorf("%s: %+v", sample, rep)
		}
	}
	f(`{`, ingest.ReasonMalformed)
	f(`{}`, ingest.ReasonInvalid)
	f(`"text"`, ingest.ReasonInvalid)
	f(`[]`, ingest.ReasonUnsupported)
}

func TestDryRunOfLargeSample(t *testing.T) {
	m := mustCompile(t, Spec{Each: ".", Labels: map[string]string{"a": `"x"`}})
	sample := "[" + strings.Repeat("1,", maxLeaves+9) + "1]"
	if rep := DryRun(t.Context(), m, []byte(sample), DryRunOptions{Now: now}); rep.Untried != 10 || len(rep.Ignored) != maxLeaves {
		t.Errorf("%d untried, %d ignored", rep.Untried, len(rep.Ignored))
	}
}
