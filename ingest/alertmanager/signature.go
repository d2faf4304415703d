package alertmanager

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"tocsin/ingest"
	"tocsin/ingest/httpdoor"
)

// The headers of a signed message of Grafana, in its default configuration.
const (
	SignatureHeader = "X-Grafana-Alerting-Signature"
	TimestampHeader = "X-Grafana-Alerting-Timestamp"
)

// Verify checks the signature of a message: the hex HMAC-SHA256 of the body,
// or, when there is a timestamp header, of the timestamp, ":" and the body, as
// Grafana's alerting computes it. An error is a *[httpdoor.Problem].
func Verify(secret []byte, h http.Header, body []byte) error {
	mac := hmac.New(sha256.New, secret)
	if ts := h.Get(TimestampHeader); ts != "" {
		mac.Write([]byte(ts + ":"))
	}
	mac.Write(body)
	got, err := hex.DecodeString(h.Get(SignatureHeader))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return &httpdoor.Problem{Status: http.StatusUnauthorized, Reason: ingest.ReasonInvalid,
			Err: errors.New(SignatureHeader + ": missing or wrong: sign with the secret in hmac_secret_file")}
	}
	return nil
}
