package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tocsin/internal/api"
)

func newNoiseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "noise",
		Short: "Show which alerts stay out of incidents because of their own past",
		Long: "Noise lists the chronic alerts, which fire again and again, and the periodic ones,\n" +
			"which fire at regular intervals, and with which nothing else ever begins. They are\n" +
			"kept out of incidents until that changes. correlation.noise in the configuration\n" +
			"says from when on; a rule with never_noise exempts alerts.",
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var list api.NoiseList
		raw, err := c.get(cmd.Context(), "/noise", nil, &list)
		if err != nil {
			return err
		}
		return render(cmd, raw, func(p *printer) {
			if len(list.Items) == 0 {
				fmt.Fprintln(p, "no alert is noise by its past")
				return
			}
			p.row("ALERT", "NAME", "CI", "KIND", "FIRINGS", "WITHIN", "PERIOD", "LAST")
			for i := range list.Items {
				n := &list.Items[i]
				name, ci, period := "", "", ""
				if n.Alert != nil {
					name, ci = short(n.Alert.Name(), 40), short(n.Alert.CI, 40)
				}
				if n.Period > 0 {
					period = n.Period.Round(time.Second).String()
				}
				p.row(n.Fingerprint, name, ci, n.Kind, n.Firings, n.Within.Round(time.Second), period, p.both(n.Last))
			}
			if list.Alerts > len(list.Items) {
				fmt.Fprintf(p, "\nthe first %d of %d\n", len(list.Items), list.Alerts)
			}
		})
	}
	return cmd
}
