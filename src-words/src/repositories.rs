//! Repositories, and copying recovery points between them.

words! {
    title = "Repositories";
    find = "Find backups in a folder…";
    finding = "Looking for backups…";
    find_hint = "Adds a folder that already holds backups, such as one from another computer or a disk that was disconnected";
    none = "No repositories";
    none_hint = "This hub has no repository to keep backups in yet.";

    not_in_use = "Not in use";
    not_connected = "Not connected";
    away_hint = "Nothing is lost. Its backups stay listed and can be restored once it is connected again.";
    backups(count) = "{count} backup" | "{count} backups";
    differences(count) = "{count} file differs from the hub’s records" | "{count} files differ from the hub’s records";

    room(free, total) = "{free} of {total} free";
    room_unknown = "Free space unknown";
    room_used(name) = "Space used in {name}";
    almost_full = "Almost full";
    filling_up = "Filling up";

    test = "Test";
    works = "The repository works";
    works_hint = "It is connected and can be written to.";
    unusable = "The repository cannot be used";
    remove_asks = "Remove…";
    remove_question(name) = "Remove {name}?";
    removal = "New backups can no longer go there. A repository that holds backups cannot be removed: copy any you need, then delete them.";
    removed = "Repository removed";
    folder_stays = "Its folder was not changed.";

    nothing_found = "It holds no recovery points.";
    known(count) = "{count} recovery point is already listed." | "{count} recovery points are already listed.";
    found(count) = "{count} recovery point found." | "{count} recovery points found.";
    unusable_files(count) = "{count} file cannot be used." | "{count} files cannot be used.";

    add_title = "Add repository";
    add_hint = "Backups are kept in a folder on this computer. Use a different disk if you can: a backup on the same disk is lost with it.";
    folder_works = "Sendense can write to this folder.";
    added = "Repository added";

    repository = "Repository";
    with_room(name, free, total) = "{name} ({free} of {total} free)";
    none_usable = "No repository on this hub is connected and accepts backups.";

    copy_title(time) = "Copy the backup from {time}";
    copy_hint = "The backup is copied with everything it builds on, then compared with what was backed up. Anything already there is not copied again.";
    copy_nowhere = "No other repository is connected. Add one on the Repositories page.";
}
