-- Machines that run from a recovery point, which is held as long as they are on record: no cascade.
CREATE TABLE live_machines (
    id            TEXT PRIMARY KEY NOT NULL,
    backup_job_id TEXT NOT NULL REFERENCES backup_jobs (id),
    folder        TEXT NOT NULL,
    definition    TEXT NOT NULL,
    created_at    TEXT NOT NULL
) STRICT;
CREATE INDEX live_machines_by_backup ON live_machines (backup_job_id);
