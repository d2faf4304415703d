package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Message is one HTTP request of the story.
type Message struct {
	// At is when it is sent, from the beginning of the story.
	At          time.Duration
	Method      string
	Path        string
	ContentType string
	Body        []byte
	// Alerts is how many alerts it carries.
	Alerts int
	// Scene is what a spectator is told, the first time it changes.
	Scene string
}

// Alerts about the power feed; noise has as many alerts as incidents.
const (
	PowerAlerts = 300
	DiskAlerts  = 5
	NoiseAlerts = 4
)

// Length is how long the story takes.
const Length = 2 * time.Minute

// Story tells what happened from begin on. Two stories with the same begin are
// equal to the byte.
func Story(begin time.Time) []Message {
	s := &story{begin: begin}
	s.noise()
	s.power()
	s.disk()
	slices.SortStableFunc(s.messages, func(a, b Message) int { return cmp.Compare(a.At, b.At) })
	return s.messages
}

type story struct {
	begin    time.Time
	scene    string
	messages []Message
}

type object = map[string]any

// send adds a request; every message arrives five seconds after what it tells.
func (s *story) send(at time.Duration, path, contentType string, alerts int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // it consists of maps, slices and texts
		panic(err)
	}
	s.messages = append(s.messages, Message{At: at + 5*time.Second, Method: "POST", Path: path, ContentType: contentType, Body: b, Alerts: alerts, Scene: s.scene})
}

func (s *story) time(at time.Duration) string {
	return s.begin.Add(at).UTC().Format("2006-01-02T15:04:05.000Z")
}

// prometheus posts alerts as Prometheus does to its Alertmanager.
func (s *story) prometheus(at time.Duration, alerts ...object) {
	list := []object{}
	for _, a := range alerts {
		list = append(list, object{
			"labels": a["labels"], "annotations": object{"summary": a["summary"]}, "startsAt": s.time(at),
			"endsAt": s.time(at + time.Hour), "generatorURL": "http://prometheus.example.net/graph?g0.expr=up",
		})
	}
	s.send(at, "/api/v2/alerts", "application/json", len(list), list)
}

// alertmanager posts a notification group as Alertmanager's webhook does.
func (s *story) alertmanager(at time.Duration, group string, alerts ...object) {
	list := []object{}
	for _, a := range alerts {
		list = append(list, object{
			"status": "firing", "labels": a["labels"], "annotations": object{"summary": a["summary"]},
			"startsAt": s.time(at), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example.net/graph",
		})
	}
	s.send(at, "/api/v1/webhooks/alertmanager", "application/json", len(list), object{
		"version": "4", "groupKey": group, "status": "firing", "receiver": "tocsin", "truncatedAlerts": 0,
		"groupLabels": object{}, "commonLabels": object{}, "commonAnnotations": object{}, "externalURL": "http://alertmanager.example.net", "alerts": list,
	})
}

// cloudEvents posts a batch whose data are events in our own form.
func (s *story) cloudEvents(at time.Duration, source string, alerts ...object) {
	list := []object{}
	for i, a := range alerts {
		list = append(list, object{
			"specversion": "1.0", "id": fmt.Sprintf("%s-%d-%d", source, at.Milliseconds(), i), "source": source, "type": "net.example.facility.alarm",
			"time": s.time(at), "datacontenttype": "application/json",
			"data": object{"labels": a["labels"], "annotations": object{"summary": a["summary"]}, "starts_at": s.time(at)},
		})
	}
	s.send(at, "/api/v1/events", "application/cloudevents-batch+json", len(list), list)
}

// pagerDuty triggers one alert through the Events API v2.
func (s *story) pagerDuty(at time.Duration, source, class, severity, summary string) {
	s.send(at, "/v2/enqueue", "application/json", 1, object{
		"routing_key": "0123456789abcdef0123456789abcdef", "event_action": "trigger", "dedup_key": class + "/" + source,
		"payload": object{"summary": summary, "source": source, "severity": severity, "class": class, "timestamp": s.time(at)},
	})
}

// otlp exports one error record of a service.
func (s *story) otlp(at time.Duration, service, event, body string) {
	attribute := func(k, v string) object { return object{"key": k, "value": object{"stringValue": v}} }
	s.send(at, "/v1/logs", "application/json", 1, object{"resourceLogs": []object{{
		"resource": object{"attributes": []object{attribute("service.name", service), attribute("deployment.environment.name", "production")}},
		"scopeLogs": []object{{"logRecords": []object{{
			"timeUnixNano": fmt.Sprint(s.begin.Add(at).UnixNano()), "severityNumber": 17, "severityText": "ERROR",
			"eventName": event, "body": object{"stringValue": body},
		}}}},
	}}})
}

