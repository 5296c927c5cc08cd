-- Names of tables and columns follow the deployed hub's schema; what only it needs is left out.
-- Times are RFC 3339 in UTC.

CREATE TABLE vm_replication_contexts (
    context_id TEXT PRIMARY KEY,
    -- Backups are started by name, so a name means one VM.
    vm_name TEXT NOT NULL UNIQUE,
    vmware_vm_id TEXT NOT NULL,
    -- The folder, image or description file the VM was found as; what makes two VMs the same.
    vm_path TEXT NOT NULL UNIQUE,
    vcenter_host TEXT NOT NULL DEFAULT '',
    datacenter TEXT NOT NULL DEFAULT '',
    -- The folder that was searched: disk images may have backing files inside it, and nowhere else.
    source_folder TEXT NOT NULL DEFAULT '',
    current_status TEXT NOT NULL DEFAULT 'ready',
    cpu_count INTEGER,
    memory_mb INTEGER,
    os_type TEXT,
    power_state TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE vm_disks (
    id INTEGER PRIMARY KEY,
    vm_context_id TEXT NOT NULL REFERENCES vm_replication_contexts (context_id) ON DELETE CASCADE,
    disk_id TEXT NOT NULL,
    -- Position within the VM, from 0: backups number their disks by it.
    unit_number INTEGER NOT NULL,
    label TEXT NOT NULL,
    vm_dk_path TEXT NOT NULL,
    datastore TEXT NOT NULL,
    capacity_bytes INTEGER NOT NULL,
    UNIQUE (vm_context_id, disk_id),
    UNIQUE (vm_context_id, unit_number)
) STRICT;

CREATE TABLE backup_repositories (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    repository_type TEXT NOT NULL CHECK (repository_type IN ('local', 'nfs', 'cifs', 'smb')),
    enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    config TEXT NOT NULL CHECK (json_valid(config)),
    is_immutable INTEGER NOT NULL DEFAULT 0 CHECK (is_immutable IN (0, 1)),
    min_retention_days INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- One VM in one repository: what its chains hang on.
CREATE TABLE vm_backup_contexts (
    context_id TEXT PRIMARY KEY,
    vm_name TEXT NOT NULL,
    repository_id TEXT NOT NULL REFERENCES backup_repositories (id) ON DELETE RESTRICT,
    total_backups_run INTEGER NOT NULL DEFAULT 0,
    successful_backups INTEGER NOT NULL DEFAULT 0,
    failed_backups INTEGER NOT NULL DEFAULT 0,
    last_backup_id TEXT,
    last_backup_type TEXT,
    last_backup_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (vm_name, repository_id)
) STRICT;

CREATE TABLE backup_jobs (
    id TEXT PRIMARY KEY,
    vm_backup_context_id TEXT REFERENCES vm_backup_contexts (context_id) ON DELETE SET NULL,
    vm_context_id TEXT NOT NULL REFERENCES vm_replication_contexts (context_id) ON DELETE CASCADE,
    vm_name TEXT NOT NULL,
    repository_id TEXT NOT NULL REFERENCES backup_repositories (id) ON DELETE RESTRICT,
    backup_type TEXT NOT NULL CHECK (backup_type IN ('full', 'incremental', 'differential')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    parent_backup_id TEXT REFERENCES backup_jobs (id) ON DELETE SET NULL,
    bytes_transferred INTEGER NOT NULL DEFAULT 0,
    total_bytes INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    current_phase TEXT NOT NULL DEFAULT '',
    transfer_speed_bps INTEGER NOT NULL DEFAULT 0,
    progress_percent REAL NOT NULL DEFAULT 0,
    last_telemetry_at TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT
) STRICT;

CREATE INDEX backup_jobs_by_vm ON backup_jobs (vm_context_id, created_at);
-- Two runs of one VM would destroy each other's work: the second cannot even be written down.
CREATE UNIQUE INDEX one_running_backup_per_vm ON backup_jobs (vm_context_id)
    WHERE status IN ('pending', 'running');

CREATE TABLE backup_disks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    vm_backup_context_id TEXT NOT NULL REFERENCES vm_backup_contexts (context_id) ON DELETE CASCADE,
    backup_job_id TEXT NOT NULL REFERENCES backup_jobs (id) ON DELETE CASCADE,
    disk_index INTEGER NOT NULL,
    vmware_disk_key INTEGER NOT NULL DEFAULT 2000,
    -- Size of the virtual disk in GiB, rounded up.
    size_gb INTEGER NOT NULL,
    unit_number INTEGER,
    disk_change_id TEXT,
    -- Where the image lies; while the job runs, where it will lie. Empty when the job failed.
    qcow2_path TEXT,
    -- What the source held, and how much of it was not zero and therefore takes room.
    bytes_transferred INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    capacity_bytes INTEGER NOT NULL DEFAULT 0,
    progress_percent REAL NOT NULL DEFAULT 0,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    error_message TEXT,
    created_at TEXT NOT NULL,
    completed_at TEXT,
    UNIQUE (backup_job_id, disk_index)
) STRICT;

-- AUTOINCREMENT above: a client may remember the id of a disk that is gone.
CREATE TABLE restore_mounts (
    id TEXT PRIMARY KEY,
    backup_disk_id INTEGER NOT NULL REFERENCES backup_disks (id) ON DELETE CASCADE,
    mount_path TEXT NOT NULL,
    nbd_device TEXT NOT NULL,
    filesystem_type TEXT,
    mount_mode TEXT NOT NULL DEFAULT 'read-only' CHECK (mount_mode IN ('read-only')),
    status TEXT NOT NULL CHECK (status IN ('mounting', 'mounted', 'unmounting', 'failed', 'unmounted')),
    error_message TEXT,
    created_at TEXT NOT NULL,
    last_accessed_at TEXT NOT NULL,
    expires_at TEXT,
    unmounted_at TEXT,
    partition_metadata TEXT CHECK (json_valid(partition_metadata))
) STRICT;

-- Only live mounts take a slot: one that failed must not block the next (deployed hubs jam there).
CREATE UNIQUE INDEX one_live_mount_per_device ON restore_mounts (nbd_device)
    WHERE status IN ('mounting', 'mounted', 'unmounting');
CREATE UNIQUE INDEX one_live_mount_per_disk ON restore_mounts (backup_disk_id)
    WHERE status IN ('mounting', 'mounted', 'unmounting');

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT NOT NULL,
    n_failures INTEGER NOT NULL DEFAULT 0,
    locked_until TEXT,
    created_at TEXT NOT NULL
) STRICT;

-- The hash of a token, never the token: a stolen database signs nobody in.
CREATE TABLE tokens (
    token_hash BLOB PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
