package quality

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
)

// checkMistakes compares the error for a file with what is wanted, a line each.
func checkMistakes[T any](t *testing.T, read func(io.Reader, string) ([]T, error), text string, want ...string) {
	t.Helper()
	got, err := read(strings.NewReader(text), "f")
	if err == nil || got != nil {
		t.Errorf("%s: %v, %v, want mistakes", text, got, err)
		return
	}
	if lines := strings.Split(err.Error(), "\n"); !equal(lines, want) {
		t.Errorf("%s\n got %s\nwant %s", text, strings.Join(lines, "\n     "), strings.Join(want, "\n     "))
	}
}

func equal(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// allAlerts reads a stream to its end, with all its mistakes.
func allAlerts(r io.Reader, file string) ([]Alert, error) {
	var out []Alert
	var errs []error
	for a, err := range ReadAlerts(r, file) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, a)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

func TestMistakesInAlerts(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		checkMistakes(t, allAlerts, text, want...)
	}
	// All of a line, and the lines after it.
	f(`{"time":"now","id":7,"severity":5,"labels":{"a":[1],"b":{}},"ci":1}
{"id":"a","ci":"b"}
{"time":1,"id":"fine"}
{"time":null,"id":""}`,
		`f:1: time: want Unix seconds as a number, got text "now"`,
		`f:1: id: want text, got number 7 (put it in quotes)`,
		`f:1: severity: want 1 (worst), 2, 3 or 4, got number 5`,
		`f:1: labels.a: want text, got a list`,
		`f:1: labels.b: want text, got an object`,
		`f:1: ci: want text, got number 1`,
		`f:2: time is missing; the line has id, ci`,
		`f:4: id is empty; give it a text`)
	f(`{"time":null,"id":"a"}`, `f:1: time is null; want Unix seconds`)
	f(`{}`, `f:1: time is missing; the line has nothing`, `f:1: id is missing; the line has nothing`)
	f(`{"time":1,"id":"a","severity":"high","labels":[],"name":true}`,
		`f:1: severity: want 1 (worst), 2, 3 or 4, got text "high"`, `f:1: labels: want an object, got a list`, `f:1: name: want text, got boolean true`)

	// Times.
	for value, want := range map[string]string{
		"NaN":                 "NaN is no number; leave the field out, or give a number",
		"-Infinity":           "-Infinity is no number; leave the field out, or give a number",
		"Infinity":            "Infinity is no number; leave the field out, or give a number",
		"-1":                  "-1: before 1970; want Unix seconds",
		"-0.5":                "-0.5: before 1970; want Unix seconds",
		"7258118400":          "7258118400: in the year 2200 or later; want Unix seconds",
		"1e99":                "1e99: in the year 2200 or later; want Unix seconds",
		"1e999":               "1e999: in the year 2200 or later; want Unix seconds",
		"1740789091000":       "1740789091000: these seem to be milliseconds; want Unix seconds, such as 1740789091",
		"1740789091000000.5":  "1740789091000000.5: these seem to be microseconds; want Unix seconds, such as 1740789091",
		"1740789091000000000": "1740789091000000000: these seem to be nanoseconds; want Unix seconds, such as 1740789091",
	} {
		f(`{"id":"a","time":`+value+`}`, "f:1: time: "+want)
	}
	// What is no JSON ends the line, not the file.
	f(`{"time":1,"id":"a"
{"time":1,"id":"a"} {"time":1,"id":"b"}
[{"time":1,"id":"a"}]
"x"
{"time":1,"time":2,"id":"a"}
{"time":1,"id":"a",}
{time:1}
nonsense
{"id":"`+"\xff"+`"}
{"time":tru`,
		`f:1: the line ends within its object; was the file cut off?`,
		`f:2: something follows the object; give each line one object`,
		`f:3: want an object, got a list`,
		`f:4: want an object, got text "x"`,
		`f:5: field "time" is given twice`,
		`f:6: no JSON from byte 19 on: invalid character ',' at start of value`,
		`f:7: no JSON: the name of a field stands in quotes`,
		`f:8: no JSON from byte 2 on: invalid character 'o' in literal null (expecting 'u')`,
		`f:9: id: no JSON from byte 8 on: invalid UTF-8`,
		`f:10: time: the line ends within its object; was the file cut off?`)
}

