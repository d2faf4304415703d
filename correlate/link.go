package correlate

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// RefKinds are the kinds of record a link may name, before the colon.
var RefKinds = []string{"incident", "alert", "ci", "change", "problem", "known_error", "article", "request", "ticket"}

// ValidateRef checks one end of a link: "kind:id" or an absolute URL.
func ValidateRef(ref string) error {
	kind, id, ok := strings.Cut(ref, ":")
	if ok && id != "" && slices.Contains(RefKinds, kind) {
		return nil
	}
	if u, err := url.Parse(ref); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	return fmt.Errorf("%q: want kind:id with kind one of %s, or an http address", ref, strings.Join(RefKinds, ", "))
}
