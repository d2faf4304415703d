-- Records are revisions: they are inserted, and deleted when they are older
-- than the retention, never updated. Times are microseconds since 1970 in UTC,
-- 0 is the zero time. Fingerprints are the signed form of their 64 bits.
-- Bodies are JSON. They stand last in a row, so that a filter on the columns
-- before them does not read the overflow pages of a long body.

CREATE TABLE state (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    at        INTEGER NOT NULL, -- newest tick
    event_seq INTEGER NOT NULL, -- highest numbers stored, deleted records included
    revision  INTEGER NOT NULL,
    alive     INTEGER NOT NULL  -- newest heartbeat
);
INSERT INTO state VALUES (1, 0, 0, 0, 0);

-- Batches stored lately, so that the counts of a repeated one are not added twice.
CREATE TABLE ticks (at INTEGER PRIMARY KEY);

CREATE TABLE accounting (
    source       TEXT PRIMARY KEY,
    stored       INTEGER NOT NULL,
    deduplicated INTEGER NOT NULL,
    rejected     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    source      TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    alert       INTEGER NOT NULL, -- the revision made of it at once, or 0
    body        BLOB NOT NULL,
    raw         BLOB -- the payload as sent; any bytes, so not part of the JSON
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_kind ON events (kind, at) WHERE kind <> 'alert';

-- Labels and annotations are in the event that event_seq names.
CREATE TABLE alerts (
    revision    INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    firing      INTEGER NOT NULL,
    starts_at   INTEGER NOT NULL,
    decided_at  INTEGER NOT NULL,
    severity    INTEGER NOT NULL,
    flags       INTEGER NOT NULL, -- 1 suppressed, 2 bound to no CI, 4 ambiguous, 8 of an older event
    source      TEXT NOT NULL,
    ci          TEXT NOT NULL,
    incident    TEXT NOT NULL,
    event_seq   INTEGER NOT NULL,
    body        BLOB NOT NULL
);
CREATE INDEX alerts_ended ON alerts (decided_at) WHERE firing = 0;
CREATE INDEX alerts_incident ON alerts (incident) WHERE incident <> '';
CREATE INDEX alerts_ci ON alerts (ci) WHERE ci <> '';
CREATE INDEX alerts_reused ON alerts (event_seq) WHERE flags & 8;

-- Which revision follows another of the same alert. One with none is the newest.
CREATE TABLE superseded (
    revision INTEGER PRIMARY KEY,
    by       INTEGER NOT NULL
);

-- The newest revisions of the alerts that fire. Keyed by revision and not by
-- fingerprint, so that it grows at its end.
CREATE TABLE firing (
    revision    INTEGER PRIMARY KEY,
    fingerprint INTEGER NOT NULL
);

CREATE TABLE attachments (
    revision    INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    detached    INTEGER NOT NULL,
    incident    TEXT NOT NULL,
    ci          TEXT NOT NULL,
    body        BLOB NOT NULL
);
-- By revision within an incident, so that new ones go to its end.
CREATE INDEX attachments_incident ON attachments (incident);
CREATE INDEX attachments_ci ON attachments (ci, incident) WHERE ci <> '';

-- Which attachment follows another of the same alert and incident.
CREATE TABLE superseded_attachments (
    revision INTEGER PRIMARY KEY,
    by       INTEGER NOT NULL
);

-- What a fingerprint has, in sorted runs: see traces.go. at is the newest
-- batch in a run.
CREATE TABLE runs (
    n     INTEGER PRIMARY KEY,
    class INTEGER NOT NULL,
    at    INTEGER NOT NULL
);
CREATE TABLE traces (
    run   INTEGER NOT NULL,
    first INTEGER NOT NULL,
    body  BLOB NOT NULL,
    PRIMARY KEY (run, first)
) WITHOUT ROWID;

-- Used within Store.Retain only: fingerprints with old attachments that stay.
CREATE TABLE named (fingerprint INTEGER PRIMARY KEY);

-- Re-sends. kind 0 is what one batch brought, kind 1 a checkpoint: all
-- re-sends still of interest, after which older rows are deleted. They belong
-- to alert revisions up to revision.
CREATE TABLE sightings (
    n        INTEGER PRIMARY KEY,
    kind     INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    body     BLOB NOT NULL
);
-- The last re-sends of ended alerts, which checkpoints leave out.
CREATE TABLE last_sightings (
    fingerprint INTEGER PRIMARY KEY,
    revision    INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    count       INTEGER NOT NULL
);

CREATE TABLE incidents (
    n        INTEGER PRIMARY KEY,
    id       TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     BLOB NOT NULL,
    UNIQUE (id, revision)
);

-- The newest revision of each incident, and what lists filter by.
CREATE TABLE incidents_latest (
    id          TEXT PRIMARY KEY,
    revision    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    closed_at   INTEGER NOT NULL,
    status      TEXT NOT NULL,
    severity    INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    assignee    TEXT NOT NULL,
    merged_into TEXT NOT NULL,
    title       TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_latest_opened ON incidents_latest (opened_at, id);
CREATE INDEX incidents_latest_at ON incidents_latest (at);
CREATE INDEX incidents_latest_live ON incidents_latest (id) WHERE status NOT IN ('closed', 'merged');

CREATE TABLE links (
    revision INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    "from"   TEXT NOT NULL,
    "to"     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    by       TEXT NOT NULL,
    removed  INTEGER NOT NULL
);
CREATE INDEX links_from ON links ("from", "to", kind);
CREATE INDEX links_to ON links ("to");

CREATE TABLE cis (
    id       TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (id, revision)
) WITHOUT ROWID;

CREATE TABLE relations (
    "from"   TEXT NOT NULL,
    "to"     TEXT NOT NULL,
    type     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY ("from", "to", type, revision)
) WITHOUT ROWID;

CREATE TABLE deliveries (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    key          TEXT NOT NULL UNIQUE,
    receiver     TEXT NOT NULL,
    incident     TEXT NOT NULL,
    revision     INTEGER NOT NULL,
    notice       TEXT NOT NULL,
    at           INTEGER NOT NULL,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    next_attempt INTEGER NOT NULL,
    done_at      INTEGER NOT NULL, -- when it was delivered or given up
    last_error   TEXT NOT NULL
);
CREATE INDEX deliveries_pending ON deliveries (receiver, incident, revision, n) WHERE state = 'pending';
CREATE INDEX deliveries_state ON deliveries (state, n);
