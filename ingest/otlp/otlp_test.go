package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"google.golang.org/protobuf/encoding/protowire"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
	"tocsin/ingest/httpdoor/doortest"
)

var now = doortest.Now

func post(r *doortest.Receiver, opt Options, contentType string, body []byte, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/v1/logs", bytes.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(httpdoor.New(r, httpdoor.Options{}), opt).ServeHTTP(w, req)
	return w
}

// logs makes one resource with the records that fill fills in.
func logs(resource map[string]any, fill ...func(plog.LogRecord)) plog.Logs {
	l := plog.NewLogs()
	rl := l.ResourceLogs().AppendEmpty()
	if err := rl.Resource().Attributes().FromRaw(resource); err != nil {
		panic(err)
	}
	sl := rl.ScopeLogs().AppendEmpty()
	for _, f := range fill {
		f(sl.LogRecords().AppendEmpty())
	}
	return l
}

func record(severity plog.SeverityNumber, body string) func(plog.LogRecord) {
	return func(r plog.LogRecord) {
		r.SetSeverityNumber(severity)
		r.Body().SetStr(body)
		r.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Hour)))
	}
}

func proto(t testing.TB, l plog.Logs) []byte {
	t.Helper()
	b, err := (&plog.ProtoMarshaler{}).MarshalLogs(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asJSON(t testing.TB, l plog.Logs) []byte {
	t.Helper()
	b, err := (&plog.JSONMarshaler{}).MarshalLogs(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var kubernetes = map[string]any{"service.name": "Checkout", "service.namespace": "shop-ns", "k8s.namespace.name": "shop", "k8s.pod.name": "api-0",
	"host.name": "N1", "deployment.environment.name": "prod", "process.pid": 77, "telemetry.sdk.name": "otel", "k8s.pod.uid": "u", "list": []any{1}}

func TestRecordBecomesAlert(t *testing.T) {
	l := logs(kubernetes, record(plog.SeverityNumberError, "dial 10.0.0.7:5432: timeout after 3.5s\nstack"))
	var got []ingest.Event
	for _, w := range []struct {
		media string
		body  []byte
	}{{"application/x-protobuf", proto(t, l)}, {"application/json; charset=utf-8", asJSON(t, l)}} {
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
		res := post(r, Options{}, w.media, w.body)
		if res.Code != http.StatusOK || len(r.Events) != 1 || len(r.Rejected) != 0 {
			t.Fatalf("%s: %d %q, %d events", w.media, res.Code, res.Body, len(r.Events))
		}
		got = append(got, r.Events[0])
	}
	if d := cmp.Diff(got[0], got[1]); d != "" {
		t.Errorf("protobuf and JSON differ: %s", d)
	}
	e := got[0]
	e.Fingerprint, e.PrometheusFingerprint = 0, 0
	want := ingest.Event{Kind: ingest.KindAlert, Source: Source, Status: ingest.Firing, StartsAt: now.Add(-time.Hour), Timeout: 24 * time.Hour,
		Severity: ingest.Major, SourceSeverity: "ERROR",
		Labels: ingest.LabelsOf("alertname", "dial <n>: timeout after <n>s", "service", "Checkout", "namespace", "shop", "pod", "api-0", "host", "N1", "environment", "prod",
			"service.name", "Checkout", "service.namespace", "shop-ns", "k8s.namespace.name", "shop", "k8s.pod.name", "api-0", "host.name", "N1", "deployment.environment.name", "prod"),
		Annotations: ingest.LabelsOf("summary", "dial 10.0.0.7:5432: timeout after 3.5s\nstack")}
	if d := cmp.Diff(want, e); d != "" {
		t.Error(d)
	}
}

// TestJSONTraps: identifiers in hex, 64-bit numbers as text, enums as numbers.
func TestJSONTraps(t *testing.T) {
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
	body := `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}},{"key":"shard","value":{"intValue":"9007199254740993"}}]},
		"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795251600000000000","severityNumber":17,"eventName":"db.down","traceId":"5b8efff798038103d269b633813fc60c",
		"spanId":"eee19b7ec3c1b174","body":{"stringValue":"x"},"attributes":[{"key":"db","value":{"stringValue":"orders"}}]}]}]}],"later":{"field":1}}`
	res := post(r, Options{}, "application/json", []byte(body))
	if res.Code != http.StatusOK || res.Body.String() != "{}" || len(r.Events) != 1 {
		t.Fatalf("%d %q", res.Code, res.Body)
	}
	e := r.Events[0]
	if e.Annotations.Get("trace_id") != "5b8efff798038103d269b633813fc60c" || e.Annotations.Get("span_id") != "eee19b7ec3c1b174" {
		t.Errorf("annotations %v, want both identifiers", e.Annotations)
	}
	if e.Name() != "db.down" || e.Labels.Get("shard") != "9007199254740993" || !e.StartsAt.Equal(time.Unix(1795251600, 0)) || e.Annotations.Get("db") != "orders" {
		t.Errorf("%+v", e)
	}
}

// TestPlainRecordsFold: records that differ in their trace and attributes only
// are one alert that says nothing new, or a log storm would be a row for each line.
func TestPlainRecordsFold(t *testing.T) {
	fill := func(n byte) func(plog.LogRecord) {
		return func(r plog.LogRecord) {
			record(plog.SeverityNumberError, "no space left")(r)
			r.SetTraceID(pcommon.TraceID{n})
			r.SetSpanID(pcommon.SpanID{n})
			r.Attributes().PutInt("line", int64(n))
		}
	}
	b := decode(request{Logs: logs(kubernetes, fill(1), fill(2))}, Options{}, false)
	if d := cmp.Diff(b.Events[0], b.Events[1]); d != "" {
		t.Error(d)
	}
}

func TestWhichRecords(t *testing.T) {
	named := func(n plog.SeverityNumber, event string) func(plog.LogRecord) {
		return func(r plog.LogRecord) { r.SetSeverityNumber(n); r.SetEventName(event) }
	}
	worded := func(text string) func(plog.LogRecord) {
		return func(r plog.LogRecord) { r.SetSeverityText(text); r.Body().SetStr("b") }
	}
	f := func(fill func(plog.LogRecord), opt Options, want string) {
		t.Helper()
		b := decode(request{Logs: logs(nil, fill)}, opt, false)
		got := "left"
		if len(b.Events) == 1 {
			got = b.Events[0].Severity.String()
		}
		if len(b.Events)+len(b.Rejected) != 1 || got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(record(plog.SeverityNumberTrace, "b"), Options{}, "left")
	f(record(plog.SeverityNumberInfo4, "b"), Options{}, "left")
	f(record(plog.SeverityNumberUnspecified, "b"), Options{}, "left")
	f(record(plog.SeverityNumberWarn, "b"), Options{}, "warning")
	f(record(plog.SeverityNumberError4, "b"), Options{}, "major")
	f(record(plog.SeverityNumberFatal, "b"), Options{}, "critical")
	f(record(plog.SeverityNumberWarn4, "b"), Options{MinSeverity: 17}, "left")
	f(record(plog.SeverityNumberInfo, "b"), Options{MinSeverity: 9}, "info")
	f(named(plog.SeverityNumberInfo, "app.crash"), Options{}, "info")
	f(named(plog.SeverityNumberUnspecified, "app.crash"), Options{}, "unknown")
	f(worded("ERROR"), Options{}, "major")
	f(worded("info"), Options{}, "left")
}

// TestStatus: a record with alert.status ends the alert of the others like it.
func TestStatus(t *testing.T) {
	fill := func(n plog.SeverityNumber, event, status string) func(plog.LogRecord) {
		return func(r plog.LogRecord) {
			record(n, "disk 93 % full")(r)
			r.SetEventName(event)
			if status != "" {
				r.Attributes().PutStr("alert.status", status)
			}
		}
	}
	f := func(fill, firing func(plog.LogRecord), want ingest.Status) {
		t.Helper()
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
		post(r, Options{}, "application/x-protobuf", proto(t, logs(kubernetes, firing, fill)))
		if len(r.Events) != 2 {
			t.Fatalf("%d events, rejected %v", len(r.Events), r.Rejected)
		}
		first, e := r.Events[0], r.Events[1]
		at := e.StartsAt
		if want == ingest.Resolved {
			at = e.EndsAt
		}
		if e.Status != want || e.Fingerprint != first.Fingerprint || !at.Equal(now.Add(-time.Hour)) || e.Annotations.Get("alert.status") != "" {
			t.Errorf("%s at %v, same alert: %v; want %s", e.Status, at, e.Fingerprint == first.Fingerprint, want)
		}
	}
	const info, bad = plog.SeverityNumberInfo, plog.SeverityNumberError
	f(fill(info, "disk.full", "resolved"), fill(bad, "disk.full", ""), ingest.Resolved)
	f(fill(bad, "disk.full", "OK"), fill(bad, "disk.full", "firing"), ingest.Resolved)
	f(fill(info, "", "resolved"), fill(bad, "", ""), ingest.Resolved)
	f(fill(info, "", "firing"), fill(bad, "", ""), ingest.Firing)
	f(fill(info, "disk.full", ""), fill(bad, "disk.full", ""), ingest.Firing)
	f(fill(bad, "disk.full", "ending"), fill(bad, "disk.full", ""), ingest.Firing)
	if b := decode(request{Logs: logs(nil, fill(info, "", "ending"))}, Options{}, false); len(b.Rejected) != 1 {
		t.Error("a record with a word that is no status was taken for an alert")
	}
}

// TestPartialSuccess: refused records are told, left ones are not, and both count.
func TestPartialSuccess(t *testing.T) {
	bomb := func(r plog.LogRecord) {
		r.SetSeverityNumber(plog.SeverityNumberError)
		r.SetEventName(strings.Repeat("x", 20_000))
	}
	l := logs(map[string]any{"service.name": "s"}, record(plog.SeverityNumberInfo, "quiet"), bomb, record(plog.SeverityNumberError, "loud"), record(plog.SeverityNumberError, "bad \xff"))
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
	res := post(r, Options{}, "application/x-protobuf", proto(t, l))
	if res.Code != http.StatusOK || res.Header().Get("Content-Type") != "application/x-protobuf" || len(r.Events) != 1 {
		t.Fatalf("%d %q %d", res.Code, res.Body, len(r.Events))
	}
	n, message := partial(t, res.Body.Bytes())
	if n != 2 || !strings.Contains(message, "event 1") || !strings.Contains(message, "event 3") {
		t.Errorf("%d %q", n, message)
	}
	reasons := map[ingest.Reason]int{}
	for _, x := range r.Rejected {
		reasons[x.Reason]++
	}
	if d := cmp.Diff(map[ingest.Reason]int{ingest.ReasonUnsupported: 1, ingest.ReasonTooLarge: 1, ingest.ReasonInvalid: 1}, reasons); d != "" {
		t.Error(d)
	}
	res = post(&doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}, Options{}, "application/json", asJSON(t, logs(nil, bomb)))
	if !strings.HasPrefix(res.Body.String(), `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"event 0: `) {
		t.Errorf("%q", res.Body)
	}
	res = post(&doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}, Options{}, "application/x-protobuf", proto(t, logs(nil, record(plog.SeverityNumberInfo, "quiet"))))
	if res.Code != http.StatusOK || res.Body.Len() != 0 {
		t.Errorf("%d %q, want full success", res.Code, res.Body)
	}
}

// partial reads an ExportLogsServiceResponse.
func partial(t *testing.T, b []byte) (n uint64, message string) {
	t.Helper()
	field, kind, size := protowire.ConsumeTag(b)
	inner, rest := protowire.ConsumeBytes(b[max(size, 0):])
	if field != 1 || kind != protowire.BytesType || size+rest != len(b) {
		t.Fatalf("%x is no partial success", b)
	}
	_, _, size = protowire.ConsumeTag(inner)
	n, rest = protowire.ConsumeVarint(inner[size:])
	inner = inner[size+rest:]
	_, _, size = protowire.ConsumeTag(inner)
	message, _ = protowire.ConsumeString(inner[size:])
	return n, message
}

func TestErrors(t *testing.T) {
	f := func(contentType string, body []byte, status int, want string, header ...string) {
		t.Helper()
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
		res := post(r, Options{}, contentType, body, header...)
		if res.Code != status || !strings.Contains(res.Body.String(), want) || len(r.Rejected) != 1 {
			t.Errorf("%s %.40q: %d %q, %d counted; want %d %q", contentType, body, res.Code, res.Body, len(r.Rejected), status, want)
		}
	}
	f("text/plain", nil, 415, `{"code":3,"message":"Content-Type`)
	f("", nil, 415, "Content-Type")
	f("application/json", []byte(`{"resourceLogs":[`), 400, `{"code":3`)
	f("application/json", []byte(`[]`), 400, "object")
	f("application/json", nil, 400, "object")
	f("application/json", []byte(`{} {}`), 400, "JSON")
	f("application/json", []byte(`{"resourceLogs":7}`), 400, `"code":3`)
	f("application/x-protobuf", []byte("garbage"), 400, "\x08\x03\x12")
	f("application/x-protobuf", []byte{}, 415, "br", "Content-Encoding", "br")
}

func TestUnavailableIsToldAsStatus(t *testing.T) {
	l := logs(nil, record(plog.SeverityNumberError, "x"))
	for _, err := range []error{ingest.ErrOverloaded, errors.New("disk full")} {
		res := post(&doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}, Err: err}, Options{}, "application/json", asJSON(t, l))
		if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") == "" || !strings.HasPrefix(res.Body.String(), `{"code":14,`) {
			t.Errorf("%d %v %q", res.Code, res.Header(), res.Body)
		}
	}
}

