-- Version 2: which messages a queue that is bound to a topic keeps.

CREATE TABLE selector (
    queue INTEGER PRIMARY KEY,  -- queue.number; one that has no row keeps all, and nobody has said so
    text TEXT NOT NULL,         -- in the words of the broker; empty: it keeps all
    unsifted INTEGER NOT NULL   -- 1: what waits there and no longer matches is still to be dropped
);
