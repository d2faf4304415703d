package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"tocsin/internal/api"
)

// TestRealAnswersAreAsDocumented reads everything that the API lists from the
// real engine and store, and checks it against the OpenAPI document that the
// server itself hands out. Package api does the same with made-up records.
func TestRealAnswersAreAsDocumented(t *testing.T) {
	s, err := startStory(filepath.Join(t.TempDir(), "tocsin.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if err := s.tell(); err != nil {
		t.Fatal(err)
	}
	incident, err := s.incidentOn("feed-a")
	if err != nil {
		t.Fatal(err)
	}
	post := func(body string) {
		t.Helper()
		resp, err := s.http.Client().Post(s.http.URL+api.Prefix+path("incidents", incident, "commands"), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s", body, resp.Status, b)
		}
	}
	post(`{"command":"acknowledge","comment":"mine"}`)
	post(`{"command":"link","link":{"from":"incident:` + incident + `","to":"ci:feed-a","kind":"caused_by"}}`)

	_, yaml := fetch(t, s, "/openapi.yaml")
	doc, err := openapi3.NewLoader().LoadFromData(yaml)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"{fingerprint}": "ae9aa0a300ea5ad4"}
	queries := map[string]string{"/path": "from=shop&to=feed-a", "/links": "ref=ci:feed-a", "/explain": "alert=fd812214356426f7&incident=" + incident}
	for route, item := range doc.Paths.Map() {
		if item.Get == nil || route == "/openapi.yaml" {
			continue
		}
		values["{id}"] = incident
		if strings.HasPrefix(route, "/cis/") {
			values["{id}"] = url.PathEscape("rack/1")
		}
		target := route
		for name, value := range values {
			target = strings.ReplaceAll(target, name, value)
		}
		target += "?" + queries[route]
		resp, body := fetch(t, s, target)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", target, resp.Status, body)
		}
		err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: resp.Request,
				Route: &routers.Route{Spec: doc, Path: route, PathItem: item, Method: http.MethodGet, Operation: item.Get}},
			Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		})
		if err != nil {
			t.Errorf("%s: %v\n%s", target, err, body)
		}
	}
}

func fetch(t *testing.T, s *story, target string) (*http.Response, []byte) {
	t.Helper()
	resp, err := s.http.Client().Get(s.http.URL + api.Prefix + target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}
