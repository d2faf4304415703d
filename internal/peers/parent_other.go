//go:build !linux

package peers

import "syscall"

// dieWithParent has no meaning here: after a test's timeout a process may be
// left over.
func dieWithParent() *syscall.SysProcAttr { return nil }