func TestMistakesInOtherFiles(t *testing.T) {
	checkMistakes(t, ReadTruth, `{"alert_id":"a","incident_id":"I1"}
{"alert_id":"b","incident_id":null}

{"alert_id":"a","incident_id":"I2"}
{"alert_id":"b","incident_id":null}
{"alert_id":"b","incident_id":"I1","root":1}
{"alert_id":"b","incident_id":"I1"}
{"alert_id":"c","incident_id":""}
{"alert_id":"d","incident":"I1"}`,
		`f:4: alert_id "a" is in incident "I2", and in line 1 in "I1"; an alert belongs to one`,
		`f:5: alert_id "b" was given in line 2 already; take one of them out`,
		`f:6: root: want true or false, got number 1`,
		`f:7: alert_id "b" is in incident "I1", and in line 2 in null; an alert belongs to one`,
		`f:8: incident_id is empty; write null for noise`,
		`f:9: incident_id is missing; the line has alert_id, incident`)
	checkMistakes(t, ReadPredicted, `{"alert_id":null,"incident_id":3}`,
		`f:1: alert_id: want text, got null`, `f:1: incident_id: want text, got number 3 (put it in quotes)`)
	checkMistakes(t, ReadIncidents, `{"incident_id":"I1","root_cis":["a",1,""],"start":-1}
{"incident_id":"I2","root_cis":"a"}
{"incident_id":"I3","root_cis":null}
{"incident_id":"I3","root_cis":[]}
{"incident_id":"I4"}`,
		`f:1: root_cis[1]: want text, got number 1 (put it in quotes)`, `f:1: root_cis[2] is empty; give it a text`, `f:1: start: -1: before 1970; want Unix seconds`,
		`f:2: root_cis: want a list of texts, got text "a"`,
		`f:4: incident_id "I3" was given in line 3 already; take one of them out`,
		`f:5: root_cis is missing; the line has incident_id`)
	checkMistakes(t, ReadCauses, `{"incident_id":"I1","causes":[{"kind":"ci","id":"a","score":"x"},7,{"kind":"ci"},{"kind":"ci","id":"a","score":1e999}]}
{"incident_id":"I2","causes":[{"kind":"ci","id":"a"},{"kind":"alert","id":"a"},{"kind":"ci","id":"a","why":{}}]}
{"incident_id":"I3","causes":{}}
{"incident_id":"I4","causes":[{"kind":"ci","id":"a","score":NaN}]}
{"incident_id":"I5","causes":[]}
{"incident_id":"I5","causes":[]}`,
		`f:1: causes[0].score: want a number, got text "x"`, `f:1: causes[1]: want an object with kind and id, got number 7`,
		`f:1: causes[2]: want kind (ci, alert or change) and id`, `f:1: causes[3].score: 1e999 is beyond what a number can be`,
		`f:1: causes[3]: ci "a" is causes[0] already; rank it once`,
		`f:2: causes[2]: ci "a" is causes[0] already; rank it once`,
		`f:3: causes: want a list of causes, got an object`,
		`f:4: causes[0].score: NaN is no number; leave the field out, or give a number`,
		`f:6: incident_id "I5" was given in line 5 already; give all its causes in one`)
	checkMistakes(t, ReadChangeLinks, `{"id":"C1","time":1,"ci":"a"}
{"change_id":"C1","incident_id":"I1"}
{"change_id":"C1","incident_id":"I2"}
{"change_id":"C1","incident_id":"I1","score":2}
{"change_id":"C1"}`,
		`f:1: this is a change, not the link of one to an incident; give the file with change_id and incident_id`,
		`f:4: change_id "C1" and incident_id "I1" were given in line 2 already; take one of them out`,
		`f:5: incident_id is missing; the line has change_id`)
	checkMistakes(t, ReadProblems, `{"incident_id":"I1","signature":null}
{"incident_id":"I1","signature":"s"}
{"incident_id":"I2"}`,
		`f:2: incident_id "I1" was given in line 1 already; an incident has one signature`,
		`f:3: signature is missing; the line has incident_id`)
	checkMistakes(t, wholeChanges, `{"time":null,"id":"a"}`, `f:1: time is null; want Unix seconds`)
}

func TestMistakesAreBounded(t *testing.T) {
	_, err := allAlerts(strings.NewReader(strings.Repeat("{\"id\":7}\n", 1000)), "f")
	lines := strings.Split(err.Error(), "\n")
	if n := len(lines); n != maxMistakes+1 || lines[n-1] != "f: more than 100 mistakes; the rest was not read" {
		t.Errorf("%d lines, the last %s", n, lines[n-1])
	}
	_, err = ReadTruth(strings.NewReader(strings.Repeat(`{"alert_id":"a","incident_id":null}`+"\n", 1000)), "f")
	lines = strings.Split(err.Error(), "\n")
	if n := len(lines); n != maxMistakes+1 || lines[n-1] != "f: more than 100 mistakes; the rest was not read" {
		t.Errorf("%d lines, the last %s", n, lines[n-1])
	}
}