func alert(summary string, labels ...string) object {
	m := object{}
	for i := 0; i+1 < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return object{"labels": m, "summary": summary}
}

func (s *story) noise() {
	s.scene = "noise: a certificate, a backup, a printer, a lab machine"
	s.prometheus(2*time.Second, alert("The certificate of mail-gw expires in 12 days", "alertname", "CertificateExpiresSoon", "instance", "mail-gw:443", "severity", "warning"))
	s.prometheus(20*time.Second, alert("The nightly backup took 5 h, allowed are 4 h", "alertname", "BackupSlow", "instance", "backup-01:9100", "severity", "warning"))
	s.pagerDuty(48*time.Second, "printer-3f", "PaperJam", "info", "Printer on the 3rd floor is jammed")
	s.prometheus(80*time.Second, alert("lab-07 is at 97 % CPU", "alertname", "HighCPU", "instance", "lab-07:9100", "severity", "minor"))
}

func (s *story) power() {
	s.scene = "the power feed of rack A17 fails"
	at := 30 * time.Second
	s.cloudEvents(at, "facility/hall-1",
		alert("Feed A17: breaker tripped, 0 V on all phases", "alertname", "PowerFeedLost", "ci", Feed, "severity", "critical"),
		alert("Rack A17: no power on either strip", "alertname", "RackPowerLost", "ci", "rack-a17", "severity", "critical"),
		alert("Switch A17 does not answer", "alertname", "SwitchUnreachable", "device", "tor-a17", "severity", "critical"))
	total := 3
	for i := 0; i < servers; i += 6 {
		var lost []object
		for j := i; j < i+6; j++ {
			lost = append(lost, alert(server(j)+": power supply 1 and 2 lost input", "alertname", "PowerSupplyLost", "host", server(j), "severity", "critical"))
		}
		s.cloudEvents(at+time.Duration(500+i*50)*time.Millisecond, "bmc/a17", lost...)
		total += len(lost)
	}
	for i := 0; i < servers; i += 12 {
		var down []object
		for j := i; j < i+12; j++ {
			down = append(down, alert(server(j)+" has been down for 15 s", "alertname", "HostDown", "instance", server(j)+":9100", "job", "node", "severity", "critical"))
		}
		s.prometheus(at+time.Duration(8+i/4)*time.Second, down...)
		total += len(down)
	}
	for i := 0; i < servers*vmsPerServer; i += 24 {
		var unreachable, agent []object
		for j := i; j < i+24; j++ {
			unreachable = append(unreachable, alert(vm(j)+" does not answer pings", "alertname", "VMUnreachable", "host", vm(j), "severity", "major"))
			agent = append(agent, alert("The agent on "+vm(j)+" is silent", "alertname", "AgentSilent", "instance", vm(j)+":9100", "severity", "warning"))
		}
		s.alertmanager(at+time.Duration(15+i/8)*time.Second, fmt.Sprintf("{}:{alertname=\"VMUnreachable\",part=\"%d\"}", i), unreachable...)
		s.alertmanager(at+time.Duration(22+i/8)*time.Second, fmt.Sprintf("{}:{alertname=\"AgentSilent\",part=\"%d\"}", i), agent...)
		total += len(unreachable) + len(agent)
	}
	for i := range shops {
		s.pagerDuty(at+time.Duration(20+i)*time.Second, shop(i), "ServiceDown", "critical", shop(i)+" answers no request")
		total++
	}
	// What is left of the 300 are errors that services log about each other.
	for i := 0; total < PowerAlerts; i++ {
		s.otlp(at+time.Duration(18+i/4)*time.Second, shop(i%shops), []string{"upstream.timeout", "queue.full", "circuit.open", "retry.exhausted", "health.failed", "session.lost"}[i/shops%6],
			fmt.Sprintf("no answer from %s after 3 attempts", shop((i+5)%shops)))
		total++
	}
}

func (s *story) disk() {
	s.scene = "in the other hall the disk of the orders database fills up"
	at := 40 * time.Second
	s.prometheus(at, alert("The orders data volume is full: 100 % of 500 GB", "alertname", "DiskFull", "ci", Disk, "severity", "critical"))
	s.prometheus(at+12*time.Second, alert("orders-db refuses writes: no space left on device", "alertname", "DatabaseReadOnly", "instance", "orders-db:5432", "severity", "critical"))
	s.otlp(at+20*time.Second, "orders-api", "db.write.failed", "insert into orders: no space left on device")
	s.alertmanager(at+28*time.Second, "{}:{alertname=\"HighErrorRate\"}", alert("34 % of requests to orders-api fail", "alertname", "HighErrorRate", "service", "orders-api", "severity", "major"))
	s.pagerDuty(at+40*time.Second, "portal", "CheckoutFails", "critical", "Customers cannot check out")
}
