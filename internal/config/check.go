package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest/mapping"
)

// check reports every impossible value.
func (c *Config) check(m *mistakes) {
	if why := hostPort(c.Listen); why != "" {
		m.bad("listen", "%q %s", c.Listen, why)
	}
	if c.Data == "" {
		m.bad("data", "is empty; name the folder for the store, such as ./data")
	}
	if c.ExternalURL != "" {
		if why := webURL(c.ExternalURL); why != "" {
			m.bad("external_url", "%q %s", c.ExternalURL, why)
		} else if strings.ContainsAny(c.ExternalURL, "?#") {
			m.bad("external_url", "%q has a query or a fragment; links are made by adding to the path", c.ExternalURL)
		}
	}
	c.Limits.check(m)
	m.notNegative("retention", c.Retention)
	for i, f := range c.CMDB.Files {
		if f == "" {
			m.bad(fmt.Sprintf("cmdb.files[%d]", i), "is empty; name a file in YAML, JSON or CSV")
		}
	}
	c.Ingest.check(m)
	c.Binding.check(m)
	m.from("correlation", c.Correlation.Validate())
	c.Notify.check(m)
}

func (l *Limits) check(m *mistakes) {
	m.atLeast("limits.max_body_bytes", l.MaxBodyBytes, 1024)
	m.atLeast("limits.max_events_in_flight", int64(l.MaxEventsInFlight), 1)
	if l.RequestTimeout <= 0 {
		m.bad("limits.request_timeout", "%v: want more than 0", l.RequestTimeout)
	}
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func (in *Ingest) check(m *mistakes) {
	in.checkMappings(m)
	m.names("ingest.replica_labels", in.ReplicaLabels)
	m.names("ingest.severity_labels", in.SeverityLabels)
	m.atLeast("ingest.max_labels", int64(in.MaxLabels), 1)
	m.atLeast("ingest.max_label_bytes", int64(in.MaxLabelBytes), 64)
	for _, name := range slices.Sorted(maps.Keys(in.Sources)) {
		s, key := in.Sources[name], "ingest.sources."+name
		if !sourceName.MatchString(name) {
			m.bad(key, "name %q: want up to 64 letters, digits, _, . and -, the first a letter or digit", name)
		}
		if s.ResolveTimeout != nil {
			m.notNegative(key+".resolve_timeout", *s.ResolveTimeout)
		}
		lower := map[string]string{}
		for _, word := range slices.Sorted(maps.Keys(s.Severity)) {
			l := strings.ToLower(strings.TrimSpace(word))
			switch other, again := lower[l]; {
			case l == "":
				m.bad(key+".severity."+word, "an empty word; an alert without a severity is unknown")
			case again && s.Severity[word] != s.Severity[other]:
				m.bad(key+".severity."+word, "is %s, but %q is %s; upper and lower case are the same here", s.Severity[word], other, s.Severity[other])
			}
			lower[l] = word
		}
	}
}

// checkMappings compiles each alone, so that every mistake is reported where its
// expression is.
func (in *Ingest) checkMappings(m *mistakes) {
	first := map[string]int{}
	for i, spec := range in.Mappings {
		key := fmt.Sprintf("ingest.mappings[%d]", i)
		if j, again := first[spec.Name]; again {
			m.bad(key+".name", "%q is also the name of mappings[%d]; give each its own", spec.Name, j)
		} else {
			first[spec.Name] = i
		}
		if spec.Name == "alertmanager" {
			m.bad(key+".name", "%q has a door of its own under that name, so the mapping would never be used; choose another", spec.Name)
		}
		_, err := mapping.Compile(spec)
		for _, err := range parts(err) {
			var bad *mapping.Mistake
			if errors.As(err, &bad) {
				m.bad(join(key, bad.Field), "%v", bad.Err)
			} else {
				m.bad(key, "%v", err)
			}
		}
	}
}

func (b *Binding) check(m *mistakes) {
	nothing, _ := cmdb.New(nil, nil) // cannot fail
	for i := range b.Rules {
		// One at a time, so that each mistake is reported where its rule is.
		if _, err := cmdb.NewBinder(b.Rules[i:i+1], nothing); err != nil {
			// The joined error has one part, which numbers the rule as the
			// first and wraps what is wrong with it.
			for _, err := range parts(err) {
				m.from(fmt.Sprintf("binding.rules[%d]", i), cmp.Or(errors.Unwrap(err), err))
			}
		}
	}
}

func (n *Notify) check(m *mistakes) {
	first := map[string]int{}
	for i := range n.Receivers {
		r, key := &n.Receivers[i], fmt.Sprintf("notify.receivers[%d]", i)
		if !sourceName.MatchString(r.Name) {
			m.bad(key+".name", "%q: want up to 64 letters, digits, _, . and -, the first a letter or digit", r.Name)
		} else if j, again := first[r.Name]; again {
			m.bad(key+".name", "%q is also the name of receivers[%d]; give each its own", r.Name, j)
		} else {
			first[r.Name] = i
		}
		r.check(m, key)
	}
}

func (r *Receiver) check(m *mistakes, key string) {
	switch {
	case r.URL == "" && r.URLFile == "":
		m.bad(key+".url", "is missing; give url, or url_file when the address is a secret")
	case r.URL != "" && r.URLFile != "":
		m.bad(key+".url_file", "is given together with url; keep one")
	case r.URL != "":
		if why := webURL(r.URL); why != "" {
			m.bad(key+".url", "%q %s", r.URL, why)
		}
	}
	if r.Format != FormatTocsin && r.Format != FormatAlertmanager {
		m.bad(key+".format", "%q: want %s or %s", r.Format, FormatTocsin, FormatAlertmanager)
	}
	if len(r.Notices) == 0 {
		m.bad(key+".notices", "is empty, so the receiver would hear nothing; leave the key out for all")
	}
	for i, n := range r.Notices {
		if !slices.Contains(correlate.Notices, n) {
			m.bad(fmt.Sprintf("%s.notices[%d]", key, i), "%q: want one of %v", n, correlate.Notices)
		}
	}
	if r.Timeout <= 0 {
		m.bad(key+".timeout", "%v: want more than 0", r.Timeout)
	}
	m.atLeast(key+".max_attempts", int64(r.MaxAttempts), 0)
	if r.GiveUpAfter <= 0 {
		m.bad(key+".give_up_after", "%v: want more than 0", r.GiveUpAfter)
	}
	canon := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		h := key + ".headers." + name
		c := http.CanonicalHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			m.bad(h, "%q is no name of a header", name)
		case c == "Authorization":
			m.bad(h, "is a secret; put its value into a file and name that in authorization_file")
		case slices.Contains(ownHeaders, c) || strings.HasPrefix(c, "X-Tocsin-"):
			m.bad(h, "is set by Tocsin; choose another name")
		case canon[c]:
			m.bad(h, "is given twice; upper and lower case are the same here")
		case strings.ContainsFunc(r.Headers[name], isControl):
			m.bad(h, "%q is no value of a header", r.Headers[name])
		}
		canon[c] = true
	}
}

