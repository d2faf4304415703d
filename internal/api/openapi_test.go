package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// harness asks a server and checks every answer, and every request that is
// answered well, against the OpenAPI document.
type harness struct {
	*fake
	t    *testing.T
	s    *Server
	doc  *openapi3.T
	seen map[string]bool // operations that answered well
}

func newHarness(t *testing.T) *harness {
	f := newFake()
	return &harness{fake: f, t: t, s: newServer(f), doc: document(t, true), seen: map[string]bool{}}
}

func newServer(f *fake) *Server {
	read := func(_, name string, r io.Reader) (out EstateFile, err error) {
		if err := json.NewDecoder(r).Decode(&out.CIs); err != nil {
			return out, &cmdb.Mistake{Kind: cmdb.MistakeSyntax, Position: name + ":1:1", Detail: err.Error()}
		}
		out.Positions.CI = func(i int) string { return fmt.Sprintf("%s:%d", name, i+1) }
		return out, nil
	}
	return New(Options{Reader: f, Commander: f, Explainer: f, Estate: f, Outbox: f, ReadEstate: read, Version: "test", Store: "maps", Now: nowFunc})
}

// document loads the document. Strict, it does not allow what it does not
// describe, so that a new field of ours cannot be forgotten there; callers are
// better off with the document as it is, which lets the API grow.
func document(t *testing.T, strict bool) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatalf("load openapi.yaml: %v", err)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	if strict {
		seal := sealer{}
		for _, s := range doc.Components.Schemas {
			seal.schema(s)
		}
		for _, r := range doc.Components.Responses {
			for _, c := range r.Value.Content {
				seal.schema(c.Schema)
			}
		}
	}
	return doc
}

// sealer forbids further properties in schemas that list some.
type sealer map[*openapi3.Schema]bool

func (seen sealer) schema(r *openapi3.SchemaRef) {
	if r == nil || seen[r.Value] {
		return
	}
	seen[r.Value] = true
	for _, p := range r.Value.Properties {
		seen.schema(p)
	}
	seen.schema(r.Value.Items)
	if len(r.Value.Properties) > 0 {
		no := false
		r.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// error decodes the body of an error.
func (a answer) error(t *testing.T) Error {
	t.Helper()
	var b ErrorBody
	if err := json.Unmarshal(a.body, &b); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return b.Error
}

func decode[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

// ask sends a request; headers are name, value, name, value…
func (h *harness) ask(method, target, body string, headers ...string) answer {
	h.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, Prefix+target, r)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.s.ServeHTTP(rec, req)
	a := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	h.check(req, body, a)
	return a
}

func (h *harness) check(req *http.Request, body string, a answer) {
	h.t.Helper()
	_, pattern := h.s.mux.Handler(req)
	_, path, ok := strings.Cut(pattern, " "+Prefix)
	if !ok {
		return // no such operation
	}
	item := h.doc.Paths.Value(path)
	op := item.GetOperation(req.Method)
	params := map[string]string{}
	got := strings.Split(strings.TrimPrefix(req.URL.EscapedPath(), Prefix), "/")
	for i, elem := range strings.Split(path, "/") {
		if strings.HasPrefix(elem, "{") {
			v, err := url.PathUnescape(got[i])
			if err != nil {
				h.t.Fatal(err)
			}
			params[strings.Trim(elem, "{}")] = v
		}
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params,
		Route:   &routers.Route{Spec: h.doc, Path: path, PathItem: item, Method: req.Method, Operation: op},
		Options: &openapi3filter.Options{SkipSettingDefaults: true}}
	if a.status < 400 {
		h.seen[op.OperationID] = true
		req.Body = io.NopCloser(strings.NewReader(body))
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			h.t.Errorf("%s %s is answered with %d, but the document does not allow it: %v", req.Method, req.URL, a.status, err)
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/yaml") {
		return
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true}})
	if err != nil {
		h.t.Errorf("%s %s: the answer is not as documented: %v\n%s", req.Method, req.URL, err, a.body)
	}
}

