package config

import (
	"encoding"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

const example = "../../deploy/tocsin.example.yaml"

// readExample returns the example as it is and with its examples uncommented.
func readExample(t *testing.T) (plain, full []byte) {
	t.Helper()
	plain, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	return plain, regexp.MustCompile(`(?m)^#(  )`).ReplaceAll(plain, []byte("$1"))
}

// The example shows the defaults, so as it is it changes nothing.
func TestExampleShowsDefaults(t *testing.T) {
	plain, full := readExample(t)
	got, err := Parse(example, plain)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, cmp.AllowUnexported(Secret{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example is not the default (-default +example):\n%s", diff)
	}
	if got, err = Parse(example, full); err != nil {
		t.Fatal(err)
	}
	var want Receiver
	want.setDefaults()
	shown := got.Notify.Receivers[0]
	shown.Name, shown.URL, shown.SecretFile, shown.AuthorizationFile, shown.Headers = "", "", "", "", nil
	if diff := cmp.Diff(want, shown, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Errorf("the receiver does not show the defaults (-default +example):\n%s", diff)
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	_, full := readExample(t)
	var doc yaml.Node
	if err := yaml.Unmarshal(full, &doc); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	mark(doc.Content[0], reflect.TypeFor[Config](), "", shown)
	all := schema(reflect.TypeFor[Config](), "")
	if len(all) < 40 {
		t.Errorf("only %d keys found in Config: %v", len(all), all)
	}
	for _, key := range all {
		if !shown[key] {
			t.Errorf("%s does not show the key %s", example, key)
		}
	}
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// schema lists the paths of all keys of a type; * stands for an element.
func schema(t reflect.Type, path string) (keys []string) {
	switch {
	case reflect.PointerTo(t).Implements(textType):
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem(), path)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Array:
		return schema(t.Elem(), join(path, "*"))
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if k := yamlKey(t.Field(i)); k != "" {
				keys = append(append(keys, join(path, k)), schema(t.Field(i).Type, join(path, k))...)
			}
		}
	}
	return keys
}

// mark notes which paths of a type a document gives.
func mark(n *yaml.Node, t reflect.Type, path string, shown map[string]bool) {
	shown[path] = true
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := 0; i < len(n.Content); i++ {
		switch {
		case n.Kind == yaml.SequenceNode:
			mark(n.Content[i], t.Elem(), join(path, "*"), shown)
		case t.Kind() == reflect.Map:
			i++
			mark(n.Content[i], t.Elem(), join(path, "*"), shown)
		default:
			k := n.Content[i].Value
			i++
			for j := range t.NumField() {
				if yamlKey(t.Field(j)) == k {
					mark(n.Content[i], t.Field(j).Type, join(path, k), shown)
				}
			}
		}
	}
}

func TestSchemaCanFail(t *testing.T) {
	keys := schema(reflect.TypeFor[Config](), "")
	for _, want := range []string{"listen", "ingest.sources.*.keep_raw", "binding.rules.*.labels", "correlation.flapping.stop", "notify.receivers.*.headers"} {
		if !slices.Contains(keys, want) {
			t.Errorf("schema lacks %s", want)
		}
	}
}
