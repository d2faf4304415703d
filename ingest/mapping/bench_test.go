package mapping

import (
	"bytes"
	"os"
	"testing"
)

// BenchmarkAlerta maps batches of a hundred of the sample's alerts.
func BenchmarkAlerta(b *testing.B) {
	f, err := os.Open("testdata/alerta.yaml")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	specs, err := Parse(f, f.Name())
	if err != nil {
		b.Fatal(err)
	}
	sample, err := os.ReadFile("testdata/alerta.json")
	if err != nil {
		b.Fatal(err)
	}
	m := mustCompile(b, specs[0])
	body := append(append([]byte("["), bytes.Join(bytes.Split(bytes.Repeat(append(sample, 0), 99), []byte{0}), []byte(","))...), sample...)
	body = append(body, ']')
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if got := m.Decode(b.Context(), body, false); len(got.Events) != 100 {
			b.Fatalf("%d events, %v", len(got.Events), got.Rejected)
		}
	}
}
