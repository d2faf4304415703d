package cmdb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func labels(pairs ...string) func(string) string {
	return func(l string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == l {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func mustNew(t testing.TB, cis []CI, rels ...Relation) *Snapshot {
	t.Helper()
	s, err := New(cis, rels)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

func mustBinder(t testing.TB, rules []Rule, s *Snapshot) *Binder {
	t.Helper()
	b, err := NewBinder(rules, s)
	if err != nil {
		t.Fatalf("NewBinder: %v", err)
	}
	return b
}

func bindingEstate(t testing.TB) *Snapshot {
	return mustNew(t, []CI{
		{ID: "web-1", Class: "server", Keys: map[string][]string{"fqdn": {"Web-1.Example.com"}, "ip": {"10.0.0.1", "2001:DB8:0::1"}}},
		{ID: "srv-2", Class: "server", Name: "DB01", Keys: map[string][]string{"ip": {"10.0.0.2"}, "serial": {"AbC"}}},
		{ID: "pod-7", Class: "pod", Keys: map[string][]string{"pod": {"shop/api-0"}}},
		{ID: "svc-checkout", Class: "service", Name: "checkout"},
		{ID: "dep-checkout", Class: "deployment", Name: "checkout"},
		{ID: "loop", Class: "server", Keys: map[string][]string{"ip": {"::1"}}},
		{ID: "nat-a", Class: "server", Keys: map[string][]string{"ip": {"192.0.2.1"}}},
		{ID: "nat-b", Class: "server", Keys: map[string][]string{"ip": {"192.0.2.1"}, "host": {"192.0.2.1"}}},
		{ID: "shop", Class: "service", Keys: map[string][]string{"fqdn": {"shop.example.com"}}},
	})
}

func TestBindDefaultRules(t *testing.T) {
	b := mustBinder(t, nil, bindingEstate(t))
	f := func(get func(string) string, ci, by string) {
		t.Helper()
		got := b.Bind(get)
		want := Binding{CI: ci, By: by}
		want.Index, _ = b.Snapshot().Index(ci)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Bind (-want +got):\n%s", d)
		}
	}
	f(labels("ci", "web-1", "instance", "10.0.0.2:9100"), "web-1", "ci=web-1")
	f(labels("instance", "web-1:9100"), "web-1", "instance=web-1")
	f(labels("instance", "web-1"), "web-1", "instance=web-1")
	f(labels("instance", "web-1.example.COM:9100"), "web-1", "instance=web-1.example.COM")
	f(labels("instance", "10.0.0.2:9100"), "srv-2", "instance=10.0.0.2")
	f(labels("instance", "[::1]:9100"), "loop", "instance=::1")
	f(labels("instance", "[::1]"), "loop", "instance=::1")
	f(labels("instance", "::1"), "loop", "instance=::1")
	f(labels("instance", "[0:0::1]:80"), "loop", "instance=0:0::1")
	f(labels("instance", "[2001:db8::1]:9100"), "web-1", "instance=2001:db8::1")
	f(labels("instance", "https://probe@shop.example.com:8443/health?x=[1]"), "shop", "instance=shop.example.com")
	f(labels("host", "db01"), "srv-2", "host=db01")
	f(labels("instance", "unknown:1", "hostname", "DB01"), "srv-2", "hostname=DB01")
	f(labels("node", "AbC"), "srv-2", "node=AbC")
	f(labels("namespace", "shop", "pod", "api-0"), "pod-7", "namespace+pod=shop/api-0")
	f(labels("service", "checkout"), "svc-checkout", "service=checkout")
	f(labels("device", "web-1"), "web-1", "device=web-1")
}

func TestBindUnbound(t *testing.T) {
	b := mustBinder(t, nil, bindingEstate(t))
	f := func(get func(string) string, want Binding) {
		t.Helper()
		want.Index = -1
		if d := cmp.Diff(want, b.Bind(get)); d != "" {
			t.Errorf("Bind (-want +got):\n%s", d)
		}
	}
	f(labels(), Binding{})
	f(labels("job", "web-1"), Binding{})
	f(labels("ci", "WEB-1"), Binding{Tried: []string{"ci=WEB-1"}}) // IDs are exact
	f(labels("node", "abc"), Binding{Tried: []string{"node=abc"}}) // a serial is not host-like
	f(labels("pod", "api-0"), Binding{})                           // namespace is missing
	f(labels("service", "nope", "instance", "x:1"), Binding{Tried: []string{"instance=x", "service=nope"}})
	// Ambiguity stops the search, although a later rule would find one.
	f(labels("host", "192.0.2.1", "device", "web-1"), Binding{By: "host=192.0.2.1", Ambiguous: []string{"nat-a", "nat-b"}})
	f(labels("device", "checkout"), Binding{By: "device=checkout", Ambiguous: []string{"dep-checkout", "svc-checkout"}})
}

func TestBindConfiguredRules(t *testing.T) {
	s := bindingEstate(t)
	f := func(r Rule, get func(string) string, ci, by string) {
		t.Helper()
		got := mustBinder(t, []Rule{r}, s).Bind(get)
		if got.CI != ci || got.By != by {
			t.Errorf("rule %+v: bound to %q by %q, want %q by %q", r, got.CI, got.By, ci, by)
		}
	}
	f(Rule{Name: "short", Labels: []string{"host"}, Transform: []Transform{Lower, ShortName}},
		labels("host", "WEB-1.corp"), "web-1", "short=web-1")
	f(Rule{Labels: []string{"host"}, Transform: []Transform{ShortName}}, labels("host", "10.0.0.1"), "web-1", "host=10.0.0.1")
	f(Rule{Labels: []string{"job"}, Pattern: "node-(.*)"}, labels("job", "node-web-1"), "web-1", "job=web-1")
	f(Rule{Labels: []string{"a", "b"}, Join: "-"}, labels("a", "web", "b", "1"), "web-1", "a+b=web-1")
	f(Rule{Labels: []string{"n"}, Pattern: "([0-9]+)/(.+)", Replace: "$2-$1"}, labels("n", "1/web"), "web-1", "n=web-1")
	f(Rule{Labels: []string{"n"}, Pattern: "web"}, labels("n", "web-1"), "", "")
	f(Rule{Labels: []string{"ip"}, Keys: []string{"ip"}, Classes: []string{"service"}}, labels("ip", "10.0.0.1"), "", "")
	f(Rule{Labels: []string{"ip"}, Keys: []string{"fqdn", "ip"}}, labels("ip", "10.0.0.1"), "web-1", "ip=10.0.0.1")
	f(Rule{Labels: []string{"ip"}, Keys: []string{"nosuch"}}, labels("ip", "10.0.0.1"), "", "")
	f(Rule{Labels: []string{"x"}, Keys: []string{"name"}}, labels("x", "web-1"), "", "")
	f(Rule{Labels: []string{"x"}, Classes: []string{"deployment"}}, labels("x", "checkout"), "dep-checkout", "x=checkout")
}

func TestBinderRefusesRules(t *testing.T) {
	_, err := NewBinder([]Rule{
		{},
		{Labels: []string{"a"}, Pattern: "("},
		{Labels: []string{"host"}},
		{Name: "n", Labels: []string{"a"}, Transform: []Transform{"upper"}, Replace: "x", Keys: []string{""}},
	}, nil)
	want := "binding rule 1 (): labels []: name at least one label, none of them empty\n" +
		"binding rule 2 (a): pattern \"(\": error parsing regexp: missing closing ): `^(?s:()$`\n" +
		"binding rule 4 (n): transform \"upper\": want one of [strip_port url_host short_name lower]\n" +
		"keys [\"\"]: a key is empty; want id, name, * or a kind of key\n" +
		"replace \"x\" needs a pattern"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestBindNilSnapshot(t *testing.T) {
	got := mustBinder(t, nil, nil).Bind(labels("host", "a"))
	if d := cmp.Diff(Binding{Index: -1, Tried: []string{"host=a"}}, got); d != "" {
		t.Error(d)
	}
}
