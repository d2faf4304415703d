package sqlite

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tocsin/ingest"
)

// micros and timeOf are how times are stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// encoding is how bodies are written and read. Labels are whatever somebody
// sent: invalid UTF-8 is replaced and two names that become equal thereby are
// both written, since one odd event must not stop the rest from being stored.
var encoding = json.JoinOptions(
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
	json.FormatNilSliceAsNull(true),
	json.FormatNilMapAsNull(true),
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(enc *jsontext.Encoder, t time.Time) error { return enc.WriteToken(jsontext.Int(micros(t))) }),
		json.MarshalToFunc(func(enc *jsontext.Encoder, d time.Duration) error { return enc.WriteToken(jsontext.Int(int64(d))) }),
	)),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, t *time.Time) error {
			n, err := readInt(dec)
			*t = timeOf(n)
			return err
		}),
		json.UnmarshalFromFunc(func(dec *jsontext.Decoder, d *time.Duration) error {
			n, err := readInt(dec)
			*d = time.Duration(n)
			return err
		}),
	)),
)

func readInt(dec *jsontext.Decoder) (int64, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return 0, err
	}
	return tok.Int()
}

// bodies holds the JSON of the rows of a statement, in one buffer that is used
// again. Its parts are valid until reset.
type bodies struct {
	buf []byte
	enc jsontext.Encoder
}

func (b *bodies) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *bodies) reset() { b.buf = b.buf[:0] }

// add encodes v. A part stays valid when the buffer grows: it then keeps
// the smaller one alive until the statement has run.
func (b *bodies) add(v any) ([]byte, error) {
	start := len(b.buf)
	b.enc.Reset(b, encoding)
	if err := json.MarshalEncode(&b.enc, v, encoding); err != nil {
		return nil, err
	}
	end := len(b.buf)
	if end > start && b.buf[end-1] == '\n' {
		end--
	}
	return b.buf[start:end:end], nil
}

// added keeps what was appended to the buffer as a part.
func (b *bodies) added(buf []byte) []byte {
	start := len(b.buf)
	b.buf = buf
	return buf[start:len(buf):len(buf)]
}

func decode(body []byte, v any) error { return json.Unmarshal(body, v, encoding) }

// signed is a fingerprint as SQLite has integers.
func signed(fp ingest.Fingerprint) int64 { return int64(fp) }