// ownHeaders are those a receiver relies on to be ours.
var ownHeaders = []string{"Connection", "Content-Length", "Content-Type", "Host", "Idempotency-Key", "Transfer-Encoding"}

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func (m *mistakes) atLeast(key string, v, least int64) {
	if v < least {
		m.bad(key, "%d: want at least %d", v, least)
	}
}

func (m *mistakes) notNegative(key string, d Duration) {
	if d < 0 {
		m.bad(key, "%v: want 0 or more", d)
	}
}

// names reports names of labels that are empty or given twice.
func (m *mistakes) names(key string, list []string) {
	for i, n := range list {
		switch {
		case n == "":
			m.bad(fmt.Sprintf("%s[%d]", key, i), "is empty; name a label")
		case slices.Contains(list[:i], n):
			m.bad(fmt.Sprintf("%s[%d]", key, i), "%q is in the list twice", n)
		}
	}
}

// from takes over what a component says of its own part: an error that begins
// with the path of a key is reported where that key is.
func (m *mistakes) from(section string, err error) {
	for _, e := range parts(err) {
		key, detail := section, e.Error()
		word, rest, _ := strings.Cut(detail, " ")
		path, sure := strings.CutSuffix(word, ":")
		if path = join(section, path); keyPath.MatchString(path) {
			if _, given := m.at[path]; given || sure {
				key, detail = path, rest
			}
		}
		m.bad(key, "%s", detail)
	}
}

var keyPath = regexp.MustCompile(`^[a-z_]+(\.[^ .:]+|\[[0-9]+\])*$`)

// parts takes joined errors apart, also when what joins them is wrapped.
func parts(err error) []error {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		var out []error
		for _, x := range e.Unwrap() {
			out = append(out, parts(x)...)
		}
		return out
	default:
		return []error{err}
	}
}

// hostPort says why s is no address to listen on, "" when it is one.
func hostPort(s string) string {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "is no host:port, such as 127.0.0.1:9094"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "has no port from 0 to 65535"
	}
	return ""
}

// webURL says why s is no absolute web address, "" when it is one. It does not
// repeat s, which may be secret.
func webURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is no URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "does not begin with http:// or https://"
	case u.Hostname() == "":
		return "has no host"
	case u.Fragment != "":
		return "has a fragment, which is never sent; remove what follows #"
	}
	return ""
}
