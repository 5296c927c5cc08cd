-- What the description of a VM says that the image of a disk is; NULL where nobody says it.
ALTER TABLE vm_disks ADD COLUMN source_format TEXT;
-- Why this file is the disk, in words.
ALTER TABLE vm_disks ADD COLUMN chosen_because TEXT NOT NULL DEFAULT '';
-- The file that discovery found, from which snapshots are followed.
ALTER TABLE vm_disks ADD COLUMN discovered_path TEXT NOT NULL DEFAULT '';
UPDATE vm_disks SET discovered_path = vm_dk_path;
-- Files in the places of a VM that are not backed up, with the reasons: a JSON list.
ALTER TABLE vm_replication_contexts ADD COLUMN left_out TEXT NOT NULL DEFAULT '[]';
