package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/correlate"
)

// Format is the shape of a notification.
type Format string

// The formats.
const (
	// FormatTocsin is our own JSON.
	FormatTocsin Format = "tocsin"
	// FormatAlertmanager is Alertmanager's webhook, version 4.
	FormatAlertmanager Format = "alertmanager"
)

// Receiver is one webhook that is told about incidents.
type Receiver struct {
	// Name tells receivers apart, also over restarts: notifications that wait
	// for a name that is no longer configured are given up.
	Name string `yaml:"name"`
	// URL, or the file that holds it because it has a secret in it.
	URL     string `yaml:"url"`
	URLFile string `yaml:"url_file"`
	Format  Format `yaml:"format"`
	// SecretFile holds the key that notifications are signed with.
	SecretFile string `yaml:"secret_file"`
	// Secret is what SecretFile holds, read by [Load]; empty: not signed.
	Secret Secret `yaml:"-"`
	// Notices are the kinds of news to tell; none given means all.
	Notices []correlate.Notice `yaml:"notices"`
	// MinPriority is the least pressing priority told: P2 tells of P1 and P2.
	MinPriority Priority `yaml:"min_priority"`
	// Timeout is how long one attempt may take.
	Timeout Duration `yaml:"timeout"`
	// MaxAttempts and GiveUpAfter end the attempts, whichever is first; 0
	// attempts means any number within GiveUpAfter.
	MaxAttempts int      `yaml:"max_attempts"`
	GiveUpAfter Duration `yaml:"give_up_after"`
	// Headers are sent with every notification.
	Headers map[string]string `yaml:"headers"`
	// AuthorizationFile holds the header Authorization, such as "Bearer …".
	AuthorizationFile string `yaml:"authorization_file"`
	// Authorization is what AuthorizationFile holds, read by [Load].
	Authorization Secret `yaml:"-"`
}

// Priority is a [correlate.Priority] that is written as P1 or 1.
type Priority correlate.Priority

// UnmarshalText reads P1 to P5, or the number alone.
func (p *Priority) UnmarshalText(b []byte) error {
	digits := strings.TrimLeft(string(b), "Pp")
	if n := len(b) - len(digits); n > 1 || len(digits) != 1 || digits < "1" || digits > "5" {
		return fmt.Errorf("priority %q: want P1 to P5", b)
	}
	*p = Priority(digits[0] - '0')
	return nil
}

// MarshalText writes P1 to P5.
func (p Priority) MarshalText() ([]byte, error) { return []byte(correlate.Priority(p).String()), nil }

func (r *Receiver) setDefaults() {
	r.Format = FormatTocsin
	r.Notices = slices.Clone(correlate.Notices)
	r.MinPriority = 5
	r.Timeout = Duration(10 * time.Second)
	r.GiveUpAfter = Duration(24 * time.Hour)
}
