package sqlite

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/correlate"
	"tocsin/ingest"
)

// fill gives all fields of a record any values, and none the zero value when
// full: a field unknown to the encoder is then missed.
func fill(t *rapid.T, v reflect.Value, full bool) {
	least := 0
	if full {
		least = 1
	}
	word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\xff", "a\"\\\n\x00", "é\u2028<"}))
	if full {
		word = word.Filter(func(s string) bool { return s != "" })
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		if n := rapid.Int64Range(int64(least), 1<<52).Draw(t, "time"); n != 0 {
			*x = time.UnixMicro(n).UTC()
		}
		return
	case *ingest.Severity:
		*x = ingest.Severity(rapid.IntRange(least, int(ingest.Critical)).Draw(t, "severity"))
		return
	case *ingest.Labels:
		*x = ingest.NewLabels(rapid.MapOfN(word, word, least, 3).Draw(t, "labels"))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), full)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(least, 3).Draw(t, "length"), 3))
		for i := range v.Len() {
			fill(t, v.Index(i), full)
		}
	case reflect.String:
		v.SetString(word.Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(full || rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.OneOf(rapid.Int64Range(int64(least), 9), rapid.Int64Range(-1<<62, -1)).Draw(t, "int"))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(rapid.Uint64Range(uint64(least), 255).Draw(t, "uint"))
	default:
		t.Fatalf("no values for %s; say here how to make some", v.Type())
	}
}

// TestEncode compares the encoders with the general one.
func TestEncode(t *testing.T) {
	var hand, general bodies
	rapid.Check(t, func(t *rapid.T) {
		full := rapid.Bool().Draw(t, "full")
		var e ingest.Event
		var a ingest.Alert
		var at correlate.Attachment
		for _, v := range []any{&e, &a, &at} {
			fill(t, reflect.ValueOf(v).Elem(), full)
		}
		e.Raw, a.Labels, a.Annotations, a.GeneratorURL = nil, nil, nil, "" // kept elsewhere
		same(t, &general, &e, func() ([]byte, error) { return hand.event(&e) })
		same(t, &general, &a, func() ([]byte, error) { return hand.alert(&a) })
		same(t, &general, &at, func() ([]byte, error) { return hand.attachment(&at), nil })
		hand.reset()
		general.reset()
	})
}

func same[T any](t *rapid.T, general *bodies, v *T, encode func() ([]byte, error)) {
	want, err := general.add(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := encode()
	if err != nil {
		t.Fatal(err)
	}
	var x, y T
	if err := decode(want, &x); err != nil {
		t.Fatal(err)
	}
	if err := decode(got, &y); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	if d := cmp.Diff(x, y); d != "" {
		t.Fatalf("%q (-want +got):\n%s", got, d)
	}
}

// TestEncodeUndefinedSeverity expects no body that could not be read again.
func TestEncodeUndefinedSeverity(t *testing.T) {
	var b bodies
	if _, err := b.event(&ingest.Event{Severity: ingest.Critical + 1}); err == nil {
		t.Error("an event of an undefined severity is encoded")
	}
	if _, err := b.alert(&ingest.Alert{Severity: ingest.Critical + 1}); err == nil {
		t.Error("an alert of an undefined severity is encoded")
	}
}
