package main

import (
	"errors"
	"maps"
	"slices"
	"time"

	"tocsin/cmdb/file"
	"tocsin/correlate"
	"tocsin/ingest/mapping"
	"tocsin/internal/config"
	"tocsin/internal/notify"
)

// setup is what a server starts with, read and checked. Serve and check both
// make it with newSetup, so that what check lets pass also starts.
type setup struct {
	Config   config.Config
	Estate   file.Estate
	Warnings []file.Warning
	// Receivers are Config.Notify made ready to send.
	Receivers []notify.Receiver
	// Mappings are Config.Ingest.Mappings compiled.
	Mappings mapping.Set
}

// newSetup reads the configuration, or takes the defaults when there is none,
// and the estate of its files together with cmdbFiles. The error joins all
// mistakes in all of them.
func newSetup(configFile string, cmdbFiles []string) (*setup, error) {
	s := &setup{Config: config.Default()}
	var errs []error
	if configFile != "" {
		cfg, err := config.Load(configFile)
		if err != nil {
			errs = append(errs, err)
		} else {
			s.Config = cfg
		}
	}
	s.Config.CMDB.Files = slices.Concat(s.Config.CMDB.Files, cmdbFiles)
	var err error
	if s.Estate, s.Warnings, err = file.Load(s.Config.CMDB.Files...); err != nil {
		errs = append(errs, err)
	}
	if s.Receivers, err = receiversOf(&s.Config); err != nil {
		errs = append(errs, err)
	}
	if s.Mappings, err = mapping.NewSet(s.Config.Ingest.Mappings); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// receiversOf makes the configured receivers ready to send.
func receiversOf(cfg *config.Config) ([]notify.Receiver, error) {
	var out []notify.Receiver
	var errs []error
	for _, r := range cfg.Notify.Receivers {
		headers := maps.Clone(r.Headers)
		if !r.Authorization.Empty() {
			if headers == nil {
				headers = map[string]string{}
			}
			headers["Authorization"] = r.Authorization.Reveal()
		}
		hook, err := notify.NewWebhook(notify.WebhookOptions{
			URL: r.URL, Format: notify.Format(r.Format), ExternalURL: cfg.ExternalURL,
			Secret: r.Secret.Reveal(), Headers: headers, UserAgent: "tocsin/" + version(),
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, notify.Receiver{
			Name: r.Name, Sender: hook, Notices: r.Notices, MinPriority: correlate.Priority(r.MinPriority),
			Timeout: time.Duration(r.Timeout), MaxAttempts: r.MaxAttempts, GiveUpAfter: time.Duration(r.GiveUpAfter),
		})
	}
	return out, errors.Join(errs...)
}