func TestGzipAndRaw(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(proto(t, logs(kubernetes, record(plog.SeverityNumberError, "x"))))
	z.Close()
	e := decode(request{Logs: logs(kubernetes, record(plog.SeverityNumberError, "x"))}, Options{}, true).Events[0]
	if !bytes.Contains(e.Raw, []byte("process.pid")) {
		t.Errorf("raw %s", e.Raw)
	}
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
	if res := post(r, Options{KeepRaw: func(string) bool { return true }}, "application/x-protobuf", b.Bytes(), "Content-Encoding", "gzip"); res.Code != 200 || len(r.Events) != 1 {
		t.Errorf("%d %q", res.Code, res.Body)
	}
}

func TestTemplate(t *testing.T) {
	f := func(message, want string) {
		t.Helper()
		if got := template(message); got != want {
			t.Errorf("%.60q: %q, want %q", message, got, want)
		}
	}
	f("user 42 failed", "user <n> failed")
	f("  request 7f9c24e8-3b12-4fef-91e0-4c0a1b2c3d4e took 12ms\nat x", "request <uuid> took <n>ms")
	f("at 0xdeadBEEF in 1f9a2b3c4d", "at <hex> in <hex>")
	f("the facade of effaced deadbeef", "the facade of effaced deadbeef")
	f("2026-11-21T10:00:00.123Z up", "<n>-<n>-<n>T<n>Z up")
	f("user 'bob' failed", "user <name> failed")
	f("user 'alice' failed", "user <name> failed")
	f(`table "orders_17" is gone, user='bob'.`, `table <name> is gone, user=<name>.`)
	f("can't open the user's file, isn't 'x' there?", "can't open the user's file, isn't <name> there?")
	f(`level=error msg="disk full" code=7`, `level=error msg="disk full" code=<n>`)
	f(`msg="disk full",user="bob"`, `msg="disk full",user=<name>`)
	f(`the users' files 'a b' and ''`, `the users' files 'a b' and ''`)
	f(`{"error":"timeout","after":7}`, `{"error":"timeout","after":<n>}`)
	f("10.0.0.7:5432 → 192.168.1.1", "<n> → <n>")
	f("", "")
	f(strings.Repeat("é", 200), strings.Repeat("é", 80)+"…")
}

