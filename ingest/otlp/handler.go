package otlp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Source is the name of the source when the sender gives none.
const Source = "otlp"

// Handler serves POST /v1/logs. It answers 200, with partialSuccess when
// records were refused; errors are google.rpc.Status in the sender's encoding.
func Handler(door *httpdoor.Door, opt Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source, err := httpdoor.SourceOf(r, Source)
		enc, encErr := encodingOf(r.Header)
		if err = errors.Join(encErr, err); err != nil {
			refuse(door, w, r, refusal{source, enc, err})
			return
		}
		body, release, err := door.Read(w, r)
		if err != nil {
			refuse(door, w, r, refusal{source, enc, err})
			return
		}
		req, err := enc.unmarshal(body)
		release() // what was unmarshalled holds copies
		if err != nil {
			refuse(door, w, r, refusal{source, enc, err})
			return
		}
		b := decode(req, opt, door.KeepsRaw(source) || opt.KeepRaw != nil && opt.KeepRaw(source))
		capture := &unavailable{ResponseWriter: w}
		rejections, ok := door.ReceiveBatch(capture, r, source, b)
		if !ok {
			write(w, enc.media, capture.code, enc.status(codeUnavailable, strings.TrimSpace(capture.body.String())))
			return
		}
		write(w, enc.media, http.StatusOK, enc.response(refused(rejections)))
	})
}

// refused counts what is the sender's fault, and says why.
func refused(rejections []ingest.Rejection) (int64, string) {
	const most = 5
	var n int64
	var texts []string
	for _, x := range rejections {
		if errors.Is(x.Err, errBelow) {
			continue
		}
		if n++; n <= most {
			texts = append(texts, x.Error())
		}
	}
	if n > most {
		texts = append(texts, fmt.Sprintf("and %d more", n-most))
	}
	return n, strings.Join(texts, "; ")
}

func encodingOf(h http.Header) (encoding, error) {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err == nil {
		for _, enc := range []encoding{protobuf, jsonEncoding} {
			if media == enc.media {
				return enc, nil
			}
		}
	}
	return jsonEncoding, &httpdoor.Problem{Status: http.StatusUnsupportedMediaType, Reason: ingest.ReasonUnsupported,
		Err: fmt.Errorf("Content-Type: %.80q: send %s or %s", h.Get("Content-Type"), protobuf.media, jsonEncoding.media)}
}

type refusal struct {
	source string
	enc    encoding
	err    error
}

func refuse(door *httpdoor.Door, w http.ResponseWriter, r *http.Request, x refusal) {
	var p *httpdoor.Problem
	if !errors.As(x.err, &p) {
		p = &httpdoor.Problem{Status: http.StatusBadRequest, Reason: ingest.ReasonMalformed, Err: x.err}
	}
	door.Count(r, x.source, p)
	write(w, x.enc.media, p.Status, x.enc.status(codeInvalid, p.Error()))
}

func write(w http.ResponseWriter, media string, status int, body []byte) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	w.Write(body)
}

// unavailable holds back the door's plain answer, to be told as a Status.
type unavailable struct {
	http.ResponseWriter
	code int
	body bytes.Buffer
}

func (u *unavailable) WriteHeader(code int)        { u.code = cmp.Or(u.code, code) }
func (u *unavailable) Write(b []byte) (int, error) { return u.body.Write(b) }
