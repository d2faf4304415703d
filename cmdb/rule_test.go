package cmdb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestRuleFromYAML(t *testing.T) {
	dec := yaml.NewDecoder(strings.NewReader(`
- labels: [namespace, pod]
  join: "/"
  pattern: "(.+)-[0-9]+"
  replace: "$1"
  transform: [lower]
  keys: [id, name, pod]
  classes: [pod]
  name: workload
`))
	dec.KnownFields(true)
	var got []Rule
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := []Rule{{Name: "workload", Labels: []string{"namespace", "pod"}, Join: "/", Pattern: "(.+)-[0-9]+", Replace: "$1",
		Transform: []Transform{Lower}, Keys: []string{"id", "name", "pod"}, Classes: []string{"pod"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
}

func TestTransforms(t *testing.T) {
	f := func(tr Transform, in, want string) {
		t.Helper()
		if got := tr.apply(in); got != want {
			t.Errorf("%s of %q = %q, want %q", tr, in, got, want)
		}
	}
	f(StripPort, "web-1:9100", "web-1")
	f(StripPort, "web-1", "web-1")
	f(StripPort, "web-1:http", "web-1:http")
	f(StripPort, "web-1:", "web-1:")
	f(StripPort, ":9100", "")
	f(StripPort, "[::1]:9100", "::1")
	f(StripPort, "[::1]", "::1")
	f(StripPort, "[::1", "[::1")
	f(StripPort, "[::1]x", "[::1]x")
	f(StripPort, "fe80::1", "fe80::1")
	f(URLHost, "https://a.example:8443/x", "a.example:8443")
	f(URLHost, "https://u:p@[::1]:1?q=@", "[::1]:1")
	f(URLHost, "a.example/x", "a.example/x")
	f(ShortName, "web-1.example.com", "web-1")
	f(ShortName, "10.0.0.1", "10.0.0.1")
	f(ShortName, ".example", ".example")
	f(Lower, "WEB", "web")
}
