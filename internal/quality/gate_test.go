package quality

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestGate(t *testing.T) {
	values := map[string]float64{"pair_f1": .9, "pair_p": 1, "pair_r": .8, "noise_leak": .03, "ac@1": .5, "nan": math.NaN()}
	f := func(text, want string) {
		t.Helper()
		g, err := ParseGate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		got := ""
		if err := g.Check(values); err != nil {
			got = err.Error()
			if !errors.Is(err, ErrGate) && strings.HasPrefix(want, "not good enough") {
				t.Errorf("%s: %v is not ErrGate", text, err)
			}
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	f("f1<0.9", "")
	f(" f1 <= 0.9 ", "not good enough: pair_f1 is 0.9, and must not be <= 0.9")
	f("f1<.95,leak>0.03, ac@1 < 1", "not good enough: pair_f1 is 0.9, and must not be < 0.95; ac@1 is 0.5, and must not be < 1")
	f("precision>1,recall>=.9,precision!=1,leak==0", "")
	f("recall==8e-1,precision>=1", "not good enough: pair_r is 0.8, and must not be == 0.8; pair_p is 1, and must not be >= 1")
	f("recall!=-1", "not good enough: pair_r is 0.8, and must not be != -1")
	// What is no number is not good enough, whatever it is compared with.
	f("nan>5", "not good enough: nan is NaN, and must not be > 5")
	const computed = "computed are ac@1, nan, noise_leak, pair_f1, pair_p, pair_r"
	f("mrr<.1", "condition \"mrr<.1\": mrr was not computed\n"+computed)
	f("mrr<.1,f1<1", "not good enough: pair_f1 is 0.9, and must not be < 1\ncondition \"mrr<.1\": mrr was not computed\n"+computed)

	if err := Gate(nil).Check(nil); err != nil {
		t.Errorf("without conditions: %v", err)
	}
}

func TestGateMistakes(t *testing.T) {
	g, err := ParseGate("f1<0.9", "f1", "<1,f1=1", "f1<0,9", "f1<1e999,f1<NaN", "f1<1.2.3", "")
	if g != nil || err == nil {
		t.Fatalf("%v, %v", g, err)
	}
	const form = ": want the name of a figure, < <= > >= == or !=, and a number, such as f1<0.9"
	want := []string{`condition "f1"` + form, `condition "<1"` + form, `condition "f1=1"` + form, `condition "9"` + form,
		`condition "f1<1e999": "1e999" is no number`, `condition "f1<NaN"` + form, `condition "f1<1.2.3": "1.2.3" is no number`, `condition ""` + form}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestGateKnowsFigures(t *testing.T) {
	g, err := ParseGate("f1<1,leak>1,ac@1<1,mrr<0,change_f1<0,problem_f1<0")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Known(FigureNames()); err != nil {
		t.Error(err)
	}
	if g, err = ParseGate("f2<1,mrr<1"); err != nil {
		t.Fatal(err)
	}
	if err := g.Known([]string{"f1", "mrr"}); err == nil || err.Error() != "condition \"f2<1\": there is no figure f2\nfigures are f1, mrr" {
		t.Error(err)
	}
}

func TestFigureNamesAreDifferent(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range FigureNames() {
		if _, ok := shortNames[name]; ok || seen[name] {
			t.Errorf("%s is the name of two figures", name)
		}
		seen[name] = true
	}
	for short, name := range shortNames {
		if !seen[name] {
			t.Errorf("%s is short for %s, which is no figure", short, name)
		}
	}
}

func FuzzParseGate(f *testing.F) {
	for _, seed := range []string{"f1<0.9", "a>=1,b!=-2e3", "x", ",", "ac@1 == .5", "f1<+-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGate(text)
		if (err == nil) == (g == nil) {
			t.Errorf("%q: %v and %v", text, g, err)
		}
		for _, c := range g {
			if math.IsNaN(c.limit) || math.IsInf(c.limit, 0) || c.figure == "" {
				t.Errorf("%q: %+v", text, c)
			}
			// Either the condition or its opposite holds.
			opposite := map[string]string{"<": ">=", ">": "<=", "==": "!=", "<=": ">", ">=": "<", "!=": "=="}[c.op]
			v := map[string]float64{c.figure: c.limit}
			if (Gate{c}.Check(v) == nil) == (Gate{{c.text, c.figure, opposite, c.limit}}.Check(v) == nil) {
				t.Errorf("%q: %+v and %s", text, c, opposite)
			}
		}
	})
}
