package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenReadOnly works as a user without rights, whoever runs it: root, who
// may write everywhere, lends his thread to nobody.
func TestOpenReadOnly(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.db")
	if err := open(t, Options{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		for _, name := range []string{filepath.Dir(dir), dir, path, path + ".lock"} {
			if err := os.Chown(name, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		// Not unlocked: the thread ends with this goroutine.
		runtime.LockOSThread()
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Setfsuid(0) }() // to clean up
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	refuses(t, path, ErrReadOnly, "writable")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	refuses(t, path, ErrReadOnly, "writable")
	refuses(t, filepath.Join(dir, "new.db"), os.ErrPermission, "writable")
	refuses(t, filepath.Join(dir, "sub", "new.db"), os.ErrPermission, "can write")
}
