// Command tocsin turns alerts into incidents: the server, and the tool for the
// people and scripts that work with one.
//
// Everything is reachable from run, which takes its arguments, its streams and
// a context that ends with the first signal, so tests run the program as a
// shell would. Commands against a server know it only by its HTTP API.
//
// Exit codes: 0 done, 1 not done, 2 called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "tocsin: %s\n", visibleLines(err.Error()))
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// usageError is a mistake in the command line itself.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tocsin",
		Short: "Alerts in, incidents out",
		Long: "Tocsin turns alert and event streams into incidents, with their likely cause,\n" +
			"what they hit, and the reason why their alerts belong together.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	addServerFlags(root)
	root.AddCommand(
		newIncidentsCommand(),
		newAlertsCommand(),
		newUnboundCommand(),
		newNoiseCommand(),
		newExplainCommand(),
		newCICommand(),
		newImportCommand(),
		newMapCommand(),
		newScoreCommand(),
		newReplayCommand(),
		newLearnCommand(),
		newBenchCommand(),
		newSimulateCommand(),
		newServeCommand(),
		newDemoCommand(),
		newCheckCommand(),
		newVersionCommand(),
	)
	wrapUsage(root)
	return root
}

// wrapUsage makes mistakes in flags and arguments exit with 2 and name the help.
func wrapUsage(cmd *cobra.Command) {
	mistake := func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee: %s --help", err, c.CommandPath())}
	}
	cmd.SetFlagErrorFunc(mistake)
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
		if cmd.HasSubCommands() {
			check = cobra.NoArgs
		}
	}
	cmd.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return mistake(c, err)
		}
		return nil
	}
	if cmd.HasSubCommands() && cmd.Run == nil && cmd.RunE == nil {
		// Without this cobra prints the help and calls an unknown word a success.
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range cmd.Commands() {
		wrapUsage(sub)
	}
}