func TestDocumentListsTheRoutes(t *testing.T) {
	doc := document(t, false)
	documented := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			var query []string
			for _, params := range []openapi3.Parameters{item.Parameters, op.Parameters} {
				for _, p := range params {
					if p.Value.In == "query" {
						query = append(query, p.Value.Name)
					}
				}
			}
			slices.Sort(query)
			documented[method+" "+path] = query
		}
	}
	served := map[string][]string{}
	for _, rt := range newHarness(t).s.routes {
		query := slices.Clone(rt.query)
		slices.Sort(query)
		served[rt.method+" "+rt.path] = query
	}
	if diff := cmp.Diff(served, documented); diff != "" {
		t.Errorf("operations and their query parameters, - as served, + as documented:\n%s", diff)
	}
}

// TestEveryOperation calls each operation once as the document describes it.
func TestEveryOperation(t *testing.T) {
	h := newHarness(t)
	want := func(status int, method, target, body string, headers ...string) {
		t.Helper()
		if a := h.ask(method, target, body, headers...); a.status != status {
			t.Errorf("%s %s: status %d, want %d: %s", method, target, a.status, status, a.body)
		}
	}
	want(200, "GET", "/incidents?status=open,merged&severity=critical&priority=P1,2&match="+url.QueryEscape(`{team="a",b=~"c.*"}`)+"&from=-24h&limit=5&q=feed", "")
	want(200, "GET", "/incidents/"+feed, "")
	want(304, "GET", "/incidents/"+feed, "", "If-None-Match", `"2"`)
	want(307, "GET", "/incidents/7DK-AAAA", "")
	want(200, "GET", "/incidents/7DK-AAAA?redirect=false", "")
	want(200, "GET", "/incidents/"+feed+"/alerts?status=firing", "")
	want(200, "GET", "/incidents/"+feed+"/timeline", "")
	want(200, "GET", "/incidents/"+feed+"/evidence", "")
	want(200, "GET", "/incidents/"+feed+"/links", "")
	want(200, "POST", "/incidents/"+feed+"/commands", `{"command":"acknowledge"}`, "If-Match", `"2"`)
	want(200, "GET", "/alerts?unbound=true&severity=critical&fingerprint="+diskFP.String(), "")
	want(200, "GET", "/alerts/"+diskFP.String(), "")
	want(200, "GET", "/alerts/"+diskFP.String()+"/events?from=-2h&to=now", "")
	want(200, "GET", "/alerts/"+diskFP.String()+"/evidence?incident="+feed, "")
	want(200, "GET", "/events?kind=alert", "")
	want(200, "GET", "/changes", "")
	want(200, "GET", "/unbound", "")
	want(200, "GET", "/noise", "")
	want(200, "GET", "/explain?alert="+diskFP.String()+"&incident="+feed, "")
	want(200, "GET", "/cis?class=rack,feed&criticality=high", "")
	want(200, "GET", "/cis/rack%2F1", "")
	want(200, "PUT", "/cis/new", `{"class":"server","criticality":"low"}`)
	want(200, "PUT", "/relations", `{"from":"new","to":"feed a","type":"powered_by"}`)
	want(200, "DELETE", "/relations?from=new&to=feed+a&type=powered_by", "")
	want(200, "DELETE", "/cis/new", "")
	want(200, "GET", "/cis/shop/upstream?hops=1", "")
	want(200, "GET", "/cis/feed%20a/downstream?limit=1", "")
	want(200, "GET", "/cis/feed%20a/impact", "")
	want(200, "GET", "/cis/rack%2F1/alerts", "")
	want(200, "GET", "/cis/rack%2F1/incidents?status=open", "")
	want(200, "GET", "/path?from=shop&to=feed+a", "")
	want(200, "POST", "/impact", `{"failed":["feed a"]}`)
	want(200, "POST", "/cmdb/import?source=x&format=json&dry_run=true", `[{"id":"n","class":"server"}]`, "Content-Type", "application/octet-stream")
	want(200, "GET", "/links?ref=incident:"+feed, "")
	want(200, "POST", "/links", `{"from":"ci:shop","to":"https://example.org/1","kind":"relates_to"}`)
	want(200, "DELETE", "/links?from=ci:shop&to=https://example.org/1&kind=relates_to", "")
	want(200, "GET", "/deliveries?state=pending", "")
	want(200, "GET", "/accounting", "")
	want(200, "GET", "/status", "")
	want(200, "GET", "/openapi.yaml", "")

	for path, item := range h.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !h.seen[op.OperationID] {
				t.Errorf("%s %s was not called with success", method, path)
			}
		}
	}
}

