-- What a reason is called for programs (`FailureCode`); NULL where its text is all there is.
ALTER TABLE backup_jobs ADD COLUMN error_code TEXT;
ALTER TABLE backup_copies ADD COLUMN error_code TEXT;
