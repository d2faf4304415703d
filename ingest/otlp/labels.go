package otlp

import (
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"tocsin/ingest"
)

// binding says which attributes, in this order, stand for the labels that
// binding rules usually look at. k8s.namespace.name goes before
// service.namespace, for together with pod it is the one that finds a pod.
var binding = []struct {
	label      string
	attributes []string
}{
	{"service", []string{"service.name"}},
	{"namespace", []string{"k8s.namespace.name", "service.namespace"}},
	{"pod", []string{"k8s.pod.name"}},
	{"node", []string{"k8s.node.name"}},
	{"host", []string{"host.name"}},
	{"environment", []string{"deployment.environment.name", "deployment.environment"}},
	{"cluster", []string{"k8s.cluster.name"}},
}

// perRun are attributes that differ each time a process starts. As labels they
// would make a new alert of every restart.
var perRun = []string{"process.", "telemetry.", "os.", "service.instance.id", "container.id", "k8s.pod.uid", "k8s.pod.start_time"}

// resourceLabels are a resource's attributes with a single value, as sent, and
// the usual labels where the resource does not have them itself.
func resourceLabels(attributes pcommon.Map) ingest.Labels {
	set := make(map[string]string, attributes.Len())
	for name, v := range attributes.All() {
		if slices.ContainsFunc(perRun, func(p string) bool { return name == p || strings.HasSuffix(p, ".") && strings.HasPrefix(name, p) }) {
			continue
		}
		if s := scalar(v); s != "" {
			set[name] = s
		}
	}
	return bindingLabels(ingest.NewLabels(set), attributes)
}

// bindingLabels adds the usual labels that are absent. The result may use the
// memory of labels.
func bindingLabels(labels ingest.Labels, attributes pcommon.Map) ingest.Labels {
	for _, b := range binding {
		if labels.Get(b.label) != "" {
			continue
		}
		for _, name := range b.attributes {
			if v, ok := attributes.Get(name); ok && scalar(v) != "" {
				labels = labels.Set(b.label, scalar(v))
				break
			}
		}
	}
	return labels
}

// variable is what differs between two messages of one kind.
var variable = regexp.MustCompile(
	`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}` + // UUID
		`|0[xX][0-9a-fA-F]+` +
		`|\b[0-9a-fA-F]{8,}\b` + // hash, identifier
		`|\d+(?:[.,:]\d+)*`) // number, version, IP address, clock

// quoted is a text in quotes, and no apostrophe, which stands in or behind a word.
var quoted = regexp.MustCompile(`\B'[^']+'\B|"[^"]+"`)

// maskName masks a quoted name: of a user, a table, a file. Several words in
// quotes are left, for they are what is said and not what it is said of, as in
// msg="disk full".
func maskName(s string) string {
	if strings.ContainsAny(s, " \t") {
		return s
	}
	return "<name>"
}

const maxTemplate = 160

// template is the first line of a message without what differs from one time
// to the next, so that a repeated message is a repeated alert.
func template(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	// Cut first: masking a message of megabytes only to cut it is wasted.
	line = cut(strings.TrimSpace(line), 4*maxTemplate)
	// In JSON the names of members and words such as the error's are in quotes too.
	if !strings.HasPrefix(line, "{") {
		line = quoted.ReplaceAllStringFunc(line, maskName)
	}
	line = variable.ReplaceAllStringFunc(line, func(s string) string {
		switch {
		case !strings.ContainsAny(s, "0123456789"):
			return s // a word such as "deadbeef"
		case len(s) == 36 && strings.Count(s, "-") == 4:
			return "<uuid>"
		case strings.ContainsAny(s, "abcdefABCDEFxX"):
			return "<hex>"
		default:
			return "<n>"
		}
	})
	return cut(line, maxTemplate)
}
