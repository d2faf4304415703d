package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// What can be wrong with a store as a whole. Each is wrapped with the details
// and with what to do about it.
var (
	// ErrLocked: another process has the store open.
	ErrLocked = errors.New("in use by another process")
	// ErrNewer: the store was written by a newer version of Tocsin.
	ErrNewer = errors.New("written by a newer version")
	// ErrOlder: the store was written by an older version of Tocsin and not
	// brought up to date since.
	ErrOlder = errors.New("written by an older version")
	// ErrCorrupt: the file is damaged or no database.
	ErrCorrupt = errors.New("damaged or not a database")
	// ErrReadOnly: the file or its directory cannot be written.
	ErrReadOnly = errors.New("not writable")
	// ErrFull: there is no room for more.
	ErrFull = errors.New("disk full")
)

// explain adds to an error of SQLite what it means here and the next step.
// The batch that met it can be sent again in all cases.
func explain(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the higher bits tell details of an I/O error
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w; make room or shorten the retention, it goes on by itself: %w", ErrFull, err)
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return fmt.Errorf("%w; make the database file and its directory writable by this user: %w", ErrReadOnly, err)
	case lib.SQLITE_CANTOPEN:
		return fmt.Errorf("%w; the path must be a file in a directory that this user can write: %w", ErrReadOnly, err)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%w; restore a backup, or move the file away to start anew: %w", ErrCorrupt, err)
	case lib.SQLITE_IOERR:
		return fmt.Errorf("the disk refused; look at the system's log, it is tried again by itself: %w", err)
	default:
		return err
	}
}
