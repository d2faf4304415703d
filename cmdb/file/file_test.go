package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/cmdb"
)

var ignorePlaces = cmpopts.IgnoreFields(Estate{}, "Positions", "snap")

const ourYAML = `
cis:
  - &web
    id: web-1
    class: server
    name: Web 1
    keys: {fqdn: web-1.example.com, ip: [10.0.0.1, "2001:db8::1"], serial: 007}
    attributes: {rack: r7, cores: 16, virtual: true, none: null, since: 2024-01-02, disk: {size: 1.5, raid: [1, "x", {a: null}]}}
    owner: team-web
    environment: production
    criticality: high
  - {<<: *web, id: web-2, keys: }
  - id: shop
    class: service
relations:
  - {from: shop, to: web-1, type: runs_on, group: web, need: 2}
  - {from: shop, to: web-2, type: runs_on, group: web}
`

const ourJSON = `{"relations": [
 {"from": "shop", "to": "web-1", "type": "runs_on", "group": "web", "need": 2},
 {"from": "shop", "to": "web-2", "type": "runs_on", "group": "web"}],
"cis": [
 {"id": "web-1", "class": "server", "name": "Web 1", "keys": {"fqdn": ["web-1.example.com"], "ip": ["10.0.0.1", "2001:db8::1"], "serial": "007"},
  "attributes": {"rack": "r7", "cores": 16, "virtual": true, "none": null, "since": "2024-01-02", "disk": {"size": 1.5, "raid": [1, "x", {"a": null}]}},
  "owner": "team-web", "environment": "production", "criticality": "high"},
 {"id": "web-2", "class": "server", "name": "Web 1", "attributes": {"rack": "r7", "cores": 16, "virtual": true, "since": "2024-01-02", "disk": {"size": 1.5, "raid": [1, "x", {"a": null}]}},
  "owner": "team-web", "environment": "production", "criticality": "high"},
 {"id": "sh\u006fp", "class": "service"}]}`

const ourCSV = `id,class,name,owner,environment,criticality,key.fqdn,key.ip,key.serial,attr.rack,attr.cores,attr.virtual,attr.since,attr.disk.size,attr.disk.raid
web-1,server,Web 1,team-web,production,high,web-1.example.com,10.0.0.1 | 2001:db8::1,007,r7,16,true,2024-01-02,1.5,"[1,""x"",{""a"":null}]"
web-2,server,Web 1,team-web,production,high,,,,r7,16,true,2024-01-02,1.5,"[1,""x"",{""a"":null}]"
shop,service,,,,,,,,,,,,,

from,to,type,group,need
shop,web-1,runs_on,web,2
shop,web-2,runs_on,web,
`

func wantEstate() Estate {
	web := cmdb.CI{ID: "web-1", Class: "server", Name: "Web 1", Owner: "team-web", Environment: "production", Criticality: "high",
		Keys: map[string][]string{"fqdn": {"web-1.example.com"}, "ip": {"10.0.0.1", "2001:db8::1"}, "serial": {"007"}},
		Attributes: map[string]string{"rack": "r7", "cores": "16", "virtual": "true", "since": "2024-01-02",
			"disk.size": "1.5", "disk.raid": `[1,"x",{"a":null}]`}}
	web2 := web
	web2.ID, web2.Keys = "web-2", nil
	return Estate{
		CIs: []cmdb.CI{web, web2, {ID: "shop", Class: "service"}},
		Relations: []cmdb.Relation{{From: "shop", To: "web-1", Type: "runs_on", Group: "web", Need: 2},
			{From: "shop", To: "web-2", Type: "runs_on", Group: "web"}},
	}
}

func TestFormsAgree(t *testing.T) {
	f := func(format Format, in string) {
		t.Helper()
		got, err := Parse(strings.NewReader(in), "in", format)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if d := cmp.Diff(wantEstate(), got, ignorePlaces); d != "" {
			t.Errorf("%s (-want +got):\n%s", format, d)
		}
		if w, err := got.Check(); err != nil || len(w) > 0 {
			t.Errorf("%s: Check: %v %v", format, w, err)
		}
	}
	f(YAML, ourYAML)
	f(JSON, ourJSON)
	f(JSON, "\ufeff"+ourJSON)
	f(CSV, ourCSV)
	f(CSV, "\ufeff"+strings.ReplaceAll(ourCSV, "\n", "\r\n"))
	f(CSV, semicolons())
}

// semicolons is ourCSV as spreadsheets of some countries write it.
func semicolons() string {
	const raid = `"[1,""x"",{""a"":null}]"`
	s := strings.ReplaceAll(ourCSV, raid, "\x00")
	return strings.ReplaceAll(strings.ReplaceAll(s, ",", ";"), "\x00", raid)
}

