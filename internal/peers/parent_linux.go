package peers

import "syscall"

// dieWithParent makes the kernel end the process when the test's ends: after
// a test's timeout nobody runs its cleanup.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
