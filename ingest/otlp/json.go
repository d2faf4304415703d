package otlp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/collector/pdata/plog"
)

// maxBroken bounds the records that a message may have broken: from there on
// it is the sender that is, and each of them costs memory for its reason.
const maxBroken = 1000

// lenient is for what the decoder of pdata takes too: a text that is not UTF-8
// spoils one record, not all.
var lenient = jsontext.AllowInvalidUTF8(true)

// request is a message decoded. Its records are without the broken ones.
type request struct {
	plog.Logs
	// broken says why, by the place of the record among all of the message.
	broken map[int]error
}

func unmarshalJSON(body []byte) (request, error) {
	// The decoder of pdata takes what is no JSON, such as a body that goes on
	// after its end.
	v := jsontext.Value(body)
	if v.Kind() != '{' {
		return request{}, errors.New("body: want an object with resourceLogs")
	}
	if !v.IsValid(lenient, jsontext.AllowDuplicateNames(true)) {
		return request{}, errors.New("body: not valid JSON, or cut off")
	}
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(body)
	if err != nil {
		return salvage(body, err)
	}
	return request{Logs: logs}, nil
}

// The frame of a message, as far as the records; its names are those that the
// decoder of pdata knows.
type (
	frame struct {
		ResourceLogs  []resourceFrame `json:"resourceLogs"`
		ResourceLogs2 []resourceFrame `json:"resource_logs"`
	}
	resourceFrame struct {
		Resource   jsontext.Value `json:"resource"`
		ScopeLogs  []scopeFrame   `json:"scopeLogs"`
		ScopeLogs2 []scopeFrame   `json:"scope_logs"`
	}
	scopeFrame struct {
		Scope       jsontext.Value   `json:"scope"`
		LogRecords  []jsontext.Value `json:"logRecords"`
		LogRecords2 []jsontext.Value `json:"log_records"`
	}
)

// salvage decodes records in small groups, and one by one where a group has a
// broken one, after the decoder of pdata refused
// the message because of one of them. Without a frame around the records cause
// is the error.
func salvage(body []byte, cause error) (request, error) {
	var f frame
	if json.Unmarshal(body, &f, lenient) != nil {
		return request{}, cause
	}
	s := salvaged{request: request{Logs: plog.NewLogs(), broken: map[int]error{}}}
	for _, r := range slices.Concat(f.ResourceLogs, f.ResourceLogs2) {
		s.addResource(r)
	}
	if len(s.broken) > maxBroken {
		return request{}, fmt.Errorf("body: more than %d records cannot be read; the first error: %w", maxBroken, cause)
	}
	if len(s.broken) == 0 {
		return request{}, cause // it is in no record, nor in what stands above one
	}
	return s.request, nil
}

type salvaged struct {
	request
	place int
}

func (s *salvaged) addResource(r resourceFrame) {
	out := s.ResourceLogs().AppendEmpty()
	above := error(nil)
	if r.Resource != nil {
		one, err := decodeOne(`{"resourceLogs":[{"resource":`, r.Resource, `}]}`)
		if above = err; err == nil && one.ResourceLogs().Len() == 1 {
			one.ResourceLogs().At(0).Resource().MoveTo(out.Resource())
		}
	}
	for _, sf := range slices.Concat(r.ScopeLogs, r.ScopeLogs2) {
		s.addScope(out.ScopeLogs().AppendEmpty(), sf, above)
	}
}

// addScope adds a scope's records to out; above is what is wrong with their resource.
func (s *salvaged) addScope(out plog.ScopeLogs, f scopeFrame, above error) {
	if f.Scope != nil && above == nil {
		one, err := decodeOne(`{"resourceLogs":[{"scopeLogs":[{"scope":`, f.Scope, `}]}]}`)
		if above = err; err == nil {
			scopes := one.ResourceLogs().At(0).ScopeLogs()
			scopes.At(0).Scope().MoveTo(out.Scope())
		}
	}
	for chunk := range slices.Chunk(slices.Concat(f.LogRecords, f.LogRecords2), maxChunk) {
		if above == nil && addRecords(out, chunk...) == nil {
			s.place += len(chunk)
			continue
		}
		for _, v := range chunk {
			if len(s.broken) > maxBroken {
				return
			}
			err := above
			if err == nil {
				err = addRecords(out, v)
			}
			if err != nil {
				s.broken[s.place] = err
			}
			s.place++
		}
	}
}

// maxChunk is how many records are tried at once: one by one, a message of
// 16 MB in tiny records, one of them broken, was measured to take 5.6 s, where
// one without takes 0.7 s; in groups of this size, 2.2 s.
const maxChunk = 64

// addRecords adds all of some records to out, or none of them.
func addRecords(out plog.ScopeLogs, values ...jsontext.Value) error {
	part := values[0].Clone()
	for _, v := range values[1:] {
		part = append(append(part, ','), v...)
	}
	one, err := decodeOne(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[`, part, `]}]}]}`)
	if err != nil {
		return err
	}
	records := one.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	if records.Len() != len(values) {
		return fmt.Errorf("log record: %.40s: want an object", part)
	}
	records.MoveAndAppendTo(out.LogRecords())
	return nil
}

// decodeOne decodes a part of a message within as much of a frame as it needs.
func decodeOne(before string, part jsontext.Value, after string) (plog.Logs, error) {
	body := make([]byte, 0, len(before)+len(part)+len(after))
	body = append(append(append(body, before...), part...), after...)
	return (&plog.JSONUnmarshaler{}).UnmarshalLogs(body)
}
