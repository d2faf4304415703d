package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// usage is what a process and its descendants have used. Processes that ended
// count if somebody waited for them.
type usage struct {
	cpu       float64 // seconds
	rss, peak float64 // MiB
}

// ticksPerSecond is USER_HZ, which Linux has fixed for its interfaces.
const ticksPerSecond = 100

// processUsage reads /proc, so it works on Linux only.
func processUsage(pid int) (usage, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return usage{}, fmt.Errorf("process %d: %w; its figures need Linux", pid, err)
	}
	stats := map[int][]string{} // by process, from its state on
	children := map[int][]int{}
	for _, d := range dirs {
		id, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		// The name before may hold blanks and brackets.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 15 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		stats[id] = fields
		children[parent] = append(children[parent], id)
	}
	if stats[pid] == nil {
		return usage{}, fmt.Errorf("process %d: there is none", pid)
	}
	var u usage
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		u.add(todo[0], stats[todo[0]])
		todo = append(todo, children[todo[0]]...)
	}
	return u, nil
}

func (u *usage) add(pid int, fields []string) {
	for _, f := range fields[11:15] { // utime, stime, and those of children that ended
		if ticks, err := strconv.ParseFloat(f, 64); err == nil {
			u.cpu += ticks / ticksPerSecond
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return // it has just ended
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			u.rss += kib / 1024
		case "VmHWM":
			u.peak += kib / 1024
		}
	}
}
