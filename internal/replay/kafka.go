package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"tocsin/ingest"
)

// Kafka reads a topic whose values are our events in JSON, from the beginning,
// or a time, to the end that it had when the reading began. The partitions are
// merged by time. Nothing is committed and no group is joined, so it is in
// nobody's way.
type Kafka struct {
	// Brokers are host:port.
	Brokers []string
	Topic   string
	// From is the time of the first records that are read; zero means all.
	From      time.Time
	Normalize Normalize

	// patience is for tests; 0 means the default.
	patience time.Duration
}

// kafkaPatience is how long a broker may take to give the next record.
const kafkaPatience = 30 * time.Second

// closeWithin is how long a reader waits for records that come after the end,
// and so how long it takes to close. All that is wanted is there already.
const closeWithin = 100 * time.Millisecond

// maxMessage is the largest batch that is fetched at once.
const maxMessage = 16 << 20

var _ Source = (*Kafka)(nil)

// partition is a part of the topic, to be read from next to end.
type partition struct {
	id        int
	next, end int64
	reader    *kafka.Reader
}

// Read implements [Source]. A record that is no event is told as unreadable.
func (s *Kafka) Read(ctx context.Context, yield func(Input) bool) error {
	if s.patience == 0 {
		s.patience = kafkaPatience
	}
	partitions, err := s.partitions(ctx)
	if err != nil {
		return err
	}
	// Reading ahead ends with the replay, whoever gave up.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var w window
	var failed error
	var feeds []*feed
	for _, p := range partitions {
		if p.next >= p.end {
			continue
		}
		p.reader = kafka.NewReader(kafka.ReaderConfig{
			Brokers: s.Brokers, Topic: s.Topic, Partition: p.id, MinBytes: 1, MaxBytes: maxMessage,
			MaxWait: closeWithin, ReadBatchTimeout: s.patience, ReadLagInterval: -1, QueueCapacity: 4 * batchSize,
		})
		defer func() { _ = p.reader.Close() }() // nothing was committed
		if err := p.reader.SetOffset(p.next); err != nil {
			return fmt.Errorf("kafka topic %s partition %d: %w", s.Topic, p.id, err)
		}
		f := &feed{}
		f.read = func() (time.Time, bool) {
			in, ok, err := s.record(ctx, p)
			if err != nil {
				failed = errors.Join(failed, err)
				return time.Time{}, false
			}
			if !ok {
				return time.Time{}, false
			}
			if in.At.IsZero() {
				in.At = f.last
			}
			if in.Event == nil || in.Event.Kind != ingest.KindAlert || in.Event.Source != engineSource {
				w.push(in, false)
			}
			return in.At, true
		}
		feeds = append(feeds, f)
	}
	if len(feeds) == 0 {
		return fmt.Errorf("kafka topic %s: no record in it%s", s.Topic, s.since())
	}
	w.merge(feeds, func(in Input) bool { return failed == nil && ctx.Err() == nil && yield(in) })
	return failed
}

func (s *Kafka) since() string {
	if s.From.IsZero() {
		return ""
	}
	return " from " + s.From.UTC().Format(time.RFC3339) + " on"
}

// record reads the next record of a partition; false at its end.
func (s *Kafka) record(ctx context.Context, p *partition) (Input, bool, error) {
	if p.next >= p.end {
		return Input{}, false, nil
	}
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	m, err := p.reader.ReadMessage(limited)
	if err != nil {
		if ctx.Err() != nil {
			return Input{}, false, ctx.Err()
		}
		if limited.Err() != nil {
			return s.stalled(ctx, p)
		}
		return Input{}, false, fmt.Errorf("kafka topic %s partition %d: %w", s.Topic, p.id, err)
	}
	p.next = m.Offset + 1
	if m.Offset >= p.end { // the end fell into a gap
		return Input{}, false, nil
	}
	// An unreadable record is an input too, which has its error in it.
	in, _ := decodeEvent(m.Value, fmt.Sprintf("%s/%d@%d", s.Topic, p.id, m.Offset), m.Time, s.Normalize)
	return in, true, nil
}

// stalled tells a gap at the end of a partition, as transactions and compaction
// leave it, from a broker that is gone.
func (s *Kafka) stalled(ctx context.Context, p *partition) (Input, bool, error) {
	if _, err := s.partitions(ctx); err != nil {
		return Input{}, false, err
	}
	err := fmt.Errorf("kafka topic %s partition %d: nothing at offsets %d to %d came within %s", s.Topic, p.id, p.next, p.end-1, s.patience)
	p.next = p.end
	return Input{Unreadable: &Unreadable{ingest.ReasonMalformed, err}}, true, nil
}

// partitions asks the brokers what there is.
func (s *Kafka) partitions(ctx context.Context) ([]*partition, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	wrap := func(err error) error { return fmt.Errorf("kafka %v topic %s: %w", s.Brokers, s.Topic, err) }
	client := &kafka.Client{Addr: kafka.TCP(s.Brokers...)}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.Topic}})
	if err != nil {
		return nil, wrap(err)
	}
	i := slices.IndexFunc(meta.Topics, func(t kafka.Topic) bool { return t.Name == s.Topic })
	if i < 0 {
		return nil, wrap(kafka.UnknownTopicOrPartition)
	}
	if err := meta.Topics[i].Error; err != nil {
		return nil, wrap(err)
	}
	var ask []kafka.OffsetRequest
	for _, p := range meta.Topics[i].Partitions {
		ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		if !s.From.IsZero() {
			ask = append(ask, kafka.TimeOffsetOf(p.ID, s.From))
		}
	}
	offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{s.Topic: ask}})
	if err != nil {
		return nil, wrap(err)
	}
	var out []*partition
	for _, o := range offsets.Topics[s.Topic] {
		if o.Error != nil {
			return nil, wrap(fmt.Errorf("partition %d: %w", o.Partition, o.Error))
		}
		p := &partition{id: o.Partition, next: o.FirstOffset, end: o.LastOffset}
		if !s.From.IsZero() {
			p.next = p.end
			for offset := range o.Offsets {
				if offset >= 0 { // else nothing is as late as that
					p.next = max(o.FirstOffset, offset)
				}
			}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *partition) int { return a.id - b.id })
	return out, nil
}
