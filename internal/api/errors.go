package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tocsin/cmdb"
	"tocsin/correlate"
	"tocsin/ingest"
)

// Code is the kind of an error, for programs.
type Code string

// The kinds of errors.
const (
	CodeInvalid    Code = "invalid"          // 400
	CodeForbidden  Code = "forbidden"        // 403
	CodeNotFound   Code = "not_found"        // 404
	CodeMethod     Code = "method"           // 405
	CodeState      Code = "not_possible_now" // 409
	CodeConflict   Code = "changed_since"    // 412
	CodeTooLarge   Code = "too_large"        // 413
	CodeOverloaded Code = "overloaded"       // 503
	CodeStore      Code = "store"            // 503
	CodeInternal   Code = "internal"         // 500
)

// ErrorBody is the body of every answer with a status of 400 or more.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error says what went wrong and what to do about it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Field is the parameter or the member of the body that is wrong.
	Field string `json:"field,omitempty"`
	// Hint is the next step.
	Hint string `json:"hint,omitempty"`
	// Revision is the incident's newest revision, with CodeConflict.
	Revision int64 `json:"revision,omitempty"`
	// Details are the mistakes one by one when there are several.
	Details []string `json:"details,omitempty"`
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// invalid is a mistake in one field of the request.
func invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// retryAfter is what an overloaded server asks for: long enough for a few
// ticks, short enough for a person who waits.
const retryAfter = 2 * time.Second

// statusOf maps an error to a status code and a body. It is the only place
// that does.
func statusOf(err error) (int, Error) {
	var own *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own.Code.status(), *own
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, Error{Code: CodeTooLarge, Message: "the body has more than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes", Hint: "send less at a time"}
	case errors.Is(err, correlate.ErrNotFound), errors.Is(err, cmdb.ErrUnknownCI), errors.Is(err, cmdb.ErrNoPath):
		return http.StatusNotFound, Error{Code: CodeNotFound, Message: err.Error()}
	case errors.Is(err, correlate.ErrConflict):
		return http.StatusPreconditionFailed, Error{Code: CodeConflict, Message: err.Error(), Hint: "read the incident again and decide anew"}
	case errors.Is(err, correlate.ErrState):
		return http.StatusConflict, Error{Code: CodeState, Message: err.Error()}
	case errors.Is(err, correlate.ErrInvalid):
		return http.StatusBadRequest, Error{Code: CodeInvalid, Message: err.Error()}
	case errors.Is(err, ingest.ErrOverloaded), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, Error{Code: CodeOverloaded, Message: err.Error(), Hint: "try again in a moment"}
	case errors.Is(err, ingest.ErrStore):
		return http.StatusServiceUnavailable, Error{Code: CodeStore, Message: ingest.ErrStore.Error(), Hint: "the reason is in the server's log; is the disk full?"}
	case len(cmdb.MistakesOf(err)) > 0:
		return http.StatusBadRequest, mistakes(cmdb.MistakesOf(err))
	default:
		// The text may hold paths or SQL; it is for the log only.
		return http.StatusInternalServerError, Error{Code: CodeInternal, Message: "the server could not do it", Hint: "the reason is in the server's log"}
	}
}

// mistakes lists what is wrong with an estate or a change of it.
func mistakes(all []*cmdb.Mistake) Error {
	e := Error{Code: CodeInvalid, Field: all[0].Position, Message: all[0].Detail}
	if len(all) > 1 {
		e.Hint = fmt.Sprintf("%d mistakes in all, see details", len(all))
		for _, m := range all[:min(len(all), 100)] {
			e.Details = append(e.Details, m.Error())
		}
	}
	return e
}

func (c Code) status() int {
	switch c {
	case CodeInvalid:
		return http.StatusBadRequest
	case CodeForbidden:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeMethod:
		return http.StatusMethodNotAllowed
	case CodeState:
		return http.StatusConflict
	case CodeConflict:
		return http.StatusPreconditionFailed
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeOverloaded, CodeStore:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// fail answers with an error. What is our fault is logged here, once.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read the answer
	}
	status, body := statusOf(err)
	if status == http.StatusInternalServerError {
		s.opt.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	s.write(w, r, status, ErrorBody{body})
}

// write sends a JSON body. It is built before the header goes out, so an
// answer is whole or an error, never half. HTML in foreign text is escaped.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.opt.Logger.ErrorContext(r.Context(), "answer cannot be encoded", "path", r.URL.Path, "err", err)
		status = http.StatusInternalServerError
		b = []byte(`{"error":{"code":"internal","message":"the answer cannot be written as JSON","hint":"the reason is in the server's log"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	// A failing write means that the caller went away.
	_, _ = w.Write(append(b, '\n'))
}
