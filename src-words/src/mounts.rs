//! Mounts: opening one, how long it lasts, closing it.

words! {
    title = "Restore";
    slots(used, most) = "{used} of {most} mounts of this hub in use";
    none = "No open mounts";
    none_hint = "To get files back, open the backups of a VM and choose Restore… beside one of them.";
    open = "Open mounts";
    of_disk(vm, index) = "{vm} · Disk {index}";
    somebodys = "Somebody else’s mount";
    somebodys_disk(number) = "Somebody else’s mount · hub’s disk no. {number}";
    not_mine = "Somebody else’s";
    hubs_disk(number) = "hub’s disk no. {number}";
    expired = "Expired";
    expires_now = "Expires now";
    expires_in(minutes) = "Expires in {minutes} min";
    read_only = "read-only";

    keep_open = "Keep open";
    fixed_hint = "This hub closes mounts at a fixed time. Remount to get more time.";
    kept_open = "Kept open";
    kept_open_hint = "The timer was reset.";
    unmount = "Unmount";
    unmounting = "Unmounting…";
    not_ours = "Somebody else opened it";
    remount = "Remount";

    closes_soon(minutes, mount) = "{mount} expires in {minutes} minute" | "{mount} expires in {minutes} minutes";
    fixed_toast = "This hub does not extend mounts. Remount to continue.";
    idle_toast = "Browse it, or click Keep open.";
    show = "Show";

    expired_error = "Mount expired, please remount.";
    expired_hint = "The backup is unchanged, and remounting returns to this folder.";
    stale_error = "This partition is no longer mounted on the hub.";
    stale_hint = "The hub was probably restarted. The backup is unchanged; mount it again.";
    closed = "This mount is closed.";
    closed_hint = "Open it again from the backups of its VM.";

    mounting = "Mounting backup…";
    options = "Restore options";
    disk = "Disk";
    disk_size(index, size) = "Disk {index} ({size} GiB)";
    kind = "Restore type";
    files = "Browse and download files";
    full = "Full VM restore";
    full_hint = "Only Sendense's own hubs can do this";
    next = "Continue";
}

/// What a mount is called: by its VM, and by its disk where that is known.
pub fn name_of(vm: &str, disk_index: Option<u32>) -> String {
    match disk_index {
        Some(index) => of_disk(vm, index),
        None => vm.to_owned(),
    }
}

/// What keeps a mount from ending that ends soon: looking at it, or, where its end is fixed, mounting it again.
pub fn before_it_ends(is_fixed: bool) -> &'static str {
    if is_fixed {
        fixed_toast()
    } else {
        idle_toast()
    }
}
