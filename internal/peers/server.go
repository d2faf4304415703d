package peers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Start and stop of a program take well under a second; the rest is for a
// machine that has much else to do.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// client asks started programs; it never follows a proxy of the environment.
var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// A Server is a program that runs until its test ends.
type Server struct {
	// URL is its address, without a slash at the end.
	URL string
	// Addr is its host and port.
	Addr string
	// Dir holds its configuration, its data and its log.
	Dir string
	// ClusterAddr is where it gossips; empty unless it is an Alertmanager of a cluster.
	ClusterAddr string

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of the process; set before exited is closed
}

// PID is the process's number.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// freeAddr returns a loopback address that nothing listens on just now.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program in dir until it is ready. args makes its arguments for
// an address; it is called again, for another, if somebody took the first one
// before the program did.
func start(t testing.TB, program Program, dir string, args func(addr string) []string) *Server {
	t.Helper()
	Require(t, program)
	file, err := program.path()
	if err != nil {
		t.Fatal(err)
	}
	const attempts = 3
	for i := range attempts {
		addr := freeAddr(t)
		s := &Server{URL: "http://" + addr, Addr: addr, Dir: dir, exited: make(chan struct{})}
		err := s.run(file, args(addr))
		if err == nil {
			t.Cleanup(func() { s.end(t) })
			return s
		}
		if i == attempts-1 || !strings.Contains(s.log(), "address already in use") {
			t.Fatalf("start %s: %v; its log:\n%s", program.Names[0], err, s.log())
		}
	}
	return nil
}

func (s *Server) logFile() string { return filepath.Join(s.Dir, "log") }

// log returns the end of the program's log.
func (s *Server) log() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(data), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}

// run starts the process and returns when it is ready; if it never is, the
// process has ended.
func (s *Server) run(file string, args []string) error {
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	s.cmd = exec.Command(file, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, log, log
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(startTimeout)
	var why error
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("it ended: %w", errors.Join(s.err, why))
		case <-timeout:
			return errors.Join(fmt.Errorf("not ready after %v: %w", startTimeout, why), s.Stop())
		case <-tick.C:
			if why = s.ready(); why == nil {
				return nil
			}
		}
	}
}

// ready reports whether the server that answers is ready and is ours: another
// one may have taken the port. All of these programs tell their command line
// to Go's profiler, and ours holds a folder that no other has.
func (s *Server) ready() error {
	cmdline, err := get(s.URL + "/debug/pprof/cmdline")
	if err != nil {
		return err
	}
	if !strings.Contains(cmdline, s.Dir) {
		return fmt.Errorf("%s is another program: %q", s.URL, cmdline)
	}
	_, err = get(s.URL + "/-/ready")
	return err
}

// get returns the body of a page, or an error if it is not a 200.
func get(url string) (string, error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("get %s: %s: %s", url, resp.Status, body)
	}
	return string(body), nil
}

// Stop asks the process to end and waits until it has; it is killed if it does
// not. A second Stop does nothing.
func (s *Server) Stop() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopTimeout):
	}
	if err := s.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("process %d did not end within %v of SIGTERM and was killed", s.PID(), stopTimeout)
}

// Kill ends the process at once, as a crash would, and waits until it has.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return nil
}

// end stops the process with its test, and shows its log if the test failed.
func (s *Server) end(t testing.TB) {
	if err := s.Stop(); err != nil {
		t.Errorf("stop %s: %v", s.URL, err)
	}
	if t.Failed() {
		t.Logf("log of %s:\n%s", s.cmd.Path, s.log())
	}
}
