package otlp

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Options say which records are alerts. The zero value has the defaults.
type Options struct {
	// MinSeverity is the severity number from which on a record is an alert;
	// 0 means 13, WARN. Records with an event name, or with a status in the
	// attribute alert.status, are alerts whatever theirs.
	MinSeverity int32
	// KeepRaw says whether the payloads of a source are kept besides those that
	// the door keeps anyway; nil means none.
	KeepRaw func(source string) bool
}

const defaultMinSeverity = int32(plog.SeverityNumberWarn)

// errBelow is why a record is left that is nobody's alert.
var errBelow = errors.New("log record below the minimum severity and without an event name or alert.status")

// encoding is one of the two of the protocol.
type encoding struct {
	media     string
	unmarshal func([]byte) (request, error)
	status    func(code int32, message string) []byte
	response  func(rejected int64, message string) []byte
}

// unmarshalProto takes a message whole or not at all: a break in protobuf is
// one of lengths, after which nothing is known to begin where it seems to, so
// its records are not decoded one by one as those in JSON are.
func unmarshalProto(body []byte) (request, error) {
	if err := checkDepth(body); err != nil {
		return request{}, err
	}
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
	return request{Logs: logs}, err
}

// decode makes alerts of records. Places count the records through all
// resources and scopes, the broken ones included.
func decode(req request, opt Options, keepRaw bool) *httpdoor.Batch {
	b := new(httpdoor.Batch)
	least := cmp.Or(opt.MinSeverity, defaultMinSeverity)
	words := ingest.DefaultSeverities()
	place := 0
	rejectBroken := func() {
		for ; req.broken[place] != nil; place++ {
			b.Reject(place, ingest.ReasonMalformed, req.broken[place])
		}
	}
	for _, rl := range req.ResourceLogs().All() {
		resource := resourceLabels(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				rejectBroken()
				if number := severityNumber(rec, words); number < least && rec.EventName() == "" && statusOf(rec) == "" {
					b.Reject(place, ingest.ReasonUnsupported, errBelow)
				} else {
					e := decodeRecord(rec, resource, number)
					if keepRaw {
						e.Raw = raw(rl.Resource(), sl.Scope(), rec)
					}
					b.Add(place, e)
				}
				place++
			}
		}
	}
	rejectBroken()
	return b
}

// severityNumber is the record's; one that only has a text is judged by it.
func severityNumber(rec plog.LogRecord, words ingest.SeverityMap) int32 {
	if n := rec.SeverityNumber(); n > 0 {
		return int32(n)
	}
	switch words.Lookup(rec.SeverityText()) {
	case ingest.Critical:
		return int32(plog.SeverityNumberFatal)
	case ingest.Major:
		return int32(plog.SeverityNumberError)
	case ingest.Minor, ingest.Warning:
		return int32(plog.SeverityNumberWarn)
	default:
		return 0
	}
}

// severity translates a severity number, whose ranges the data model defines.
func severity(number int32) (ingest.Severity, string) {
	switch {
	case number >= int32(plog.SeverityNumberFatal):
		return ingest.Critical, "FATAL"
	case number >= int32(plog.SeverityNumberError):
		return ingest.Major, "ERROR"
	case number >= int32(plog.SeverityNumberWarn):
		return ingest.Warning, "WARN"
	case number >= int32(plog.SeverityNumberInfo):
		return ingest.Info, "INFO"
	case number >= int32(plog.SeverityNumberDebug):
		return ingest.Info, "DEBUG"
	case number > 0:
		return ingest.Info, "TRACE"
	default:
		return ingest.Unknown, ""
	}
}

func decodeRecord(rec plog.LogRecord, resource ingest.Labels, number int32) ingest.Event {
	e := ingest.Event{Kind: ingest.KindAlert, Status: cmp.Or(statusOf(rec), ingest.Firing)}
	if e.Status == ingest.Resolved {
		e.EndsAt = startOf(rec)
	} else {
		e.StartsAt = startOf(rec)
	}
	var word string
	e.Severity, word = severity(number)
	e.SourceSeverity = cmp.Or(rec.SeverityText(), word)
	body := text(rec.Body())
	notes := map[string]string{"summary": cmp.Or(body, rec.EventName())}
	for name, v := range rec.Attributes().All() {
		// The attributes of an event are what it says. Those of a plain log
		// record differ with every request served: kept, they would make a new
		// row of every line of a log storm.
		if s := scalar(v); s != "" && (rec.EventName() != "" || name == "exception.type") && name != "summary" && name != statusAttribute && len(notes) < maxNotes {
			notes[name] = cut(s, maxNote)
		}
	}
	if rec.EventName() != "" { // and not of plain records, for the same reason
		if id := rec.TraceID(); !id.IsEmpty() {
			notes["trace_id"] = id.String()
		}
		if id := rec.SpanID(); !id.IsEmpty() {
			notes["span_id"] = id.String()
		}
	}
	name := cmp.Or(rec.EventName(), template(body), strings.ToLower(cmp.Or(e.SourceSeverity, "log"))+" without text")
	labels := append(ingest.Labels(nil), resource...)
	labels = bindingLabels(labels, rec.Attributes())
	e.Labels = labels.Set("alertname", name)
	e.Annotations = ingest.NewLabels(notes)
	return e
}

// statusAttribute is how a record says that its alert fires or is over.
const statusAttribute = "alert.status"

// statusOf is what a record says of its alert's status, "" when it says nothing.
func statusOf(rec plog.LogRecord) ingest.Status {
	v, ok := rec.Attributes().Get(statusAttribute)
	if !ok {
		return ""
	}
	switch strings.ToLower(scalar(v)) {
	case "resolved", "ok":
		return ingest.Resolved
	case "firing":
		return ingest.Firing
	default:
		return ""
	}
}

// startOf is when what the record tells of happened, zero when it does not say.
func startOf(rec plog.LogRecord) time.Time {
	if ts := cmp.Or(rec.Timestamp(), rec.ObservedTimestamp()); ts != 0 {
		return ts.AsTime()
	}
	return time.Time{}
}

const (
	maxNotes = 48
	maxNote  = 4 << 10
	maxBody  = 8 << 10
)

// text is the body as a sentence: a text as it is, else the member that holds
// the message, else all of it as JSON.
func text(v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeMap {
		for _, name := range []string{"message", "msg", "body", "event"} {
			if m, ok := v.Map().Get(name); ok && m.Type() == pcommon.ValueTypeStr && m.Str() != "" {
				return cut(m.Str(), maxBody)
			}
		}
	}
	if v.Type() == pcommon.ValueTypeEmpty {
		return ""
	}
	return cut(v.AsString(), maxBody)
}

// scalar is a single value as text, "" for lists, maps and bytes.
func scalar(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr, pcommon.ValueTypeBool, pcommon.ValueTypeInt, pcommon.ValueTypeDouble:
		return v.AsString()
	default:
		return ""
	}
}

// cut bounds a text without breaking a character; text that is not UTF-8 is
// left for the check that names it.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}

// raw is one record with its resource and scope, as OTLP/JSON.
func raw(resource pcommon.Resource, scope pcommon.InstrumentationScope, rec plog.LogRecord) []byte {
	one := plog.NewLogs()
	rl := one.ResourceLogs().AppendEmpty()
	resource.CopyTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	scope.CopyTo(sl.Scope())
	rec.CopyTo(sl.LogRecords().AppendEmpty())
	out, err := (&plog.JSONMarshaler{}).MarshalLogs(one)
	if err != nil {
		return fmt.Appendf(nil, "%q", err.Error())
	}
	return out
}
