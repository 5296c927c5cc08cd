"""What the example `read_disk` does, by dissect: list, walk or read the one volume of a raw disk."""

import importlib
import stat
import sys
import time

CHUNK_BYTES = 256 << 10
# The filesystem's own files, which nobody looks for.
N_INTERNAL = 24


def entries_of_ext(folder):
    """Name, folder or file, size and time of each entry."""
    for inode in folder.iterdir():
        if inode.filename in (".", ".."):
            continue
        is_folder = stat.S_ISDIR(inode.inode.i_mode)
        yield inode, is_folder, inode.size, inode.mtime


def entries_of_ntfs(folder):
    for record in folder.iterdir(dereference=True, ignore_dos=True):
        if record.segment < N_INTERNAL:
            continue
        is_folder = record.is_dir()
        size = 0 if is_folder else record.size()
        times = record.attributes.STANDARD_INFORMATION[0].last_modification_time
        yield record, is_folder, size, times


def is_file(kind, entry):
    return stat.S_ISREG(entry.inode.i_mode) if kind == "ext4" else not entry.is_dir()


def look(entries_of, folder, what):
    """Counts the entries of a folder and of those below it, or reads its files."""
    n_entries = n_bytes = 0
    for entry, is_folder, size, _ in entries_of(folder):
        if what == "read" and not is_folder:
            below = read(entry)
            n_entries += below[0]
            n_bytes += below[1]
            continue
        n_entries += 1
        if not is_folder:
            n_bytes += size
        elif what != "list":
            below = look(entries_of, entry, what)
            n_entries += below[0]
            n_bytes += below[1]
    return n_entries, n_bytes


def read(file):
    n_bytes = 0
    handle = file.open()
    while chunk := handle.read(CHUNK_BYTES):
        n_bytes += len(chunk)
    return 1, n_bytes


def main():
    kind, what, image, path = sys.argv[1:]
    with open(image, "rb") as disk:
        if kind == "ext4":
            filesystem = importlib.import_module("dissect.extfs").ExtFS(disk)
            get, entries_of = filesystem.get, entries_of_ext
        else:
            filesystem = importlib.import_module("dissect.ntfs").NTFS(disk)
            get, entries_of = filesystem.mft.get, entries_of_ntfs
        started = time.perf_counter()
        entry = get(path)
        seen = read(entry) if is_file(kind, entry) else look(entries_of, entry, what)
        print(time.perf_counter() - started, *seen)


main()
