-- Several repositories, and chains that are copied from one to another.

-- The backup in another repository that this one is a copy of. No reference: it may be deleted.
ALTER TABLE backup_jobs ADD COLUMN copied_from TEXT;

-- Copies that were asked for (contract 3.7). A copied recovery point is a backup of its own.
CREATE TABLE backup_copies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_backup_id TEXT NOT NULL REFERENCES backup_jobs (id) ON DELETE CASCADE,
    repository_id TEXT NOT NULL REFERENCES backup_repositories (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('pending', 'copying', 'verifying', 'completed', 'failed')),
    size_bytes INTEGER NOT NULL DEFAULT 0,
    copy_started_at TEXT,
    copy_completed_at TEXT,
    verified_at TEXT,
    verification_status TEXT NOT NULL DEFAULT 'pending'
        CHECK (verification_status IN ('pending', 'passed', 'failed')),
    error_message TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (source_backup_id, repository_id)
) STRICT;