// TestSchemasHaveEveryField compares the schemas with the types that are
// written, field by field, optional ones too, which no sample may hold.
func TestSchemasHaveEveryField(t *testing.T) {
	doc := document(t, false)
	for name, typ := range map[string]reflect.Type{
		"Incident": reflect.TypeFor[correlate.Incident](), "Cause": reflect.TypeFor[correlate.Cause](), "Part": reflect.TypeFor[correlate.Part](),
		"Entry": reflect.TypeFor[correlate.Entry](), "Command": reflect.TypeFor[correlate.Command](), "Attachment": reflect.TypeFor[correlate.Attachment](),
		"Evidence": reflect.TypeFor[correlate.Evidence](), "Explanation": reflect.TypeFor[correlate.Explanation](), "Link": reflect.TypeFor[correlate.Link](),
		"Delivery": reflect.TypeFor[correlate.Delivery](), "Alert": reflect.TypeFor[ingest.Alert](), "Event": reflect.TypeFor[ingest.Event](),
		"CI": reflect.TypeFor[cmdb.CI](), "CIInput": reflect.TypeFor[cmdb.CI](), "CIDetail": reflect.TypeFor[CI](), "Relation": reflect.TypeFor[cmdb.Relation](),
		"RelationInput": reflect.TypeFor[cmdb.Relation](), "Reached": reflect.TypeFor[Reached](), "Step": reflect.TypeFor[cmdb.Step](), "Import": reflect.TypeFor[Import](),
		"RelationRef": reflect.TypeFor[cmdb.RelationRef](), "Unbound": reflect.TypeFor[Unbound](), "NoiseList": reflect.TypeFor[NoiseList](), "NoisyAlert": reflect.TypeFor[NoisyAlert](), "SourceCounts": reflect.TypeFor[SourceCounts](), "Status": reflect.TypeFor[Status](),
	} {
		written := jsonNames(typ)
		documented := slices.Sorted(maps.Keys(doc.Components.Schemas[name].Value.Properties))
		if diff := cmp.Diff(written, documented); diff != "" {
			t.Errorf("%s, - as written, + as documented:\n%s", name, diff)
		}
	}
}

// TestDocumentListsTheStatuses compares what an incident can be with what the
// document allows; samples hold few of them.
func TestDocumentListsTheStatuses(t *testing.T) {
	var documented []correlate.Status
	for _, v := range document(t, false).Components.Schemas["IncidentStatus"].Value.Enum {
		documented = append(documented, correlate.Status(v.(string)))
	}
	if diff := cmp.Diff(correlate.Statuses, documented); diff != "" {
		t.Errorf("statuses of incidents, - as there are, + as documented:\n%s", diff)
	}
}

func jsonNames(typ reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestHarnessNotices proves that the checks above can fail.
func TestHarnessNotices(t *testing.T) {
	h := newHarness(t)
	quiet := &harness{fake: h.fake, t: &testing.T{}, s: h.s, doc: h.doc, seen: map[string]bool{}}
	req := httptest.NewRequest(http.MethodGet, Prefix+"/status", nil)
	quiet.check(req, "", answer{200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"version":"1","surprise":1}`)})
	if !quiet.t.Failed() {
		t.Error("an answer with an undocumented field and without documented ones passes")
	}
}
