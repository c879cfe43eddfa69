-- A catalogue of recordings and of the words that tripword found in them.
-- PRAGMA application_id is 0x74726970 ("trip"); PRAGMA user_version is the version of these tables.

-- With what recordings were heard: one row for each model, version of the program and set of thresholds.
CREATE TABLE setups (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,                -- its name
    model_sha256 TEXT NOT NULL,         -- of its weights, in hexadecimal
    tripword_version TEXT NOT NULL
);

-- The threshold in force of each word that the model knows.
CREATE TABLE thresholds (
    setup_id INTEGER NOT NULL REFERENCES setups (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,          -- the word's place among the model's words, from 0
    word TEXT NOT NULL,
    threshold REAL NOT NULL,            -- 0 to 1
    PRIMARY KEY (setup_id, position)
);

-- Every recording that was heard, or could not be.
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,          -- as it was named
    status TEXT NOT NULL CHECK (status IN ('labelled', 'failed')),
    error TEXT,                         -- why it failed
    warnings TEXT,                      -- what was odd, a line each
    size_bytes INTEGER,                 -- of the file
    modified TEXT,                      -- the file's own time, as 2026-11-21T22:00:00.000000Z
    n_channels INTEGER,
    sample_rate_hz INTEGER,             -- the recording's own
    heard_s REAL,                       -- seconds of sound, each track counted
    labelled_at TEXT NOT NULL,          -- when it was heard
    setup_id INTEGER NOT NULL REFERENCES setups (id)
);
CREATE INDEX recordings_of_setup ON recordings (setup_id);

-- What was heard of a recording: the mix of its channels, or a channel, or each.
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    channel INTEGER,                    -- from 1; NULL for the mix
    duration_s REAL NOT NULL
);
CREATE INDEX tracks_of_recording ON tracks (recording_id);

-- The words that were found. Seconds and samples count from the recording's beginning, samples at 16 kHz.
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    track_id INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
    word TEXT NOT NULL,
    score REAL NOT NULL,                -- 0 to 1
    start_s REAL NOT NULL,              -- of the word, estimated
    end_s REAL NOT NULL,
    time_s REAL NOT NULL,               -- of the decision
    start_sample INTEGER NOT NULL,
    end_sample INTEGER NOT NULL,
    time_sample INTEGER NOT NULL,
    detection_latency_ms INTEGER NOT NULL
);
CREATE INDEX events_of_track ON events (track_id);
CREATE INDEX events_of_word ON events (word, score);

-- Events with what belongs to them: what most queries want.
CREATE VIEW found AS
SELECT recordings.path, tracks.channel, events.word, events.score, events.start_s, events.end_s, events.time_s,
       events.start_sample, events.end_sample, events.time_sample, events.detection_latency_ms, thresholds.threshold,
       setups.model, setups.model_sha256
FROM events
JOIN tracks ON tracks.id = events.track_id
JOIN recordings ON recordings.id = tracks.recording_id
JOIN setups ON setups.id = recordings.setup_id
LEFT JOIN thresholds ON thresholds.setup_id = setups.id AND thresholds.word = events.word;