// TestDeepNesting: without the check this body overflows the stack and ends
// the process, tests and all.
func TestDeepNesting(t *testing.T) {
	for _, levels := range []int{10, maxDepth, 1_700_000} {
		_, err := unmarshalProto(nested(levels))
		if (err == nil) != (levels == 10) {
			t.Errorf("%d levels: %v", levels, err)
		}
	}
	deep := strings.Repeat(`{"arrayValue":{"values":[`, 20_000) + strings.Repeat(`]}}`, 20_000)
	body := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":%s}]}]}]}`, deep)
	if _, err := unmarshalJSON([]byte(body)); err == nil {
		t.Error("JSON nested 20,000 deep was taken")
	}
}

// nested is a request with one record whose body is lists in lists.
func nested(levels int) []byte {
	sizes := []int{0} // of what is inside, from the innermost
	for range 2*levels + 3 {
		n := sizes[len(sizes)-1]
		sizes = append(sizes, 1+protowire.SizeVarint(uint64(n))+n)
	}
	var b []byte
	fields := []protowire.Number{1, 2, 2, 5}
	for i := range 2*levels + 4 {
		field := protowire.Number(5 - 4*(i%2)) // value's list, list's value
		if i < len(fields) {
			field = fields[i]
		}
		b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(sizes[2*levels+3-i]))
	}
	return b
}

