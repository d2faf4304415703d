package bench

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tocsin/ingest"
)

// What varies between alerts, with the proportions of a Kubernetes estate: few
// rules and services, many pods.
var (
	rules    = []string{"KubePodCrashLooping", "NodeCPUSaturated", "DiskWillFillIn4Hours", "TargetDown", "RequestLatencyHigh", "ErrorBudgetBurn", "ReplicationLagging", "CertificateExpiresSoon", "QueueGrowing", "MemoryPressure", "NetworkErrors", "BackupMissing"}
	levels   = []string{"critical", "warning", "warning", "info"}
	services = []string{"cart", "checkout", "payment", "catalogue", "search", "login", "mail", "shipping", "stock", "invoice"}
	clusters = []string{"eu-north-1a", "eu-north-1b", "us-west-2c", "ap-east-1d"}
	teams    = []string{"storefront", "platform", "database", "network"}
)

// A generator appends requests to a buffer. It has no state, so all
// connections share one.
type generator struct {
	kind     Kind
	firstID  int
	unique   int
	changing int // of 1,000 re-sends, those with other annotations
	starts   string
	// fingerprints are those of Prometheus, for the webhook only.
	fingerprints []string
}

const stamp = "2006-01-02T15:04:05.000Z"

func newGenerator(o Options) *generator {
	g := &generator{kind: o.Kind, firstID: o.FirstID, unique: o.Unique, changing: int(o.Changing * 1000), starts: o.StartsAt.UTC().Format(stamp)}
	if o.Kind == KindWebhook {
		g.fingerprints = make([]string, o.Unique)
		for i := range g.fingerprints {
			g.fingerprints[i] = fingerprint(o.FirstID + i).String()
		}
	}
	return g
}

// fingerprint is that of Prometheus and of Tocsin: there is no replica label.
func fingerprint(id int) ingest.Fingerprint {
	var ls ingest.Labels
	if err := json.Unmarshal(appendLabels(nil, id), &ls); err != nil {
		panic(fmt.Sprintf("the labels of alert %d are not JSON: %v", id, err)) // only by a mistake in this file
	}
	return ingest.FingerprintOf(ls)
}

// appendRequest appends the body of a request with n alerts, from number seq
// of the run on; now is when it is sent.
func (g *generator) appendRequest(b []byte, seq, n int, now time.Time) []byte {
	// Prometheus tells how long an alert holds without another word from it.
	ends := now.Add(4 * time.Minute).UTC().Format(stamp)
	if g.kind == KindAPI {
		b = append(b, '[')
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			b = g.appendAlert(append(b, '{'), seq+i, ends)
		}
		return append(b, ']')
	}
	b = append(b, `{"version":"4","groupKey":"{}:{job=\"kubernetes-pods\"}","truncatedAlerts":0,"status":"firing","receiver":"tocsin","groupLabels":{"job":"kubernetes-pods"},"commonLabels":{"environment":"production","job":"kubernetes-pods"},"commonAnnotations":{},"externalURL":"http://alertmanager.example.com:9093","alerts":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"status":"firing","fingerprint":"`...)
		b = append(b, g.fingerprints[(seq+i)%g.unique]...)
		b = g.appendAlert(append(b, `",`...), seq+i, "0001-01-01T00:00:00Z")
	}
	return append(b, `]}`...)
}

// appendAlert appends an alert without its opening brace.
func (g *generator) appendAlert(b []byte, seq int, ends string) []byte {
	id := g.firstID + seq%g.unique
	// What changes does so in every round, and never back to what it was.
	value := id % 1000
	if round := seq / g.unique; round > 0 && id*7919%1000 < g.changing {
		value = 1000 + round
	}
	b = append(b, `"labels":`...)
	b = appendLabels(b, id)
	b = append(b, `,"annotations":`...)
	b = appendAnnotations(b, id, value)
	b = append(b, `,"startsAt":"`...)
	b = append(b, g.starts...)
	b = append(b, `","endsAt":"`...)
	b = append(b, ends...)
	return append(b, `","generatorURL":"http://prometheus.example.com:9090/graph?g0.expr=rate%28container_cpu_usage_seconds_total%5B5m%5D%29+%3E+0.9"}`...)
}

// appendLabels appends the 11 labels of an alert.
func appendLabels(b []byte, id int) []byte {
	service := services[id/5%len(services)]
	b = append(b, `{"alertname":"`...)
	b = append(b, rules[id%len(rules)]...)
	b = append(b, `","severity":"`...)
	b = append(b, levels[id/3%len(levels)]...)
	b = append(b, `","cluster":"prod-`...)
	b = append(b, clusters[id/11%len(clusters)]...)
	b = append(b, `","namespace":"`...)
	b = append(b, service...)
	b = append(b, `","service":"`...)
	b = append(b, service...)
	b = append(b, `-backend","pod":"`...)
	b = append(b, service...)
	b = append(b, `-backend-6c9f7d5b48-`...)
	b = strconv.AppendInt(b, int64(id), 36)
	b = append(b, `","node":"worker-`...)
	b = strconv.AppendInt(b, int64(id/40), 10)
	b = append(b, `.prod.example.com","instance":"10.`...)
	b = strconv.AppendInt(b, int64(id>>16&255), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(id>>8&255), 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(id&255), 10)
	b = append(b, `:9100","job":"kubernetes-pods","team":"`...)
	b = append(b, teams[id/7%len(teams)]...)
	return append(b, `","environment":"production"}`...)
}

// appendAnnotations appends the 4 annotations of an alert.
func appendAnnotations(b []byte, id, value int) []byte {
	rule := rules[id%len(rules)]
	b = append(b, `{"summary":"Pod `...)
	b = append(b, services[id/5%len(services)]...)
	b = append(b, `-backend-6c9f7d5b48-`...)
	b = strconv.AppendInt(b, int64(id), 36)
	b = append(b, ` is over its limit","description":"The rate of container_cpu_usage_seconds_total{image!=\"\"} has been over 90 % for 10 minutes, now 0.9`...)
	b = strconv.AppendInt(b, int64(value), 10)
	b = append(b, `. Requests may be slow or fail.","runbook_url":"https://runbooks.example.com/kubernetes/`...)
	b = append(b, rule...)
	b = append(b, `","dashboard":"https://grafana.example.com/d/pods/kubernetes-pods?var-pod=`...)
	b = strconv.AppendInt(b, int64(id), 36)
	return append(b, `"}`...)
}
