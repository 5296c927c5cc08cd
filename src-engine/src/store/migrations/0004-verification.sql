-- What verifying a recovery point found when it was last done; no value: it never was, or its images were
-- written anew since.
ALTER TABLE backup_jobs ADD COLUMN verification_status TEXT
    CHECK (verification_status IN ('sound', 'flawed', 'unproven', 'damaged'));
ALTER TABLE backup_jobs ADD COLUMN verified_at TEXT;
