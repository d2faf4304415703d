package events

import (
	"strings"
	"testing"
)

// BenchmarkOwn decodes batches of a hundred events.
func BenchmarkOwn(b *testing.B) {
	one := `{"labels":{"alertname":"DiskFull","host":"db-01","service":"orders","mountpoint":"/var"},"annotations":{"summary":"93 % used"},"starts_at":"2026-11-21T09:00:00Z","severity":"warning"}`
	body := []byte("[" + strings.Repeat(one+",", 99) + one + "]")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if got := decodeOwn(body, false); len(got.Events) != 100 {
			b.Fatalf("%d events, want 100", len(got.Events))
		}
	}
}
