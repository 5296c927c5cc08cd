//! Repositories, and copying recovery points between them.

words! {
    add_title = "Add repository";
    add_hint = "Backups are kept in a folder on this computer. Use a different disk if you can: a backup on the same disk is lost with it.";
    folder = "Folder";
    folder_works = "Sendense can write to this folder.";
    title = "Repositories";
    repository = "Repository";
    none_usable = "No repository on this hub is connected and accepts backups.";
    added = "Repository added";
    removed = "Repository removed";
    folder_stays = "Its folder was not changed.";
    find_hint = "Adds a folder that already holds backups, such as one from another computer or a disk that was disconnected";
    finding = "Looking for backups…";
    find = "Find backups in a folder…";
    none = "No repositories";
    none_hint = "Add a repository to keep backups in.";
    test = "Test";
    remove_asks = "Remove…";
    not_in_use = "Not in use";
    not_connected = "Not connected";
    away_hint = "Nothing is lost. Its backups stay listed and can be restored once it is connected again.";
    removal = "No more backups are kept there. A repository that holds backups cannot be removed: delete or copy them first.";
    almost_full = "Almost full";
    filling_up = "Filling up";
    nothing_found = "It holds no recovery points.";
    works = "The repository works";
    works_hint = "It is connected and can be written to.";
    unusable = "The repository cannot be used";
    copy_hint = "The backup is copied with everything it builds on, then compared with what was backed up. Anything already there is not copied again.";
    copy_nowhere = "No other repository is connected. Add one on the Repositories page.";

    copy_title(time) = "Copy the backup of {time}";
    with_room(name, free, total) = "{name} ({free} of {total} free)";
    room(free, total) = "{free} of {total} free";
    room_unknown = "free space unknown";
    room_used(name) = "Space used in {name}";
    backups(count) = "{count} backup" | "{count} backups";
    differences(count) = "{count} file differs from the hub’s records" | "{count} files differ from the hub’s records";
    remove_question(name) = "Remove {name}?";
    known(count) = "{count} recovery point, already listed." | "{count} recovery points, all already listed.";
    found(count) = "{count} recovery point found." | "{count} recovery points found.";
    unusable_files(count) = "{count} file cannot be used." | "{count} files cannot be used.";
}
