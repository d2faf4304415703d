package cmdb

// Snapshot is an immutable estate.
type Snapshot struct{}
