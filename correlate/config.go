package correlate

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin/ingest"
)

// Config is how the engine decides. [DefaultConfig] has the defaults; every
// number is checked by [Config.Validate].
type Config struct {
	// Threshold is the score, in points, at which an alert joins an incident.
	Threshold int `yaml:"threshold"`
	// MergeThreshold is the score that one alert must reach with each of two
	// incidents to join them. It is higher than Threshold because one wrong
	// merge of two large incidents costs more than many missed ones.
	MergeThreshold int `yaml:"merge_threshold"`
	// ResolveDelay is how long all alerts must be resolved before the incident
	// is, so that an intermittent fault stays one incident.
	ResolveDelay Duration `yaml:"resolve_delay"`
	// ReopenWindow is how long after its resolution an incident is reopened
	// when one of its alerts fires again; then it closes.
	ReopenWindow Duration `yaml:"reopen_window"`
	// ChangeWindow is how long before its first alert a change can have caused
	// an incident.
	ChangeWindow Duration `yaml:"change_window"`
	// OutageGrace is how long after our own outage alerts keep firing whose
	// source could not reach us.
	OutageGrace Duration `yaml:"outage_grace"`

	// ScopeAttributes are the attributes of CIs that say where one stands: what
	// differs in them alone is the same thing in another environment, so that
	// a problem is recognised there too. A CI's environment is always one.
	ScopeAttributes []string `yaml:"scope_attributes"`

	// Weights scale the kinds of evidence.
	Weights   Weights          `yaml:"weights"`
	Flapping  FlappingConfig   `yaml:"flapping"`
	Noise     NoiseConfig      `yaml:"noise"`
	Priority  PriorityConfig   `yaml:"priority"`
	Watchdogs []WatchdogConfig `yaml:"watchdogs"`
	// Rules are what operators know and no evidence shows.
	Rules []Rule `yaml:"rules"`
}

// Duration is a time.Duration that is written as "10m" in YAML.
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, such as 90s, 10m or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what time.Duration prints.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// FlappingConfig is [ingest.Flapping] in the configuration.
type FlappingConfig struct {
	Window Duration `yaml:"window"`
	Start  int      `yaml:"start"`
	Stop   int      `yaml:"stop"`
}

// Weights are how much each kind of evidence counts, in percent of what it does
// by default; 0 leaves it out. For topology it is what is lost along a path that
// is scaled; without topology only alerts on one CI, or about one subject, are
// near each other. Change also scales what a change speaks for a cause.
type Weights struct {
	Topology int `yaml:"topology"`
	Time     int `yaml:"time"`
	Surprise int `yaml:"surprise"`
	Company  int `yaml:"company"`
	Delay    int `yaml:"delay"`
	Labels   int `yaml:"labels"`
	Text     int `yaml:"text"`
	Change   int `yaml:"change"`
}

func (w *Weights) byKind() [evKinds]int {
	return [evKinds]int{w.Topology, w.Time, w.Surprise, w.Company, w.Delay, w.Labels, w.Text, w.Change}
}

// Without sets the weight of a kind of evidence to 0, or says that there is no
// such kind.
func (w *Weights) Without(kind string) error {
	for i, p := range []*int{&w.Topology, &w.Time, &w.Surprise, &w.Company, &w.Delay, &w.Labels, &w.Text, &w.Change} {
		if evidenceNames[i] == kind {
			*p = 0
			return nil
		}
	}
	return fmt.Errorf("kind of evidence %q: want one of %v", kind, evidenceNames)
}

// NoiseConfig says when an alert is noise by its own past: kept out of
// incidents because it fires again and again and nothing else ever begins with
// it.
type NoiseConfig struct {
	// Chronic is how many firings alone within Window make an alert chronic; 0
	// makes none so.
	Chronic int      `yaml:"chronic"`
	Window  Duration `yaml:"window"`
	// Periodic is how many firings alone at regular intervals make an alert
	// periodic; 0 makes none so.
	Periodic int `yaml:"periodic"`
}

// PriorityConfig turns impact and urgency into a priority.
type PriorityConfig struct {
	// Matrix[impact-1][urgency-1] is the priority, 1 to 5.
	Matrix [3][3]int `yaml:"matrix"`
	// Urgency is the level, 1 (high) to 3 (low), of each severity.
	Urgency map[string]int `yaml:"urgency"`
	// HighImpactServices and MediumImpactServices are the numbers of services
	// hit from which the impact is 1 and 2, whatever their criticality.
	HighImpactServices   int `yaml:"high_impact_services"`
	MediumImpactServices int `yaml:"medium_impact_services"`
}

