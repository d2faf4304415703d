package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Prefix is where every path of the API begins.
const Prefix = "/api/v1"

// Commander carries out operator commands.
type Commander interface {
	// Do returns the incident after the command once it is durable; for split
	// the new one, for link and unlink without an incident the zero value. The
	// error wraps one of [correlate.ErrNotFound], [correlate.ErrConflict],
	// [correlate.ErrState], [correlate.ErrInvalid] or [ingest.ErrOverloaded],
	// or says that the store refused. A command with an ID that was carried
	// out already is not carried out again.
	Do(ctx context.Context, cmd correlate.Command) (correlate.Incident, error)
}

// Explainer answers why an alert is or is not in an incident, or in none at all.
type Explainer interface {
	// Explain returns [correlate.ErrNotFound] for an alert or an incident that
	// it does not know.
	Explain(ctx context.Context, fp ingest.Fingerprint, incident string) (correlate.Explanation, error)
	// Noise lists the alerts that are noise by their own past, chronic first.
	Noise(ctx context.Context) ([]correlate.Noise, error)
}

// Estate owns the CMDB.
type Estate interface {
	// Estate returns the newest snapshot, never nil.
	Estate() *cmdb.Snapshot
	// ChangeEstate calls change with the newest snapshot, while no other
	// change runs, and returns once its result is durable and in use. An error
	// of change is returned as it is and nothing is changed. A result that
	// would leave the estate invalid is refused with the *[cmdb.Mistake]s of
	// [cmdb.Snapshot.Apply].
	ChangeEstate(ctx context.Context, change func(*cmdb.Snapshot) (cmdb.Change, error)) error
}

// Outbox lists notifications.
type Outbox interface {
	// Deliveries lists those in one state, or all when state is empty, newest first.
	Deliveries(ctx context.Context, state string, p correlate.Page) (items []correlate.Delivery, next string, err error)
}

// Options say what the API talks to.
type Options struct {
	// Reader, Commander, Explainer and Estate are required.
	Reader    correlate.Reader
	Commander Commander
	Explainer Explainer
	Estate    Estate
	// Outbox may be nil: then nobody is notified and the list is empty.
	Outbox Outbox
	// ReadEstate parses an estate in the format yaml, json or csv; name stands
	// for the input in the positions of its *[cmdb.Mistake]s. Nil means that
	// imports are refused.
	ReadEstate func(format, name string, r io.Reader) (EstateFile, error)

	// Counts are further numbers for the status; nil means none.
	Counts func(context.Context) (map[string]int64, error)
	// Version and Store are shown in the status.
	Version, Store string
	// Now is the clock; nil means time.Now. Uptime counts from the call of New.
	Now func() time.Time
	// Logger takes what is not the caller's fault; nil discards it.
	Logger *slog.Logger
	// Registerer takes the metrics of the handlers; nil means none.
	Registerer prometheus.Registerer
}

// EstateFile is what an import brings, with the place of each item in it.
type EstateFile struct {
	CIs       []cmdb.CI
	Relations []cmdb.Relation
	Positions cmdb.Positions
}

// Server is the handler of everything under [Prefix].
type Server struct {
	opt     Options
	started time.Time
	mux     *http.ServeMux
	routes  []route
	// origin keeps the web pages an operator happens to visit from sending
	// commands through the operator's browser to a server on loopback.
	origin *http.CrossOriginProtection
}

// route is one operation. The OpenAPI document lists the same ones; a test
// compares them.
type route struct {
	method, path string
	// query are the parameters it takes; any other is refused.
	query []string
	// body is the limit of the request's body in bytes; 0 means defaultBody.
	body   int64
	handle func(http.ResponseWriter, *http.Request) error
}

const (
	defaultBody = 1 << 20
	importBody  = 256 << 20
)

// New returns the handler.
func New(opt Options) *Server {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: opt, started: opt.Now(), mux: http.NewServeMux(), origin: http.NewCrossOriginProtection()}
	s.routes = slices.Concat(s.incidentRoutes(), s.alertRoutes(), s.estateRoutes(), s.otherRoutes())
	m := newMetrics(opt.Registerer)
	for _, rt := range s.routes {
		s.mux.Handle(rt.method+" "+Prefix+rt.path, m.instrument(rt, s.serve(rt)))
	}
	s.mux.Handle("/", m.instrument(route{path: "unknown"}, http.HandlerFunc(s.unknown)))
	return s
}

// ServeHTTP answers a request whose path begins with [Prefix].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) serve(rt route) http.Handler {
	limit := rt.body
	if limit == 0 {
		limit = defaultBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := checkQuery(r, rt.query)
		if s.origin.Check(r) != nil {
			err = &Error{Code: CodeForbidden, Message: "a browser sends this from a page of another site", Hint: "send it from the server's own address"}
		}
		if err == nil {
			r.Body = requestBody{http.MaxBytesReader(w, r.Body, limit)}
			err = rt.handle(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// unknown answers for paths, and for methods on known paths, that do not exist.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); pattern != "/" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		s.fail(w, r, &Error{Code: CodeNotFound, Message: "no such path: " + r.URL.Path, Hint: "see " + Prefix + "/openapi.yaml"})
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	s.fail(w, r, &Error{Code: CodeMethod, Message: r.Method + " is not possible here", Hint: "use " + strings.Join(allow, " or ")})
}

// operator is who acts: what the body says, else the header, else nobody known.
func operator(r *http.Request, by string) string {
	for _, name := range []string{by, r.Header.Get("X-Tocsin-User")} {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return "anonymous"
}

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }
