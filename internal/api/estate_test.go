package api

import (
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
	"tocsin/correlate"
)

// TestPages walks lists one item at a time: each comes once, in order.
func TestPages(t *testing.T) {
	h := newHarness(t)
	var ids []string
	next := ""
	for range 10 {
		page := decode[List[cmdb.CI]](t, h.ask("GET", "/cis?limit=1&cursor="+url.QueryEscape(next), ""))
		for _, c := range page.Items {
			ids = append(ids, c.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"alone", "feed a", "rack/1", "shop"}, ids); diff != "" {
		t.Errorf("CIs -want +got:\n%s", diff)
	}
	first := decode[List[correlate.Incident]](t, h.ask("GET", "/incidents?limit=1", ""))
	second := decode[List[correlate.Incident]](t, h.ask("GET", "/incidents?limit=1&cursor="+first.Next, ""))
	if len(first.Items) != 1 || len(second.Items) != 1 || first.Items[0].ID == second.Items[0].ID || second.Next != "" {
		t.Errorf("incidents: %v then %v, next %q", first.Items, second.Items, second.Next)
	}
	if a := h.ask("GET", "/cis?cursor=%21", ""); a.status != 400 {
		t.Errorf("a cursor that is none answers %d", a.status)
	}
}

func TestCIFilters(t *testing.T) {
	h := newHarness(t)
	f := func(query string, want ...string) {
		t.Helper()
		var got []string
		for _, c := range decode[List[cmdb.CI]](t, h.ask("GET", "/cis?"+query, "")).Items {
			got = append(got, c.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", query, diff)
		}
	}
	f("class=rack,feed", "feed a", "rack/1")
	f("class=rack&class=server", "alone", "rack/1")
	f("q=RACK", "rack/1")
	f("q=i-0abc", "feed a") // a key
	f("owner=dc", "rack/1")
	f("environment=prod", "shop")
	f("criticality=high", "feed a")
	f("criticality=high&class=rack")
}

func TestEstateChanges(t *testing.T) {
	h := newHarness(t)
	// What is written comes back; writing it again makes no revision.
	const body = `{"class":"server","name":"New","keys":{"ip":["10.0.0.1"]}}`
	first := decode[CI](t, h.ask("PUT", "/cis/a%2Fnew", body))
	again := decode[CI](t, h.ask("PUT", "/cis/a%2Fnew", body))
	want := cmdb.CI{ID: "a/new", Class: "server", Name: "New", Keys: map[string][]string{"ip": {"10.0.0.1"}}, Source: "api", Revision: 2, At: testNow}
	if diff := cmp.Diff(want, first.CI); diff != "" {
		t.Errorf("written -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("written twice -first +second:\n%s", diff)
	}
	// Of two who saw the same revision the second is told.
	if a := h.ask("PUT", "/cis/a%2Fnew", `{"class":"pod"}`, "If-Match", `"2"`); a.status != 200 {
		t.Errorf("the first writer is answered %d: %s", a.status, a.body)
	}
	if a := h.ask("PUT", "/cis/a%2Fnew", `{"class":"vm"}`, "If-Match", `"2"`); a.status != 412 || a.error(t).Revision != 3 {
		t.Errorf("the second writer is answered %d: %s", a.status, a.body)
	}
	// A retired CI takes its relations along, and a later CI of the same ID
	// does not get them back.
	h.ask("DELETE", "/cis/rack%2F1", "")
	h.ask("PUT", "/cis/rack%2F1", `{"class":"rack"}`)
	rack := decode[CI](t, h.ask("GET", "/cis/rack%2F1", ""))
	if rack.NeedsCount+rack.NeededByCount != 0 || slices.Collect(h.estate.AllRelations()) != nil {
		t.Errorf("relations of a retired CI came back: %+v", rack)
	}
}

// TestImport: a dry run says what the import then does; the next import
// retires what is gone, and leaves alone what others brought.
func TestImport(t *testing.T) {
	h := newHarness(t)
	f := func(query, body, want string, ids ...string) {
		t.Helper()
		got := decode[Import](t, h.ask("POST", "/cmdb/import?format=json&source=x"+query, body, "Content-Type", "application/octet-stream"))
		if got.Summary != want {
			t.Errorf("%s %s: %s, want %s", query, body, got.Summary, want)
		}
		var have []string
		for _, c := range h.estate.All() {
			if c.Source == "x" {
				have = append(have, c.ID)
			}
		}
		if diff := cmp.Diff(ids, have); diff != "" {
			t.Errorf("%s %s: -want +got:\n%s", query, body, diff)
		}
	}
	const two, one = `[{"id":"n","class":"vm"},{"id":"m","class":"vm"}]`, `[{"id":"n","class":"vm"}]`
	const none = "; relations: 0 new, 0 changed, 0 retired, 0 unchanged"
	f("&dry_run=true", two, "CIs: 2 new, 0 changed, 0 retired, 0 unchanged"+none)
	f("", two, "CIs: 2 new, 0 changed, 0 retired, 0 unchanged"+none, "m", "n")
	f("", two, "CIs: 0 new, 0 changed, 0 retired, 2 unchanged"+none, "m", "n")
	f("", one, "CIs: 0 new, 0 changed, 1 retired, 1 unchanged"+none, "n")
	if h.estate.Len() != 5 {
		t.Errorf("%d CIs are left, want the 4 of others and 1", h.estate.Len())
	}
}