// WatchdogConfig names an alert that fires for ever to show that its source
// lives. While it fires it is suppressed; when it stops, that is an incident.
type WatchdogConfig struct {
	// Match are label values that all must be equal.
	Match map[string]string `yaml:"match"`
	// Timeout is how long the watchdog may be silent; 0 leaves it to the
	// alert's own expiry.
	Timeout Duration `yaml:"timeout"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Threshold:       100,
		MergeThreshold:  140,
		ResolveDelay:    Duration(5 * time.Minute),
		ReopenWindow:    Duration(30 * time.Minute),
		ChangeWindow:    Duration(time.Hour),
		OutageGrace:     Duration(5 * time.Minute),
		ScopeAttributes: DefaultScopeAttributes,
		Weights:         Weights{100, 100, 100, 100, 100, 100, 100, 100},
		Noise:           NoiseConfig{Chronic: 5, Window: Duration(24 * time.Hour), Periodic: 4},
		Flapping:        FlappingConfig{Window: Duration(30 * time.Minute), Start: 6, Stop: 2},
		Priority: PriorityConfig{
			Matrix:               [3][3]int{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}},
			Urgency:              map[string]int{"critical": 1, "major": 2, "unknown": 2, "minor": 3, "warning": 3, "info": 3},
			HighImpactServices:   10,
			MediumImpactServices: 3,
		},
		Watchdogs: []WatchdogConfig{{Match: map[string]string{"alertname": "Watchdog"}}},
	}
}

// id identifies a configuration: the same for equal ones, and after a restart.
func (c *Config) id() string {
	b, err := json.Marshal(c)
	if err != nil { // it consists of texts and numbers
		panic(err)
	}
	return fmt.Sprintf("%08x", short(hash(string(b))))
}

// Horizon is how long an ended alert or incident can still matter to a decision.
func (c *Config) Horizon() time.Duration {
	return max(time.Duration(c.ReopenWindow), time.Duration(c.Flapping.Window), time.Duration(c.ChangeWindow)+JudgedAfter,
		ingest.LateWindow) + time.Duration(c.ResolveDelay)
}

func (c *Config) flapping() ingest.Flapping {
	return ingest.Flapping{Window: time.Duration(c.Flapping.Window), Start: c.Flapping.Start, Stop: c.Flapping.Stop}
}

// Validate reports every impossible value, naming its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, want))
	}
	if c.Threshold < 1 {
		bad("threshold", c.Threshold, "want at least 1; 100 is the default")
	}
	if c.MergeThreshold < c.Threshold {
		bad("merge_threshold", c.MergeThreshold, fmt.Sprintf("want at least threshold (%d)", c.Threshold))
	}
	for key, d := range map[string]Duration{"resolve_delay": c.ResolveDelay, "reopen_window": c.ReopenWindow,
		"change_window": c.ChangeWindow, "outage_grace": c.OutageGrace, "flapping.window": c.Flapping.Window} {
		if d < 0 {
			bad(key, time.Duration(d), "want 0 or more")
		}
	}
	for i, name := range c.ScopeAttributes {
		if name == "" {
			bad(fmt.Sprintf("scope_attributes[%d]", i), `""`, "want the name of an attribute of CIs, such as region")
		}
	}
	for i, w := range c.Weights.byKind() {
		if w < 0 || w > 1000 {
			bad("weights."+evidenceNames[i], w, "want 0 to 1000 percent")
		}
	}
	if n := c.Noise.Chronic; n != 0 && (n < 3 || n > pastKept) {
		bad("noise.chronic", n, fmt.Sprintf("want 3 to %d firings, or 0", pastKept))
	}
	if n := c.Noise.Periodic; n != 0 && (n < 3 || n > pastKept) {
		bad("noise.periodic", n, fmt.Sprintf("want 3 to %d firings, or 0", pastKept))
	}
	if w := time.Duration(c.Noise.Window); w < 0 || w > History {
		bad("noise.window", w, fmt.Sprintf("want 0 to %s, which is how long an alert's past is kept", History))
	}
	if c.Flapping.Window > 0 {
		if c.Flapping.Start < 2 {
			bad("flapping.start", c.Flapping.Start, "want at least 2 changes")
		}
		if c.Flapping.Stop < 0 || c.Flapping.Stop >= c.Flapping.Start {
			bad("flapping.stop", c.Flapping.Stop, "want 0 or more and less than flapping.start")
		}
	}
	for i, row := range c.Priority.Matrix {
		for j, p := range row {
			if p < 1 || p > 5 {
				bad(fmt.Sprintf("priority.matrix[%d][%d]", i, j), p, "want 1 to 5")
			}
		}
	}
	for word, level := range c.Priority.Urgency {
		if _, err := ingest.ParseSeverity(word); err != nil {
			errs = append(errs, fmt.Errorf("priority.urgency: %w", err))
		}
		if level < 1 || level > 3 {
			bad("priority.urgency."+word, level, "want 1 (high) to 3 (low)")
		}
	}
	if c.Priority.MediumImpactServices < 1 || c.Priority.HighImpactServices < c.Priority.MediumImpactServices {
		bad("priority.high_impact_services", c.Priority.HighImpactServices, "want at least medium_impact_services, and that at least 1")
	}
	for i, w := range c.Watchdogs {
		if len(w.Match) == 0 {
			bad(fmt.Sprintf("watchdogs[%d].match", i), "empty", "name at least one label, or every alert is a watchdog")
		}
		if w.Timeout < 0 {
			bad(fmt.Sprintf("watchdogs[%d].timeout", i), time.Duration(w.Timeout), "want 0 or more")
		}
	}
	if _, err := compileRules(c.Rules); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
