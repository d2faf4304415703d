package config

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/correlate"
	"tocsin/ingest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFixtures loads testdata/good and testdata/bad. Of each bad file the
// expected mistakes stand beside it; each has a good twin, so that what is
// refused is the mistake and not the key.
func TestFixtures(t *testing.T) {
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(bad) == 0 {
		t.Fatalf("no bad fixtures: %v", err)
	}
	for _, path := range bad {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			if _, err := Load("testdata/good/" + name); err != nil {
				t.Errorf("the good twin: %v", err)
			}
			c, err := Load(path)
			if err == nil {
				t.Fatalf("loaded %s without an error: %+v", path, c)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("mistakes of %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestLoadReadsSecrets(t *testing.T) {
	c, err := Load("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := c.Notify.Receivers[1]
	if got := r.Secret.Reveal(); got != "s3cret" {
		t.Errorf("secret %q", got)
	}
	if want := "https://sms.example.com/send?key=1"; r.URL != want {
		t.Errorf("url %q, want that of the file", r.URL)
	}
	if want := filepath.Join("testdata", "good", "estate.yaml"); c.CMDB.Files[0] != want {
		t.Errorf("cmdb.files[0] is %q, want it relative to the file: %q", c.CMDB.Files[0], want)
	}
	if c.Data != "./store" {
		t.Errorf("data is %q, want it as written", c.Data)
	}
	if got := c.Ingest.Normalizer().Sources["grafana"]; got.Severities.Lookup("PAGE") != ingest.Critical || *got.Timeout != 24*time.Hour || !got.KeepRaw {
		t.Errorf("source grafana for the normaliser: %+v", got)
	}
	if u := c.Correlation.Priority.Urgency; u["info"] != 3 {
		t.Errorf("urgency %v: those left out keep their defaults", u)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", r.Secret)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("printing shows the secret: %s", text)
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "secret", r.Secret)
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log shows the secret: %s", log.String())
	}
}

func TestParseNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "~", "correlation:\nnotify: ~\n", "\ufefflisten:\n"} {
		c, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(Default(), c, cmp.AllowUnexported(Secret{})); diff != "" {
			t.Errorf("%q is not the default:\n%s", text, diff)
		}
	}
}

// A list or map of one configuration must not be that of the next.
func TestDefaultsAreNotShared(t *testing.T) {
	text := []byte("correlation: {priority: {urgency: {info: 1}}}\nnotify: {receivers: [{name: a, url: 'http://a'}]}")
	c, err := Parse("x", text)
	if err != nil {
		t.Fatal(err)
	}
	c.Ingest.ReplicaLabels[0], c.Notify.Receivers[0].Notices[0] = "changed", "changed"
	fresh := Default()
	if fresh.Correlation.Priority.Urgency["info"] != 3 || fresh.Ingest.ReplicaLabels[0] == "changed" || correlate.Notices[0] == "changed" {
		t.Errorf("a configuration changed the defaults: %+v", fresh)
	}
}

func TestManyMistakes(t *testing.T) {
	_, err := Parse("x", []byte(strings.Repeat("cmdb: 1\n", 5000)))
	if n := len(MistakesOf(err)); n != maxMistakes+1 {
		t.Errorf("%d mistakes listed, want %d and how many more", n, maxMistakes)
	}
}

func TestBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("ingest:\n  replica_labels: &a0 [x]\n")
	for i := 1; i < 12; i++ {
		alias := fmt.Sprintf("*a%d, ", i-1)
		fmt.Fprintf(&b, "key%d: &a%d [%s]\n", i, i, strings.Repeat(alias, 10))
	}
	b.WriteString("notify: {receivers: *a11}\n")
	if _, err := Parse("x", []byte(b.String())); err == nil || len(MistakesOf(err)) == 0 {
		t.Errorf("got %v", err)
	}
	// The same where lists of lists are wanted.
	text := "binding:\n  rules:\n"
	for range 600 {
		text += "    - labels: *l\n"
	}
	text = "ingest:\n  severity_labels: &l [" + strings.Repeat("x, ", 999) + "x]\n" + text
	_, err := Parse("x", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "does an alias repeat too much?") {
		t.Errorf("600,000 values: got %.200v", err)
	}
}

func TestDuration(t *testing.T) {
	good := func(text string, want time.Duration, back string) {
		t.Helper()
		got, err := ParseDuration(text)
		if err != nil || got != want || Duration(got).String() != back {
			t.Errorf("%q: %v (%s), %v; want %v (%s)", text, got, Duration(got), err, want, back)
		}
	}
	good("10s", 10*time.Second, "10s")
	good("90d", 90*day, "90d")
	good("2w1d", 15*day, "15d")
	good("1d12h", 36*time.Hour, "36h")
	good("1h30m", 90*time.Minute, "1h30m")
	good("-5m", -5*time.Minute, "-5m")
	good("0", 0, "0s")
	good("0d", 0, "0s")
	good("1.5h", 90*time.Minute, "1h30m")
	bad := func(text string) {
		t.Helper()
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
	for _, text := range []string{"", "5", "d", "1d-1h", "1d2w", "1.5d", "-1d", "999999w", "106000d", "105000d24000h", "10 s", "1y"} {
		bad(text)
	}
}

func TestNearest(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := nearest(name, []string{"listen", "data", "resolve_timeout", "request_timeout", "url", "url_file"}); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	f("lisetn", "listen")
	f("Listen", "listen")
	f("resolve-timeout", "resolve_timeout")
	f("reslove_timout", "resolve_timeout")
	f("dta", "data")
	f("uri", "url")
	f("port", "")
	f("", "")
	f(strings.Repeat("x", 100), "")
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		paths, err := filepath.Glob("testdata/" + dir + "/*.yaml")
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range append(paths, example) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if (err == nil) == reflect.DeepEqual(c, Config{}) {
			t.Fatalf("want a configuration or an error, got %+v and %v", c, err)
		}
		if err == nil {
			if err := c.Correlation.Validate(); err != nil {
				t.Errorf("accepted, but %v", err)
			}
			return
		}
		list := MistakesOf(err)
		if len(list) == 0 {
			t.Fatalf("an error without mistakes: %v", err)
		}
		lines := strings.Count(string(data), "\n") + 2
		for _, m := range list {
			if m.File != "fuzz.yaml" || m.Detail == "" || m.Line < 0 || m.Line > lines || m.Line > 0 && m.Column < 1 {
				t.Errorf("mistake without its place: %+v", m)
			}
		}
	})
}
