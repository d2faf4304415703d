-- What the past taught the engine, read whole at each start. Store.Retain
-- deletes what no start needs any more.

-- Of each kind and key the newest row holds. Rows are added at the end and not
-- changed in place: in a storm each alert may bring one of another key, which
-- would be another page each.
CREATE TABLE memories (
    revision INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    body     BLOB NOT NULL -- byte for byte as it came
);

CREATE TABLE lessons (
    revision    INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    began       INTEGER NOT NULL,
    flags       INTEGER NOT NULL, -- 1 again, 2 together
    chance      INTEGER NOT NULL,
    ci          TEXT NOT NULL
);
