package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tocsin/correlate"
	"tocsin/ingest"
)

// recall reads the incidents of a command back into the engine.
func (d *Driver) recall(ctx context.Context, c *correlate.Command) error {
	ids := append([]string{c.Incident, c.Target}, c.Incidents...)
	if c.Link != nil {
		for _, ref := range []string{c.Link.From, c.Link.To} {
			if id, ok := strings.CutPrefix(ref, "incident:"); ok {
				ids = append(ids, id)
			}
		}
	}
	s := &correlate.State{}
	for seen := map[string]bool{"": true}; len(ids) > 0; ids = ids[1:] {
		id := strings.ToUpper(ids[0])
		if seen[id] {
			continue
		}
		seen[id] = true
		inc, err := d.opt.Reader.Incident(ctx, id)
		if err != nil {
			return err
		}
		s.Incidents = append(s.Incidents, inc)
		if inc.MergedInto != "" {
			ids = append(ids, inc.MergedInto)
		}
		if err := d.readMembers(ctx, id, s); err != nil {
			return fmt.Errorf("read incident %s back: %w", id, err)
		}
	}
	return d.submit(ctx, &request{recall: s})
}

func (d *Driver) readMembers(ctx context.Context, id string, s *correlate.State) error {
	q := correlate.AttachmentQuery{Incident: id, Page: correlate.Page{Limit: 1000}}
	for {
		items, next, err := d.opt.Reader.Attachments(ctx, q)
		if err != nil {
			return err
		}
		for _, at := range items {
			if at.Detached {
				continue
			}
			a, err := d.opt.Reader.Alert(ctx, at.Fingerprint)
			if errors.Is(err, correlate.ErrNotFound) {
				continue // beyond the retention
			}
			if err != nil {
				return err
			}
			s.Attachments = append(s.Attachments, at)
			s.Alerts = append(s.Alerts, a)
		}
		if next == "" {
			return nil
		}
		q.Cursor = next
	}
}

// Explain says why an alert is in an incident, from what was recorded, or why
// not, from the state of now.
func (d *Driver) Explain(ctx context.Context, fp ingest.Fingerprint, incident string) (correlate.Explanation, error) {
	incident = strings.ToUpper(incident)
	alert, err := d.opt.Reader.Alert(ctx, fp)
	if err != nil {
		return correlate.Explanation{}, err
	}
	inc, err := d.opt.Reader.Incident(ctx, incident)
	if err != nil {
		return correlate.Explanation{}, err
	}
	atts, _, err := d.opt.Reader.Attachments(ctx, correlate.AttachmentQuery{Incident: incident, Fingerprint: fp, Page: correlate.Page{Limit: 1000}})
	if err != nil {
		return correlate.Explanation{}, err
	}
	if len(atts) > 0 && (alert.Incident == incident || !inc.Status.Active()) {
		last := atts[len(atts)-1]
		return correlate.Explanation{Fingerprint: fp, Incident: incident, Member: !last.Detached, At: last.At, Evidence: last.Evidence}, nil
	}
	var x correlate.Explanation
	var xerr error
	if err := d.submit(ctx, &request{ask: func(e *correlate.Engine) { x, xerr = e.WhyNot(fp, incident) }}); err != nil {
		return correlate.Explanation{}, err
	}
	if errors.Is(xerr, correlate.ErrForgotten) {
		// Both exist, and at least one ended too long ago to be compared.
		x = correlate.Explanation{Fingerprint: fp, Incident: incident, At: inc.At}
		x.Evidence.Model = correlate.Model
		x.Evidence.Sentence = fmt.Sprintf("Not in it: the alert is %s since %s, the incident %s since %s; only what is going on is compared.",
			alert.Status, alert.At.Format("2006-01-02 15:04:05 MST"), inc.Status, inc.At.Format("2006-01-02 15:04:05 MST"))
		return x, nil
	}
	return x, xerr
}

// Noise lists the alerts that are noise by their own past.
func (d *Driver) Noise(ctx context.Context) ([]correlate.Noise, error) {
	var out []correlate.Noise
	err := d.submit(ctx, &request{ask: func(e *correlate.Engine) { out = e.Noise() }})
	return out, err
}