func FuzzProto(f *testing.F) {
	f.Add(proto(f, logs(kubernetes, record(plog.SeverityNumberError, "x 1"))))
	f.Add(nested(3))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := unmarshalProto(body)
		if err != nil {
			return
		}
		if b := decode(l, Options{}, true); len(b.Events)+len(b.Rejected) != l.LogRecordCount() {
			t.Errorf("%d events, %d rejections of %d records", len(b.Events), len(b.Rejected), l.LogRecordCount())
		}
	})
}

// TestBrokenRecords: records in JSON that cannot be read are refused by their
// place, and those beside them are taken within their own resource and scope.
func TestBrokenRecords(t *testing.T) {
	good := func(name string) string { return `{"eventName":"` + name + `"}` }
	res := func(service, rest string) string {
		return `{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"` + service + `"}}]},` + rest + `}`
	}
	f := func(resources, events, rejected string) {
		t.Helper()
		r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
		w := post(r, Options{}, "application/json", []byte(`{"resourceLogs":[`+resources+`]}`))
		var got, bad []string
		for _, e := range r.Events {
			got = append(got, e.Labels.Get("service")+"/"+e.Name())
		}
		for _, x := range r.Rejected {
			bad = append(bad, fmt.Sprintf("%d:%s", x.Index, x.Reason))
			if !strings.Contains(w.Body.String(), fmt.Sprintf("event %d: ", x.Index)) {
				t.Errorf("%s: the sender is not told of record %d: %s", resources, x.Index, w.Body)
			}
		}
		if w.Code != http.StatusOK || strings.Join(got, " ") != events || strings.Join(bad, " ") != rejected {
			t.Errorf("%s: %d, events %q, rejected %q; want %q, %q", resources, w.Code, got, bad, events, rejected)
		}
	}
	const zz, number, seven = `{"eventName":"zz","traceId":"zz"}`, `{"eventName":"n","timeUnixNano":"soon"}`, `7`
	f(res("a", `"scopeLogs":[{"logRecords":[`+good("x")+`,`+zz+`,`+good("y")+`]}]`), "a/x a/y", "1:malformed")
	f(res("a", `"scopeLogs":[{"logRecords":[`+zz+`]},{"scope":{"name":"s"},"logRecords":[`+number+`,`+good("y")+`]}]`)+`,`+
		res("b", `"scopeLogs":[{"logRecords":[`+good("z")+`,`+seven+`]}]`), "a/y b/z", "0:malformed 1:malformed 4:malformed")
	// What is wrong above records is wrong with each of them.
	f(`{"resource":7,"scopeLogs":[{"logRecords":[`+good("x")+`,`+good("y")+`]}]},`+res("b", `"scopeLogs":[{"logRecords":[`+good("z")+`]}]`), "b/z", "0:malformed 1:malformed")
	f(res("a", `"scopeLogs":[{"scope":7,"logRecords":[`+good("x")+`]},{"logRecords":[`+good("y")+`]}]`), "a/y", "0:malformed")
	f(res("a", `"scope_logs":[{"log_records":[`+zz+`,`+good("y")+`]}]`), "a/y", "0:malformed")

	// Places hold over more records than are tried at once.
	full := strings.Repeat(good("x")+",", maxChunk)
	f(res("a", `"scopeLogs":[{"logRecords":[`+full+full+zz+","+full+good("y")+`]}]`), strings.Repeat("a/x ", 3*maxChunk)+"a/y", fmt.Sprintf("%d:malformed", 2*maxChunk))

	many := strings.Repeat(zz+",", maxBroken+1)
	r := &doortest.Receiver{Options: ingest.NormalizerOptions{MaxLabels: 64}}
	w := post(r, Options{}, "application/json", []byte(`{"resourceLogs":[`+res("a", `"scopeLogs":[{"logRecords":[`+many+good("x")+`]}]`)+`]}`))
	if w.Code != http.StatusBadRequest || len(r.Events) != 0 || len(r.Rejected) != 1 {
		t.Errorf("%d broken records: %d, %d events, %d rejections; want it refused", maxBroken+1, w.Code, len(r.Events), len(r.Rejected))
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(asJSON(f, logs(kubernetes, record(plog.SeverityNumberError, "x 1"))))
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":{"values":[{}]}},"severityNumber":21}]}]}]}`))
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"zz"},{"severityNumber":21},null,7]},{"scope":7,"log_records":[{}]}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := unmarshalJSON(body)
		if err != nil {
			return
		}
		if b := decode(l, Options{MinSeverity: 1}, true); len(b.Events)+len(b.Rejected) != l.LogRecordCount()+len(l.broken) {
			t.Errorf("%d events, %d rejections of %d records", len(b.Events), len(b.Rejected), l.LogRecordCount())
		}
	})
}
