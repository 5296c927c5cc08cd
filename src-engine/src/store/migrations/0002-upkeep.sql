-- Keeping backups in order: pins, retention, and files that are on their way out.

-- A pinned recovery point is deleted by nobody, retention included.
ALTER TABLE backup_jobs ADD COLUMN is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1));

-- Images whose rows are gone and whose files still have to go. Written with the deletion of the rows,
-- so that a hub which is killed in between finishes the work when it starts again.
CREATE TABLE pending_removals (
    image_path TEXT PRIMARY KEY
) STRICT;

-- How many recovery points of a VM are kept; no row: all of them.
CREATE TABLE retention_policies (
    vm_context_id TEXT PRIMARY KEY REFERENCES vm_replication_contexts (context_id) ON DELETE CASCADE,
    keep_last INTEGER NOT NULL,
    keep_daily INTEGER NOT NULL,
    keep_weekly INTEGER NOT NULL,
    keep_monthly INTEGER NOT NULL
) STRICT;
