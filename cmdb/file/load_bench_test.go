package file

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// writeEstate writes n CIs and 3n relations.
func writeEstate(w io.Writer, n int) error {
	rnd := rand.New(rand.NewPCG(1, 1))
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `{"cis":[`)
	for i := range n {
		if i > 0 {
			fmt.Fprint(b, ",\n")
		}
		fmt.Fprintf(b, `{"id":"host-%07d","class":"server","owner":"team-%d","environment":"production","keys":{"fqdn":["host-%07d.example.com"],"ip":"10.%d.%d.%d"},"attributes":{"rack":"r%d","site":"eu-1"}}`,
			i, i%50, i, i>>16, i>>8&255, i&255, i/40)
	}
	fmt.Fprint(b, `],"relations":[`)
	for i := range 3 * n {
		if i > 0 {
			fmt.Fprint(b, ",\n")
		}
		from := i / 3
		to := rnd.IntN(n)
		if to == from {
			to = (from + 1) % n
		}
		fmt.Fprintf(b, `{"from":"host-%07d","to":"host-%07d","type":"t%d"}`, from, to, i%3)
	}
	fmt.Fprint(b, `]}`)
	return b.Flush()
}

func BenchmarkLoadJSON(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("cis=%d", n), func(b *testing.B) {
			if testing.Short() && n > 10_000 {
				b.Skip("large estate")
			}
			path := filepath.Join(b.TempDir(), "estate.json")
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			if err := writeEstate(f, n); err != nil {
				b.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Load(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
