package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/api"
)

// patience is how long an answer may take: long enough for the import of a
// large estate, short enough for a script to notice a server that hangs.
const patience = 5 * time.Minute

const defaultServer = "http://127.0.0.1:9094"

func addServerFlags(root *cobra.Command) {
	server := os.Getenv("TOCSIN_SERVER")
	if server == "" {
		server = defaultServer
	}
	f := root.PersistentFlags()
	f.String("server", server, "address of the server; also $TOCSIN_SERVER")
	f.StringP("output", "o", "table", "table for people, json for scripts")
	f.String("user", os.Getenv("USER"), "who acts, for the timeline")
	completeWords(root, "output", "table", "json")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if o, _ := cmd.Flags().GetString("output"); o != "table" && o != "json" {
			return usageError{fmt.Errorf("--output %q: want table or json", o)}
		}
		return nil
	}
}

// wantsJSON reads the flag --output of any command.
func wantsJSON(cmd *cobra.Command) bool {
	f := cmd.Flag("output")
	return f != nil && f.Value.String() == "json"
}

// client speaks to a server's API.
type client struct {
	base *url.URL
	user string
	http *http.Client
}

func newClient(cmd *cobra.Command) (*client, error) {
	server, user := cmd.Flag("server").Value.String(), cmd.Flag("user").Value.String()
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("--server %q: want an address such as %s", server, defaultServer)}
	}
	return &client{base: u, user: user, http: &http.Client{Timeout: patience}}, nil
}

// completionClient gives up soon, for somebody waits with the Tab key pressed.
func completionClient(cmd *cobra.Command) (*client, error) {
	c, err := newClient(cmd)
	if err == nil {
		c.http.Timeout = 2 * time.Second
	}
	return c, err
}

// completeWith completes the values of a flag that the command has.
func completeWith(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag: a mistake in this program
	}
}

// completeWords completes the values of a flag with fixed words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	completeWith(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// severities are offered for flags that select by severity.
var severities = []string{"critical", "major", "minor", "warning", "info", "unknown"}

// request is one call of the API. Path elements are escaped by path.
type request struct {
	method string
	path   string
	query  url.Values
	header map[string]string
	// body is sent as JSON, or as it is when it is a reader.
	body any
}

// path joins elements that may hold any character to a path of the API.
func path(elems ...string) string {
	var b strings.Builder
	for _, e := range elems {
		e = url.PathEscape(e)
		if e == "." || e == ".." {
			e = strings.ReplaceAll(e, ".", "%2E") // else it would be cleaned away
		}
		b.WriteByte('/')
		b.WriteString(e)
	}
	return b.String()
}

// call returns the body of the answer and decodes it into out unless that is nil.
func (c *client) call(ctx context.Context, rq request, out any) ([]byte, error) {
	target, err := url.Parse(strings.TrimSuffix(c.base.String(), "/") + api.Prefix + rq.path)
	if err != nil {
		return nil, fmt.Errorf("address of the server: %w", err)
	}
	target.RawQuery = rq.query.Encode()
	var body io.Reader
	switch b := rq.body.(type) {
	case nil:
	case io.Reader:
		body = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	hr, err := http.NewRequestWithContext(ctx, rq.method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	hr.Header.Set("Accept", "application/json")
	if body != nil {
		hr.Header.Set("Content-Type", "application/json")
	}
	if c.user != "" {
		hr.Header.Set("X-Tocsin-User", c.user)
	}
	for k, v := range rq.header {
		hr.Header.Set(k, v)
	}
	resp, err := c.http.Do(hr)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.base.Redacted(), err)
	}
	if resp.StatusCode >= 400 {
		return raw, c.refused(resp, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			return raw, fmt.Errorf("%s does not answer as a Tocsin server of this version does: %w", c.base.Redacted(), err)
		}
	}
	return raw, nil
}

// get is call for reading.
func (c *client) get(ctx context.Context, path string, query url.Values, out any) ([]byte, error) {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, out)
}

func (c *client) unreachable(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("no server at %s: %w\nstart one with: tocsin serve\nor name another with --server or $TOCSIN_SERVER", c.base.Redacted(), op.Err)
	}
	return fmt.Errorf("ask %s: %w", c.base.Redacted(), err)
}

// refused turns an error of the API into one for people.
func (c *client) refused(resp *http.Response, raw []byte) error {
	var body api.ErrorBody
	if json.Unmarshal(raw, &body) != nil || body.Error.Code == "" {
		return fmt.Errorf("%s answers %s, which is not what a Tocsin server says; check --server", c.base.Redacted(), resp.Status)
	}
	e := body.Error
	var b strings.Builder
	b.WriteString(e.Error())
	for _, d := range e.Details {
		b.WriteString("\n  " + d)
	}
	if e.Revision > 0 {
		fmt.Fprintf(&b, "\nthe newest revision is %d", e.Revision)
	}
	if e.Hint != "" {
		b.WriteString("\n" + e.Hint)
	}
	return errors.New(b.String())
}

// timeFlag reads a time as the API does, from the viewpoint of this machine.
func timeFlag(s string) (time.Time, error) { return api.ParseTime(s, time.Now()) }
