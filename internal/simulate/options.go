package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile is a kind of estate.
type Profile string

// The profiles.
const (
	// ProfileApplication: services in layers on deployments, pods and nodes,
	// with databases, racks and power.
	ProfileApplication Profile = "application"
	// ProfileKubernetes: clusters, namespaces, workloads, volumes; no hardware.
	ProfileKubernetes Profile = "kubernetes"
	// ProfileNetwork: sites with core, aggregation and access devices; links,
	// racks and power.
	ProfileNetwork Profile = "network"
	// ProfileMixed: data centres with all of it.
	ProfileMixed Profile = "mixed"
)

// Profiles are all profiles.
func Profiles() []Profile {
	return []Profile{ProfileApplication, ProfileKubernetes, ProfileNetwork, ProfileMixed}
}

// The limits of a world.
const (
	MinCIs = 10
	MaxCIs = 10_000_000
	// MaxNoise is less than 1, which would take infinitely many alerts.
	MaxNoise = 0.99
	// StormLeaves is the number of neighbours of a storm's hub.
	StormLeaves = 10_000

	maxAlerts   = 20_000_000
	maxDuration = 10 * 365 * 24 * time.Hour
)

// Options say what world to make. [Defaults] are a good begin; shares that are
// left 0 are none.
type Options struct {
	// Profile defaults to ProfileMixed.
	Profile Profile
	// CIs is the exact size of the estate; default 1,000.
	CIs int
	// Seed makes worlds with otherwise equal options differ.
	Seed uint64
	// Start is when it begins, to the second; default 2026-01-05 00:00 UTC, a Monday.
	Start time.Time
	// Duration is how long faults begin, seven days when 0; what began
	// goes on beyond it.
	Duration time.Duration
	// Faults is how many there are, the storm not counted.
	Faults int
	// Overlap is the share of faults that strike within 15 minutes of another
	// one and within three relations of its root.
	Overlap float64
	// Noise is the share of all alerts that no fault caused.
	Noise float64
	// NoiseSeverity, 1 to 4, is that of all noise. With 0 noise has the
	// severities that other alerts have and cannot be told by them.
	NoiseSeverity int
	// Flap is the share of a fault's alerts that end and fire again while it lasts.
	Flap float64
	// Missed is the share of a fault's alerts that do not fire although it
	// reached their CI.
	Missed float64
	// Changes is how many changes there are that caused nothing.
	Changes int
	// Caused is the share of faults that a further change caused, seconds to
	// half an hour before.
	Caused float64
	// Problems is the share of faults that are one of several with the same
	// underlying problem.
	Problems float64
	// Storm is how many distinct alerts fire in ten seconds around a CI
	// with StormLeaves neighbours; 0 is no storm.
	Storm int
	// Progress, if set, is told how far a step is.
	Progress func(step string, done, total int)
}

// Defaults are the options of `tocsin simulate` without flags.
func Defaults() Options {
	return Options{
		Profile: ProfileMixed, CIs: 1000, Seed: 1, Start: defaultStart(), Duration: 7 * 24 * time.Hour,
		Faults: 100, Overlap: 0.2, Noise: 0.3, Flap: 0.1, Missed: 0.05, Changes: 200, Caused: 0.2, Problems: 0.3,
	}
}

func defaultStart() time.Time { return time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) }

// complete fills in what has a default.
func (o Options) complete() Options {
	d := Defaults()
	if o.Profile == "" {
		o.Profile = d.Profile
	}
	if o.CIs == 0 {
		o.CIs = d.CIs
	}
	if o.Duration == 0 {
		o.Duration = d.Duration
	}
	if o.Start.IsZero() {
		o.Start = d.Start
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

// Validate reports all mistakes at once, each with the flag of `tocsin
// simulate` that it is about and its value.
func (o Options) Validate() error {
	o = o.complete()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains(Profiles(), o.Profile) {
		names := make([]string, 0, len(Profiles()))
		for _, p := range Profiles() {
			names = append(names, string(p))
		}
		bad("--profile %q: want one of %s", o.Profile, strings.Join(names, ", "))
	}
	count := func(flag string, n, least, most int) {
		if n < least || n > most {
			bad("--%s %d: want %d to %d", flag, n, least, most)
		}
	}
	share := func(flag string, x, most float64) {
		if !(x >= 0 && x <= most) { // not so for NaN either
			bad("--%s %v: want a share from 0 to %v", flag, x, most)
		}
	}
	count("cis", o.CIs, MinCIs, MaxCIs)
	if o.Duration < time.Minute || o.Duration > maxDuration {
		bad("--duration %v: want one minute to ten years", o.Duration)
	}
	if y := o.Start.Year(); y < 1970 || y > 9000 {
		bad("--start %s: want a year from 1970 to 9000", o.Start.Format(time.RFC3339))
	}
	count("faults", o.Faults, 0, 1_000_000)
	share("overlap", o.Overlap, 1)
	share("noise", o.Noise, MaxNoise)
	count("noise-severity", o.NoiseSeverity, 0, 4)
	share("flap", o.Flap, 1)
	share("missed", o.Missed, 1)
	count("changes", o.Changes, 0, maxAlerts)
	share("caused", o.Caused, 1)
	share("problems", o.Problems, 1)
	count("storm", o.Storm, 0, maxAlerts)
	if least := StormLeaves + 1 + MinCIs; o.Storm > 0 && o.CIs < least && o.CIs >= MinCIs {
		bad("--storm %d with --cis %d: its hub has %d neighbours, so want --cis of at least %d", o.Storm, o.CIs, StormLeaves, least)
	}
	if o.Noise > 0 && o.Faults == 0 && o.Storm == 0 {
		bad("--noise %v with --faults 0: it is a share of all alerts, so something else must raise some; want --faults of at least 1", o.Noise)
	}
	return errors.Join(errs...)
}
