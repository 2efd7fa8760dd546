-- Version 1.  PRAGMA user_version says which version a file has; each later one has a file of its own here.

-- Queues that have persistent messages, and those that are bound to a topic.
CREATE TABLE queue (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,  -- its address: "/queue/a"
    topic TEXT,                 -- the topic that it is bound to; NULL: none
    length INTEGER NOT NULL,    -- how many rows of message it has
    octets INTEGER NOT NULL,    -- the sum of their sizes
    mark INTEGER NOT NULL       -- positions up to here may have been handed out; 0 after an orderly stop
);

CREATE TABLE message (
    queue INTEGER NOT NULL,       -- queue.number
    position INTEGER NOT NULL,    -- its place in the queue
    attempts INTEGER NOT NULL,    -- how often it was handed out before
    expires INTEGER NOT NULL,     -- milliseconds since 1970; 0: never
    size INTEGER NOT NULL,        -- octets of its frame
    persistent INTEGER NOT NULL,  -- 0: it is here for want of memory, and does not outlive the process
    head BLOB NOT NULL,           -- UTF-8, separated by NUL: id, destination, names of headers, their values
    body BLOB NOT NULL,
    PRIMARY KEY (queue, position)
) WITHOUT ROWID;

CREATE INDEX expiring ON message (queue, expires) WHERE expires > 0;
CREATE INDEX spilled ON message (queue) WHERE persistent = 0;

-- Queues that are no more, whose messages are being removed bit by bit.
CREATE TABLE doomed (
    number INTEGER PRIMARY KEY  -- what was queue.number
);

-- Names of persistent messages that a destination has taken: it takes none twice.  Their time is no time of day: it began as
-- one, and goes on with each run of a broker from the highest one here (stamps.py).
CREATE TABLE seen (
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    time REAL NOT NULL,  -- seconds since 1970
    PRIMARY KEY (address, name)
) WITHOUT ROWID;

CREATE INDEX seen_time ON seen (time);
