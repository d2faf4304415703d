package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// WebhookOptions say where a webhook posts and how. URL is mandatory.
type WebhookOptions struct {
	URL string
	// Format is [FormatTocsin] when empty.
	Format Format
	// ExternalURL is where people reach us, for links; empty leaves them out.
	ExternalURL string
	// Secret signs the messages; empty: not signed.
	Secret string
	// Headers are added to each request.
	Headers map[string]string
	// UserAgent is "tocsin" when empty.
	UserAgent string
	// Transport is http.DefaultTransport when nil.
	Transport http.RoundTripper
}

// Format is the shape of a webhook's body.
type Format string

// The formats.
const (
	FormatTocsin       Format = "tocsin"
	FormatAlertmanager Format = "alertmanager"
)

// The headers of a notification. The signature is the HMAC-SHA256, in hex, of
// the timestamp (seconds since 1970), a dot and the body, so that an old
// message cannot be sent again by somebody who saw it.
const (
	HeaderDelivery       = "X-Tocsin-Delivery"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderTimestamp      = "X-Tocsin-Timestamp"
	HeaderSignature      = "X-Tocsin-Signature"
)

const (
	// answerKept is how much of a refusal is recorded, answerRead how much is
	// read to be able to use the connection again.
	answerKept = 300
	answerRead = 64 << 10
)

// Webhook is a [Sender] that posts JSON. Redirects are not followed: whoever
// answers for the receiver could send our news anywhere.
type Webhook struct {
	opt    WebhookOptions
	client http.Client
}

// NewWebhook checks the options. Nothing is sent yet.
func NewWebhook(opt WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(opt.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		// Without the URL: it may be a secret.
		return nil, errors.New("webhook: the URL is not an absolute one with http or https")
	}
	switch opt.Format {
	case "":
		opt.Format = FormatTocsin
	case FormatTocsin, FormatAlertmanager:
	default:
		return nil, fmt.Errorf("webhook: format %q: want %s or %s", opt.Format, FormatTocsin, FormatAlertmanager)
	}
	if opt.UserAgent == "" {
		opt.UserAgent = "tocsin"
	}
	opt.ExternalURL = strings.TrimRight(opt.ExternalURL, "/")
	return &Webhook{opt: opt, client: http.Client{
		Transport:     opt.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Send posts the message. 2xx is taken; 408, 425, 429, 5xx, redirects and
// everything that went wrong on the way may pass; other answers will not.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := w.body(m)
	if err != nil {
		return &PermanentError{fmt.Errorf("write the message: %w", err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.opt.URL, bytes.NewReader(body))
	if err != nil {
		return &PermanentError{withoutURL(err)}
	}
	for k, v := range w.opt.Headers {
		req.Header.Set(k, v)
	}
	w.sign(req, m, body)
	resp, err := w.client.Do(req)
	if err != nil {
		return &TransientError{Err: withoutURL(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		// What they answer is not ours to judge; it is read for the connection.
		_, _ = io.CopyN(io.Discard, resp.Body, answerRead)
		return nil
	}
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, answerKept))
	_, _ = io.CopyN(io.Discard, resp.Body, answerRead)
	err = refusal(resp, answer)
	switch c := resp.StatusCode; {
	case c == http.StatusRequestTimeout, c == http.StatusTooEarly, c == http.StatusTooManyRequests, c >= 500, c < 400:
		return &TransientError{err, retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	default:
		return &PermanentError{err}
	}
}

// refusal says what the receiver answered.
func refusal(resp *http.Response, answer []byte) error {
	text := strings.TrimSpace(strings.ToValidUTF8(string(answer), "�"))
	switch {
	case resp.StatusCode/100 == 3:
		return fmt.Errorf("the receiver answered %s; redirects are not followed, configure the address it leads to", resp.Status)
	case text == "":
		return fmt.Errorf("the receiver answered %s", resp.Status)
	default:
		return fmt.Errorf("the receiver answered %s: %s", resp.Status, text)
	}
}

func (w *Webhook) sign(req *http.Request, m *Message, body []byte) {
	stamp := strconv.FormatInt(m.At.Unix(), 10)
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", w.opt.UserAgent)
	h.Set(HeaderDelivery, m.Key)
	h.Set(HeaderIdempotencyKey, m.Key)
	h.Set(HeaderTimestamp, stamp)
	if w.opt.Secret != "" {
		h.Set(HeaderSignature, "sha256="+Signature(w.opt.Secret, stamp, body))
	}
}

// Signature is the signature of a body sent at a time, for receivers to check.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 for anything else.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

// withoutURL cuts the URL, which may hold a secret, out of the client's error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
