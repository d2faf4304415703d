package correlate

import (
	"cmp"
	"fmt"
	"slices"

	"tocsin/cmdb"
	"tocsin/ingest"
)

const maxServices = 50

// blastRadius joins what the likeliest CI takes down with what is alerting.
func (e *Engine) blastRadius(inc *incident) BlastRadius {
	hit := map[int32]bool{}
	b := BlastRadius{Services: []string{}}
	for ci := range inc.cis {
		hit[ci] = true
	}
	alerting := len(hit)
	for _, c := range inc.rec.Causes {
		if c.Kind != "ci" {
			continue
		}
		ci, ok := e.estate.Index(c.ID)
		if !ok {
			break
		}
		hit[ci] = true
		im := e.estate.blast(ci)
		for _, r := range im.Hit {
			hit[r.Index] = true
		}
		b.Truncated = im.Truncated
		b.Reason = fmt.Sprintf("%s alerting; %s of %s depend on %s", plural(alerting, "CI"), plural(len(im.Hit), "CI"), plural(e.estate.Len(), "CI"), c.Name)
		break
	}
	b.CIs = len(hit)
	var services []*cmdb.CI
	for ci := range hit {
		if item := e.estate.At(ci); item.Class == cmdb.ClassService {
			services = append(services, item)
		}
	}
	slices.SortFunc(services, func(x, y *cmdb.CI) int {
		return cmp.Or(cmp.Compare(criticalityRank(x.Criticality), criticalityRank(y.Criticality)), cmp.Compare(x.ID, y.ID))
	})
	b.ServiceCount = len(services)
	for _, s := range services[:min(len(services), maxServices)] {
		b.Services = append(b.Services, s.ID)
	}
	return b
}

func criticalityRank(c cmdb.Criticality) int {
	switch c {
	case cmdb.CriticalityCritical:
		return 0
	case cmdb.CriticalityHigh:
		return 1
	case cmdb.CriticalityLow:
		return 3
	default:
		return 2
	}
}

// priority is impact × urgency. Impact comes from the services hit and how
// critical they are; where the estate is not known it is medium. Urgency comes
// from severity.
func (e *Engine) priority(inc *incident) (impact, urgency int, p Priority) {
	b, cfg := &inc.rec.Blast, &e.cfg.Priority
	impact = 3
	switch {
	case len(inc.cis) == 0:
		impact = 2
	case b.ServiceCount >= cfg.HighImpactServices:
		impact = 1
	case b.ServiceCount >= cfg.MediumImpactServices:
		impact = 2
	}
	if len(b.Services) > 0 {
		if ci, ok := e.estate.Index(b.Services[0]); ok {
			impact = min(impact, criticalityRank(e.estate.At(ci).Criticality)+1)
		}
	}
	urgency = 3
	if u, ok := cfg.Urgency[inc.rec.Severity.String()]; ok {
		urgency = u
	} else if inc.rec.Severity == ingest.Unknown {
		urgency = 2
	}
	return impact, urgency, Priority(cfg.Matrix[impact-1][urgency-1])
}