func TestPlainForm(t *testing.T) {
	e, err := ParseJSON(strings.NewReader(`{"cis":[{"id":"a","type":"pod","attributes":{"name":"api","ip":"10.0.0.9","env":"eu"}},
		{"id":"b","type":"node","attributes":{}}],"edges":[{"from":"a","to":"b","type":"runs_on"}]}`), "plain.json")
	want := Estate{
		CIs: []cmdb.CI{{ID: "a", Class: "pod", Keys: map[string][]string{"name": {"api"}, "ip": {"10.0.0.9"}},
			Attributes: map[string]string{"name": "api", "ip": "10.0.0.9", "env": "eu"}}, {ID: "b", Class: "node"}},
		Relations: []cmdb.Relation{{From: "a", To: "b", Type: "runs_on"}},
	}
	if d := cmp.Diff(want, e, ignorePlaces); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// checkMistakes compares the lines of an error.
func checkMistakes(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for _, m := range cmdb.MistakesOf(err) {
		got = append(got, m.Error())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("mistakes (-want +got):\n%s", d)
	}
}

func TestJSONMistakes(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		e, err := ParseJSON(strings.NewReader(in), "e.json")
		checkMistakes(t, err, want...)
		if len(e.CIs) > 0 {
			t.Errorf("a result and an error")
		}
	}
	f("{\n \"cis\": [\n  {\"id\": 5, \"class\": \"c\"},\n  {\"id\": \"a\", \"clas\": \"c\", \"keys\": [1]},\n  7,\n"+
		"  {\"id\": \"b\", \"id\": \"c\", \"class\": \"c\", \"criticality\": \"huge\"}],\n"+
		" \"edges\": [{\"from\": \"a\", \"need\": \"2\"}], \"nodes\": [],\n \"cis\": {}}",
		`e.json:3:10: id: want text (put it in quotes), got number 5`,
		`e.json:4:15: field "clas" of a CI is unknown; want id, class (or type), name, keys, attributes, owner, environment or criticality`,
		`e.json:4:36: keys: want an object such as {fqdn: web-1.example.com}, got a list`,
		`e.json:4:3: class of ci "a" is missing`,
		`e.json:5:3: ci: want an object with id and class, got number 7`,
		`e.json:6:15: field "id" is given twice`,
		`e.json:6:55: criticality "huge": want [critical high medium low]`,
		`e.json:7:34: need: want a whole number, got text "2"`,
		`e.json:7:12: to of relation is missing`,
		`e.json:7:12: type of relation is missing`,
		`e.json:7:41: field "nodes" is unknown; want cis and relations (or edges)`,
		`e.json:8:2: field "cis" is given twice`,
		`e.json:8:9: cis: want a list, got an object`)
	f(`{"cis": [{"id": "a"`, `e.json:1:20: the JSON ends too early`)
	f("", `e.json:1:1: the JSON ends too early`)
	f("[]", `e.json:1:1: document: want an object with cis and relations (or edges), got a list`)
	f(`{"cis":[]} {}`, `e.json:1:12: an object follows the end of the document`)
	f("{\"cis\":[\n{\"id\":\"a\",}]}", `e.json:2:10: invalid character ',' at start of value`)
	f("{\"cis\":[{\"id\":\"\xff\"}]}", `e.json:1:16: invalid UTF-8`)
}

func TestYAMLMistakes(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		_, err := ParseYAML(strings.NewReader(in), "e.yaml")
		checkMistakes(t, err, want...)
	}
	f("cis:\n- id: 5\n  class: [x]\n  keys: {ip: {a: b}}\nrelation: []\n",
		`e.yaml:2:7: id: want text (put it in quotes), got number 5`,
		`e.yaml:3:10: class: want text, got a list`,
		`e.yaml:4:14: keys.ip: want text or a list of texts, got an object`,
		`e.yaml:5:1: field "relation" is unknown; want cis and relations (or edges)`)
	f("cis:\n- id: a\n   class: b\n", `e.yaml:3:1: mapping values are not allowed in this context`)
	f("- a\n", `e.yaml:1:1: document: want an object with cis and relations (or edges), got a list`)
	f("cis:\n- &a\n  id: a\n  class: b\n  attributes: {x: *a}\n",
		`e.yaml:5:19: nested deeper than 100 levels or more than 20000000 values; is an alias part of itself?`)
	f("cis:\n- {id: a, class: b, keys: {ip: ["+strings.Repeat("x,", 1001)+"]}}\n",
		`e.yaml:2:28: key "ip" has 1001 values; at most 1000 are possible`)
	f("")
	f("---\n---\ncis:\n---\n")
}