func TestLongLines(t *testing.T) {
	pad := func(n int) string { return fmt.Sprintf(`{"time":1,"id":"a","text":"%s"}`, strings.Repeat("x", n)) }
	fits := maxLine - len(pad(0)) - 1
	for _, end := range []string{"\n", ""} {
		// Neither a line that fits nor one that does not may harm the next.
		text := pad(fits) + "\n" + pad(fits+1) + "\n" + strings.Repeat(" ", 3*maxLine) + "\n" + pad(0) + "\n" + pad(100_000) + end
		var ids, mistakes []string
		for a, err := range ReadAlerts(strings.NewReader(text), "f") {
			if err != nil {
				mistakes = append(mistakes, err.Error())
				continue
			}
			ids = append(ids, fmt.Sprint(len(a.Text)))
		}
		if want := []string{fmt.Sprint(fits), "0", "100000"}; !equal(ids, want) {
			t.Errorf("texts of %v bytes, want %v", ids, want)
		}
		const long = "the line is longer than 1048576 bytes; is this JSON with one object a line?"
		if want := []string{"f:2: " + long, "f:3: " + long}; !equal(mistakes, want) {
			t.Errorf("got %q, want %q", mistakes, want)
		}
	}
}

func TestReadingFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	text := `{"alert_id":"a","incident_id":null}` + "\n" + `{"alert_id":"b",`
	got, err := ReadTruth(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "f")
	if !errors.Is(err, broken) || got != nil || err.Error() != "read f: the disk is gone" {
		t.Errorf("%v, %v", got, err)
	}
}

// A stream may be left at any place.
func TestStreamCanBeLeft(t *testing.T) {
	text := strings.Repeat("{\"id\":7}\n{\"time\":1,\"id\":\"a\"}\n", 200)
	for stop := range 6 {
		n := 0
		for range ReadAlerts(strings.NewReader(text), "f") {
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 {
			t.Errorf("left after %d, want %d", n, stop+1)
		}
	}
}

func TestWriterRefusesWhatCannotBeRead(t *testing.T) {
	var b strings.Builder
	w := NewWriter(&b)
	inf, zero := math.Inf(1), Alert{ID: "a"}
	for _, r := range []Record{zero, Change{ID: "c"}, ChangeLink{"c", "I", inf}, Causes{"I", []Cause{{"ci", "a", inf - inf}}}} {
		if err := w.Write(r); err == nil {
			t.Errorf("%+v was written", r)
		}
	}
	if err := w.Write(Prediction{AlertID: "a"}); err != nil {
		t.Error(err)
	}
	if err := w.Flush(); err != nil || b.String() != `{"alert_id":"a","incident_id":null}`+"\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// checkReader reads anything: a result or mistakes, and each mistake with file
// and line.
func checkReader[T any](t *testing.T, read func(io.Reader, string) ([]T, error), text []byte) {
	t.Helper()
	got, err := read(strings.NewReader(string(text)), "f")
	if err == nil {
		return
	}
	if got != nil {
		t.Errorf("%q: %v and %v", text, got, err)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%q: %v", text, err)
	}
	for _, e := range joined.Unwrap() {
		if m, ok := errors.AsType[*Mistake](e); !ok || m.File != "f" || m.Detail == "" {
			t.Errorf("%q: %#v", text, e)
		}
	}
}

func FuzzReaders(f *testing.F) {
	for _, seed := range []string{
		`{"time": 1740789091, "end_time": 1740789358.25, "id": "A001429", "ci": "eu/a/pod", "severity": 4, "name": "x", "text": "y", "fingerprint": "z", "labels": {"a": "b", "n": 1}}`,
		`{"id": "CHG00001", "time": 1740787705, "ci": "eu/a/deployment", "kind": "deployment"}`,
		`{"alert_id": "A000001", "incident_id": "I1", "root": true, "ci": "us"}` + "\n" + `{"alert_id": "A000002", "incident_id": null}`,
		`{"incident_id": "I1", "start": 1740798403, "problem_id": "p", "root_cis": ["us/a"], "alerts": 3, "category": null}`,
		`{"incident_id": "I1", "causes": [{"kind": "ci", "id": "a", "score": 0.5}, {"kind": "change", "id": "a"}]}`,
		`{"change_id": "C", "incident_id": "I", "score": 1e3}` + "\r\n" + `{"incident_id": "I", "signature": "\u00e9"}`,
		`{"time":NaN}`, `{"a":{"b":[{"c":`, "\ufeff{}\n\n[]", `{"causes":[1,{"kind":null}]}x`, `{"time":-Infinity`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkReader(t, allAlerts, text)
		checkReader(t, ReadTruth, text)
		checkReader(t, ReadPredicted, text)
		checkReader(t, ReadIncidents, text)
		checkReader(t, ReadCauses, text)
		checkReader(t, ReadChangeLinks, text)
		checkReader(t, ReadProblems, text)
		// What was read can be written.
		for a, err := range ReadAlerts(strings.NewReader(string(text)), "f") {
			if err == nil {
				if err := NewWriter(io.Discard).Write(a); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
		}
		for c, err := range ReadChanges(strings.NewReader(string(text)), "f") {
			if err == nil {
				if err := NewWriter(io.Discard).Write(c); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
		}
	})
}
