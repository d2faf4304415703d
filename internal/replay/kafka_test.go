package replay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"tocsin/correlate"
	"tocsin/ingest"
)

// broker starts a broker with one topic of three partitions.
func broker(t *testing.T) (addrs []string, send func(partition int, at time.Time, values ...string)) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	addrs = c.ListenAddrs()
	return addrs, func(partition int, at time.Time, values ...string) {
		t.Helper()
		conn, err := kafka.DialLeader(t.Context(), "tcp", addrs[0], "events", partition)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, v := range values {
			if _, err := conn.WriteMessages(kafka.Message{Time: at, Value: []byte(v)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func eventJSON(t *testing.T, ev ingest.Event) string {
	t.Helper()
	b, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestKafka(t *testing.T) {
	addrs, send := broker(t)
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	normalize := ingest.NewNormalizer(ingest.NormalizerOptions{}).Normalize
	src := func() *Kafka {
		return &Kafka{Brokers: addrs, Topic: "events", Normalize: normalize, patience: 5 * time.Second}
	}
	opt := Options{Config: correlate.DefaultConfig()}
	if _, err := Run(t.Context(), src(), opt); err == nil || err.Error() != "kafka topic events: no record in it" {
		t.Errorf("an empty topic: %v", err)
	}
	firing := func(s int, name, ci string) string {
		return eventJSON(t, ingest.Event{Kind: ingest.KindAlert, Source: "x", Status: ingest.Firing, ReceivedAt: at(s), StartsAt: at(s),
			Labels: ingest.LabelsOf("alertname", name, "ci", ci), Timeout: time.Minute})
	}
	// The alerts of one fault in two partitions, and an end in the third.
	send(0, at(0), firing(0, "Down", "db"), firing(40, "Late", "db"))
	send(1, at(10), firing(10, "Slow", "db"))
	send(2, at(60), eventJSON(t, ingest.Event{Kind: ingest.KindAlert, Status: ingest.Resolved, ReceivedAt: at(60), StartsAt: at(0), EndsAt: at(60),
		Labels: ingest.LabelsOf("alertname", "Down", "ci", "db")}), "{", "")
	// The record's own time stands for one that the event does not have.
	send(2, at(70), `{"kind":"change","labels":{"ci":"db"},"starts_at":"2026-03-01T11:00:00Z"}`)

	res, err := Run(t.Context(), src(), opt)
	if err != nil {
		t.Fatal(err)
	}
	c := res.Input
	if c.Events != 5 || c.Changes != 1 || c.Unreadable["malformed"] != 2 || len(c.UnreadableSome) != 2 || !c.First.Equal(at(0)) || !c.Last.Equal(at(70)) || c.Late.Count != 0 {
		t.Errorf("input: %+v", c)
	}
	if got := res.Outcome.Totals(); got.Episodes != 3 || got.Incidents != 1 {
		t.Errorf("outcome: %+v, want 3 episodes in 1 incident", got)
	}
	if !strings.HasPrefix(strings.Join(c.UnreadableSome, "\n"), "events/2@1: ") {
		t.Errorf("unreadable: %q", c.UnreadableSome)
	}

	// From a time on, and no further than the end that it had.
	from := src()
	from.From = at(60)
	seen := 0
	err = from.Read(t.Context(), func(in Input) bool {
		if seen == 0 {
			send(2, at(80), firing(80, "After", "db"))
		}
		seen++
		return true
	})
	if err != nil || seen != 4 {
		t.Errorf("from a time on: %d records, %v; want 4", seen, err)
	}
	from.From = at(1000)
	if _, err := Run(t.Context(), from, opt); err == nil || err.Error() != "kafka topic events: no record in it from 2026-03-01T12:16:40Z on" {
		t.Errorf("after the end: %v", err)
	}
	// Whoever has enough may go.
	if err := src().Read(t.Context(), func(Input) bool { return false }); err != nil {
		t.Errorf("given up: %v", err)
	}
}

func TestKafkaErrors(t *testing.T) {
	addrs, _ := broker(t)
	f := func(brokers []string, topic, want string) {
		t.Helper()
		src := &Kafka{Brokers: brokers, Topic: topic, patience: time.Second}
		_, err := Run(t.Context(), src, Options{Config: correlate.DefaultConfig()})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(addrs, "nothing", fmt.Sprintf("kafka %v topic nothing: ", addrs))
	f([]string{"127.0.0.1:1"}, "events", "kafka [127.0.0.1:1] topic events: ")
}
