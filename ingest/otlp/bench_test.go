package otlp

import (
	"bytes"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
)

// BenchmarkProto decodes batches of a thousand records, one in ten an alert.
func BenchmarkProto(b *testing.B) {
	fill := make([]func(plog.LogRecord), 1000)
	for i := range fill {
		fill[i] = record(plog.SeverityNumberInfo, "served GET /cart/7f9c24e8 in 12 ms")
		if i%10 == 0 {
			fill[i] = record(plog.SeverityNumberError, "dial 10.0.0.7:5432: timeout after 3.5 s")
		}
	}
	body := proto(b, logs(kubernetes, fill...))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := unmarshalProto(body)
		if err != nil {
			b.Fatal(err)
		}
		if got := decode(l, Options{}, false); len(got.Events) != 100 {
			b.Fatalf("%d events, want 100", len(got.Events))
		}
	}
}

// BenchmarkSalvage decodes batches of a thousand records in JSON of which one is broken.
func BenchmarkSalvage(b *testing.B) {
	fill := make([]func(plog.LogRecord), 999)
	for i := range fill {
		fill[i] = record(plog.SeverityNumberError, "dial 10.0.0.7:5432: timeout after 3.5 s")
	}
	body := asJSON(b, logs(kubernetes, fill...))
	body = bytes.Replace(body, []byte(`"logRecords":[`), []byte(`"logRecords":[{"traceId":"zz"},`), 1)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := unmarshalJSON(body)
		if err != nil || req.LogRecordCount() != 999 || len(req.broken) != 1 {
			b.Fatalf("%d records, %v broken: %v", req.LogRecordCount(), req.broken, err)
		}
	}
}
