package alertmanager

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// Where a signed message of Grafana has its signature, by default, and its
// timestamp, which Grafana sends only when it is told a header for it.
const (
	SignatureHeader = "X-Grafana-Alerting-Signature"
	TimestampHeader = "X-Grafana-Alerting-Timestamp"
)

// verify checks the signature of a message: the hex HMAC-SHA256 of the body, or,
// when there is a timestamp, of the timestamp, ":" and the body, as Grafana's
// alerting computes it. An error is a *[httpdoor.Problem].
//
// The age of a message is not judged, for one that waited while the network
// was down must not be lost. Against replay by someone who reads the traffic,
// use TLS.
func (o WebhookOptions) verify(secret []byte, h http.Header, body []byte) error {
	header := cmp.Or(o.SignatureHeader, SignatureHeader)
	mac := hmac.New(sha256.New, secret)
	if ts := h.Get(cmp.Or(o.TimestampHeader, TimestampHeader)); ts != "" {
		mac.Write([]byte(ts + ":"))
	}
	mac.Write(body)
	got, err := hex.DecodeString(h.Get(header))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return &httpdoor.Problem{Status: http.StatusUnauthorized, Reason: ingest.ReasonInvalid,
			Err: fmt.Errorf("%s: missing or wrong: sign with the secret in hmac_secret_file", header)}
	}
	return nil
}
