-- Disks of recovery points written into folders. No reference to the recovery point: it may be deleted later.
CREATE TABLE full_restores (
    id TEXT PRIMARY KEY,
    backup_id TEXT NOT NULL,
    vm_name TEXT NOT NULL,
    -- A JSON list of numbers.
    disk_indexes TEXT NOT NULL,
    folder TEXT NOT NULL,
    format TEXT NOT NULL,
    definition TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'completed', 'failed', 'cancelled')),
    total_bytes INTEGER NOT NULL DEFAULT 0,
    done_bytes INTEGER NOT NULL DEFAULT 0,
    resumed_bytes INTEGER NOT NULL DEFAULT 0,
    -- JSON lists of texts.
    files TEXT NOT NULL DEFAULT '[]',
    remarks TEXT NOT NULL DEFAULT '[]',
    error_message TEXT,
    error_code TEXT,
    created_at TEXT NOT NULL,
    completed_at TEXT
) STRICT;
