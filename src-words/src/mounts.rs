//! Mounts: opening one, how long it lasts, closing it.

words! {
    title = "Restore";
    none = "No open mounts";
    none_hint = "To get files back, open the backups of a VM and choose Restore….";
    open = "Open mounts";
    fixed_hint = "This hub closes mounts at a fixed time. Remount to get more time.";
    keep_open = "Keep open";
    not_ours = "Somebody else opened it";
    unmounting = "Unmounting…";
    unmount = "Unmount";
    remount = "Remount";
    expired = "Expired";
    expires_now = "expires now";
    mounting = "Mounting backup…";
    expired_error = "Mount expired, please remount.";
    expired_hint = "The backup is unchanged, and you return to this folder.";
    kept_open = "Kept open";
    kept_open_hint = "The timer restarts.";
    somebodys = "Somebody else’s mount";
    options = "Restore options";
    disk = "Disk";
    kind = "Restore type";
    files = "Browse and download files";
    full_hint = "This hub does not offer this";
    full = "Full VM restore (coming later)";
    next = "Continue";
    fixed_toast = "This hub does not extend mounts. Remount it to continue.";
    idle_toast = "Browse it, or press Keep open.";
    show = "Show";
    closed = "This mount is closed.";
    closed_hint = "Open the backup again from the backups of its VM.";

    disk_size(index, size) = "Disk {index} ({size} GiB)";
    closes_soon(minutes, mount) = "{mount} closes in {minutes} minute" | "{mount} closes in {minutes} minutes";

    expires_in(minutes) = "expires in {minutes} min";
}