func TestCSVMistakes(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		_, err := ParseCSV(strings.NewReader(in), "e.csv")
		checkMistakes(t, err, want...)
	}
	f("id,class,colour,id\na,b,c,d\n",
		`e.csv:1:10: column "colour" is unknown; want id, class, name, owner, environment, criticality, key.KIND or attr.NAME`,
		`e.csv:1:17: column "id" is given twice`)
	f("id,class\na\n,x\nfrom,to,type,need\na,,t,many\n",
		`e.csv:2:1: the row has 1 cells, its header 2`,
		`e.csv:3:1: id is empty`,
		`e.csv:5:3: to is empty`,
		`e.csv:5:6: need: want a whole number, got text "many"`)
	f("id,class,key.ip\na,b,"+strings.Repeat("|", 1000)+"\n", `e.csv:2:5: key.ip has 1001 values; at most 1000 are possible`)
	f("from,to\na,b\n", `e.csv:1:1: column "type" is missing`)
	f("a,b\nc,d\n", `e.csv:1:1: there is no header row; want id,class,… or from,to,type,…`)
	f("", `e.csv:1:1: there is no header row; want id,class,… or from,to,type,…`)
	f("id,class\n\"a,b\n", `e.csv:2:6: extraneous or missing " in quoted-field`)
	f("id,class\na\xff,b\n", `e.csv:2:1: id "a\xff" is not valid UTF-8; save the file as UTF-8`)
}

func TestLoadChecksFilesTogether(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	strip := func(s string) string { return strings.ReplaceAll(s, dir+string(filepath.Separator), "") }
	cis := write("cis.csv", "id,class,key.ip\na,server,10.0.0.1\nb,server,10.0.0.1\nc,server,\n")
	rels := write("rels.yaml", "relations:\n- {from: a, to: b, type: calls}\n- {from: b, to: c, type: calls, group: g, need: 3}\n- {from: c, to: a, type: calls}\n")

	e, warnings, err := Load(cis, rels)
	if err != nil || len(e.CIs) != 3 || len(e.Relations) != 3 {
		t.Fatalf("Load: %v %+v", err, e)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, strip(w.String()))
	}
	if d := cmp.Diff([]string{
		"rels.yaml:2:3: a → b → c → a need each other in a circle; a failure of one counts as a failure of all",
		`rels.yaml:3:3: need 3 of group "g" of "b", which has only 1: all of them count`,
		`cis.csv:3:1: ip "10.0.0.1" is a key of a, b; alerts that name it cannot be bound by it`,
	}, got); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}

	bad := write("bad.json", `{"cis":[{"id":"a","class":"x"}],"relations":[
{"from":"a","to":"nope","type":"t"},{"from":"b","to":"b","type":"t"},{"from":"a","to":"b","type":"calls"}]}`)
	_, _, err = Load(cis, rels, bad)
	var lines []string
	for _, m := range cmdb.MistakesOf(err) {
		lines = append(lines, strip(m.Error()))
	}
	if d := cmp.Diff([]string{
		`bad.json:1:9: id "a" is already used at cis.csv:2:1; IDs are unique in the estate`,
		`bad.json:2:1: to "nope" is no CI of this estate; add the CI or mend the ID`,
		`bad.json:2:37: "b" needs itself; take the relation out`,
		`bad.json:2:70: relation calls from "a" to "b" is already given at rels.yaml:2:3`,
	}, lines); d != "" {
		t.Errorf("mistakes (-want +got):\n%s", d)
	}

	if _, _, err := Load(filepath.Join(dir, "none.json"), filepath.Join(dir, "x.xml")); !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), `extension ".xml"`) {
		t.Errorf("error %v, want both files named", err)
	}
}

func TestReadErrorIsNoMistake(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, format := range []Format{YAML, JSON, CSV} {
		_, err := Parse(iotest.ErrReader(broken), "in", format)
		if !errors.Is(err, broken) || cmdb.MistakesOf(err) != nil {
			t.Errorf("%s: error %v, want only %v", format, err, broken)
		}
	}
}

func fuzz(f *testing.F, format Format, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := Parse(strings.NewReader(string(in)), "in", format)
		if err != nil {
			if len(e.CIs)+len(e.Relations) > 0 {
				t.Fatal("a result and an error")
			}
			return
		}
		for i := range e.CIs {
			if e.CIs[i].ID == "" || e.CIs[i].Class == "" || e.Positions.CI(i) == "" {
				t.Fatalf("accepted CI %d: %+v", i, e.CIs[i])
			}
		}
		for i, r := range e.Relations {
			if r.From == "" || r.To == "" || r.Type == "" || e.Positions.Relation(i) == "" {
				t.Fatalf("accepted relation %d: %+v", i, r)
			}
		}
		if _, err := e.Check(); err != nil && len(cmdb.MistakesOf(err)) == 0 {
			t.Fatalf("Check: %v", err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	fuzz(f, YAML, ourYAML, "cis:\n- &a {id: x, class: y, attributes: *a}", "a: [", "---\n---\n")
}
func FuzzJSON(f *testing.F) {
	fuzz(f, JSON, ourJSON, `{"cis":[{"id":"a","type":"t","attributes":{"a":[{}]}}],"edges":null}`, `{"cis":[`, "\ufeff{}")
}
func FuzzCSV(f *testing.F) {
	fuzz(f, CSV, ourCSV, semicolons(), "from\tto\ttype\na\tb\tc\n", "id,class\n\"")
}
