package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tocsin/correlate"
	"tocsin/ingest"
)

// The test binary runs itself as a child that can be killed. What the child
// is to do is in the environment, so that no flag has to be parsed.
const (
	childTask = "TOCSIN_SQLITE_TEST_CHILD"
	childPath = "TOCSIN_SQLITE_TEST_PATH"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childTask) {
	case "append":
		os.Exit(childAppends(os.Getenv(childPath)))
	case "full":
		// Writing beyond the limit then is an error and no signal.
		limit := unix.Rlimit{Cur: 4 << 20, Max: 4 << 20}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Fprintln(os.Stdout, "rlimit", err)
			os.Exit(1)
		}
		os.Exit(childAppends(os.Getenv(childPath)))
	default:
		os.Exit(m.Run())
	}
}

// childBatch is the n-th batch of the child: each record says its number.
func childBatch(n int64) *correlate.Batch {
	b := &correlate.Batch{}
	b.At = time.Unix(1_800_000_000+n, 0).UTC()
	for i := range int64(20) {
		k := n*20 + i + 1
		fp := ingest.Fingerprint(k * 0x9E3779B97F4A7C1)
		ls := ingest.LabelsOf("alertname", "Down", "instance", fmt.Sprint("host-", k))
		b.Events = append(b.Events, ingest.Event{Seq: k, Kind: ingest.KindAlert, ReceivedAt: b.At, Fingerprint: fp, Labels: ls})
		b.Alerts = append(b.Alerts, ingest.Alert{Revision: 2*k - 1, At: b.At, Fingerprint: fp, Status: ingest.Firing, EventSeq: k, Count: 1})
		b.Attachments = append(b.Attachments, correlate.Attachment{Revision: 2 * k, At: b.At, Fingerprint: fp, Incident: "A"})
		if n > 0 {
			b.Sightings = append(b.Sightings, ingest.Sighting{Fingerprint: ingest.Fingerprint((k - 20) * 0x9E3779B97F4A7C1), LastSeen: b.At, Count: 2})
		}
	}
	b.Incidents = []correlate.Incident{{ID: "A", Revision: n + 1, At: b.At, OpenedAt: b.At, Status: correlate.Open}}
	b.Counts = map[string]correlate.Counts{"x": {Stored: 20, Deduplicated: int64(len(b.Sightings))}}
	b.Deliveries = []correlate.Delivery{{Key: fmt.Sprint(n), Receiver: "r", Incident: "A", Revision: n + 1, At: b.At}}
	return b
}

// childAppends goes on where the store ends and prints each number that was
// acknowledged.
func childAppends(path string) int {
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stdout, "open", err)
		return 1
	}
	st, err := s.Restore(ctx, time.Hour)
	if err != nil {
		fmt.Fprintln(os.Stdout, "restore", err)
		return 1
	}
	for n := st.EventSeq / 20; ; n++ {
		if err := s.Append(ctx, childBatch(n)); err != nil {
			fmt.Fprintln(os.Stdout, "append", err)
			return 1
		}
		fmt.Fprintln(os.Stdout, n)
	}
}

func child(t *testing.T, task, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// checkBatches says that a store holds the batches 0 to last in full, and
// maybe whole ones after them. It returns how many.
func checkBatches(t *testing.T, path string, last int64) int64 {
	t.Helper()
	s := open(t, Options{Path: path})
	defer s.Close()
	st, err := s.Restore(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	n := st.EventSeq / 20
	if n <= last || st.EventSeq%20 != 0 {
		t.Errorf("batch %d was acknowledged, events go up to %d", last, st.EventSeq)
	}
	if n == 0 {
		return 0
	}
	counts, err := s.Accounting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	deliveries := 0
	if err := s.readDB.QueryRow(`SELECT count(*) FROM deliveries`).Scan(&deliveries); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(20*n, 20*n, 20*n, 40*n, n, 20*n, 20*(n-1), n)
	sighted := int64(0)
	for i := range st.Alerts {
		if st.Alerts[i].Count == 2 {
			sighted++
		}
	}
	if sighted != 20*(n-1) {
		t.Errorf("%d of %d re-sends are there", sighted, 20*(n-1))
	}
	got := fmt.Sprint(len(st.Alerts), len(st.Attachments), st.EventSeq, st.Revision, st.Incidents[0].Revision,
		counts["x"].Stored, counts["x"].Deduplicated, deliveries)
	if got != want {
		t.Errorf("after %d batches: got %s, want %s", n, got, want)
	}
	// The batch whose outcome the child did not learn comes again.
	if err := s.Append(t.Context(), childBatch(n-1)); err != nil {
		t.Error(err)
	}
	if again, err := s.Accounting(t.Context()); err != nil || again["x"] != counts["x"] {
		t.Errorf("the last batch again: counts %v, error %v; want %v", again["x"], err, counts["x"])
	}
	return n
}

func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) //nolint:gosec // any moment will do
	last, total := int64(-1), int64(0)
	for range 8 {
		cmd := child(t, "append", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first acknowledgement starts a fuse, so that the kill falls into
		// whatever the child is doing then.
		lines := bufio.NewScanner(out)
		fuse := time.Duration(r.IntN(60_000)) * time.Microsecond
		killed := false
		for lines.Scan() {
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("child: %s", lines.Text())
			}
			last = n
			if !killed {
				killed = true
				time.AfterFunc(fuse, func() { _ = cmd.Process.Kill() })
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		total = checkBatches(t, path, last)
		checkIntegrity(t, path)
	}
	if total < 10 {
		t.Errorf("only %d batches in all: the test says little", total)
	}
}

func TestDiskFullKeepsWhatItAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	cmd := child(t, "full", path)
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the child ended well")
	}
	last, message := int64(-1), ""
	for line := range bytesLines(out) {
		if n, err := strconv.ParseInt(line, 10, 64); err == nil {
			last = n
		} else {
			message = line
		}
	}
	if last < 3 || message == "" {
		t.Fatalf("the child said %q after batch %d; want some batches and an error", message, last)
	}
	t.Logf("after batch %d: %s", last, message)
	checkBatches(t, path, last)
	checkIntegrity(t, path)
}
