package ingest

import (
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

var anyLabels = rapid.MapOf(rapid.StringMatching(`[a-zA-Z_"é]{1,3}`), rapid.StringMatching(`[\x00-~é]{0,5}`))

func TestFingerprintIsThatOfPrometheus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyLabels.Draw(t, "labels")
		ls, set := NewLabels(m), model.LabelSet{}
		for _, l := range ls {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
		if got, want := FingerprintOf(ls).String(), set.Fingerprint().String(); got != want {
			t.Fatalf("%v: %s, want %s", ls, got, want)
		}
	})
}

func TestFingerprintText(t *testing.T) {
	fp := FingerprintOf(LabelsOf("alertname", "Down"))
	got, err := ParseFingerprint(fp.String())
	if err != nil || got != fp {
		t.Errorf("%v read back as %v, %v", fp, got, err)
	}
	for _, s := range []string{"", "0123", "0123456789abcdefff", "0123456789abcdeg", "12345678901234567890"} {
		if got, err := ParseFingerprint(s); err == nil || !strings.Contains(err.Error(), "want 16 hex digits") {
			t.Errorf("%q: %v, %v; want an error", s, got, err)
		}
	}
}

// A set behaves as a map whose empty values are absent.
func TestLabelsAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyLabels.Draw(t, "labels")
		ls := NewLabels(m)
		for range 5 {
			name, value := rapid.SampledFrom([]string{"a", "b", "é", "zz"}).Draw(t, "name"), rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")
			ls = ls.Set(name, value)
			m[name] = value
			if got := ls.Get(name); got != value {
				t.Fatalf("%v: %s is %q, want %q", ls, name, got, value)
			}
		}
		if diff := cmp.Diff(NewLabels(m), ls); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ls, NewLabels(ls.Map())); diff != "" {
			t.Fatalf("Map (-want +got):\n%s", diff)
		}
		without := ls.Without([]string{"b", "zz", "absent"})
		if without.Get("b") != "" || without.Get("zz") != "" || without.Get("a") != ls.Get("a") {
			t.Fatalf("%v without b and zz: %v", ls, without)
		}
	})
}

func TestLabelsWithoutLeavesTheSetAlone(t *testing.T) {
	ls := LabelsOf("a", "1", "b", "2", "c", "3")
	if got := ls.Without([]string{"b"}); cmp.Diff(LabelsOf("a", "1", "c", "3"), got) != "" || ls.Get("b") != "2" {
		t.Errorf("got %v, and the set became %v", got, ls)
	}
}

func TestSortLabels(t *testing.T) {
	f := func(in []Label, want Labels) {
		t.Helper()
		if diff := cmp.Diff(want, SortLabels(in)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	f([]Label{}, Labels{})
	f([]Label{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"a", "4"}, {"b", "5"}}, Labels{{"a", "4"}, {"b", "5"}})
	f([]Label{{"a", "1"}, {"a", ""}}, Labels{{"a", ""}})
}

func TestLabelsString(t *testing.T) {
	if got, want := LabelsOf("b", `"`, "a", "x").String(), `{a="x", b="\""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Labels(nil).String(); got != "{}" {
		t.Errorf("the empty set is %s", got)
	}
}

func TestLabelsJSON(t *testing.T) {
	f := func(in string, want Labels, wantErr string) {
		t.Helper()
		var v1, v2 Labels
		err1, err2 := stdjson.Unmarshal([]byte(in), &v1), json.Unmarshal([]byte(in), &v2)
		for _, err := range []error{err1, err2} {
			if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
				t.Errorf("%s: error %v, want %q", in, err, wantErr)
			}
		}
		if wantErr != "" {
			return
		}
		if diff := cmp.Diff([]Labels{want, want}, []Labels{v1, v2}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	f(`{"b":"2","a":"1","Host":"DB"}`, LabelsOf("Host", "DB", "a", "1", "b", "2"), "")
	f(`{"a":"","b":"2"}`, LabelsOf("b", "2"), "")
	f(`null`, nil, "")
	f(`{}`, nil, "")
	f(`{"a":1}`, nil, `label "a": got number`)
	f(`{"a":null}`, nil, `label "a": got null`)
	f(`{"a":{"b":"c"}}`, nil, `label "a"`)
	f(`["a"]`, nil, "want an object of strings")
	f(`"a"`, nil, "want an object of strings")

	var ls Labels
	if err := json.Unmarshal([]byte(`{"a":1}`), &ls); !errors.Is(err, ErrLabelValue) {
		t.Errorf("a number: %v, want ErrLabelValue", err)
	}
}

func FuzzLabelsJSON(f *testing.F) {
	f.Add(`{"a":"1","b":"é"}`)
	f.Fuzz(func(t *testing.T, in string) {
		var ls Labels
		if json.Unmarshal([]byte(in), &ls) != nil {
			return
		}
		for i, l := range ls {
			if l.Value == "" || i > 0 && ls[i-1].Name >= l.Name || !utf8.ValidString(l.Name+l.Value) {
				t.Fatalf("%q became %q", in, ls)
			}
		}
		for _, marshal := range []func(any) ([]byte, error){stdjson.Marshal, func(v any) ([]byte, error) { return json.Marshal(v) }} {
			b, err := marshal(ls)
			if err != nil {
				t.Fatal(err)
			}
			var back Labels
			if err := json.Unmarshal(b, &back); err != nil || len(ls) > 0 && cmp.Diff(ls, back) != "" {
				t.Fatalf("%q, written as %s, came back as %q, %v", ls, b, back, err)
			}
		}
	})
}
