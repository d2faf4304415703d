package learn

import (
	"context"

	"tocsin/cmdb"
	"tocsin/ingest"
	"tocsin/internal/replay"
)

// facts are what is known of alerts besides whether they belong together: the
// labels and what the estate says of their CI. It is what rules may ask for.
type facts map[ingest.Fingerprint]*fact

type fact struct {
	labels                    ingest.Labels
	class, owner, environment string
}

// Names by which rules ask for what the estate says of an alert's CI.
const (
	ciClass       = "ci.class"
	ciOwner       = "ci.owner"
	ciEnvironment = "ci.environment"
)

func (f *fact) get(name string) string {
	switch name {
	case ciClass:
		return f.class
	case ciOwner:
		return f.owner
	case ciEnvironment:
		return f.environment
	default:
		return f.labels.Get(name)
	}
}

// watched is a source that notes facts of all alerts that it tells of.
type watched struct {
	replay.Source
	opt    *replay.Options
	binder *cmdb.Binder
	facts  facts
}

// Read implements [replay.Source].
func (w *watched) Read(ctx context.Context, yield func(replay.Input) bool) error {
	w.facts = facts{}
	if err := w.bindTo(w.opt.Estate); err != nil {
		return err
	}
	return w.Source.Read(ctx, func(in replay.Input) bool {
		switch ev := in.Event; {
		case in.Estate != nil && !w.opt.KeepEstate:
			_ = w.bindTo(in.Estate) // the rules were good for another estate and are for this
		case ev != nil && ev.Kind == ingest.KindAlert && w.facts[ev.Fingerprint] == nil:
			w.facts[ev.Fingerprint] = w.factOf(ev)
		}
		return yield(in)
	})
}

func (w *watched) bindTo(s *cmdb.Snapshot) (err error) {
	w.binder, err = cmdb.NewBinder(w.opt.Rules, s)
	return err
}

func (w *watched) factOf(ev *ingest.Event) *fact {
	f := &fact{labels: ev.Labels}
	if b := w.binder.Bind(ev.Labels.Get); b.CI != "" {
		ci := w.binder.Snapshot().At(b.Index)
		f.class, f.owner, f.environment = ci.Class, ci.Owner, ci.Environment
	}
	return f
}
