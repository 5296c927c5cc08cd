-- What the description of a VM says that the image of a disk is; NULL where nobody says it.
ALTER TABLE vm_disks ADD COLUMN source_format TEXT;
