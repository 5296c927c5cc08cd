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
    id = "Repository ID";
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

    type_folder = "Folder on the hub";
    type_nfs = "NFS share";
    type_cifs = "CIFS (SMB) share";
    server = "Server";
    server_example = "nas.example";
    folder_example = "/backup/sendense";
    export = "Export";
    export_example = "/exports/backups";
    share_name = "Share name";
    domain = "Domain";
    mount_options = "Mount options";
    mount_point = "Mount point on the hub";
    mount_point_hint = "chosen by Sendense";
    optional = "optional";
    password_unencrypted = "The connection to this hub is not encrypted: others on the network can read the password.";
    password_kept = "The hub keeps the password, and anyone who may list its repositories can read it. Use an account for this share only.";
    folder_hint = "Testing creates the folder if it does not exist.";
    hub_can_write = "The hub can write to this folder.";
    hub_cannot(why) = "The hub cannot use it: {why}";
    hub_untested = "The hub accepts these settings. It connects to a share only after it is added; test it again then.";
    reaches = "The hub reaches the repository";
    reaches_hint = "It could read how much space is free. Writing was not tested.";
    not_reached = "The hub has not reached the share yet. Choose Test in the repository’s menu to see why.";
    used(used) = "{used} used";
    remote_removal = "New backups can no longer go there; what is in it is not changed. The hub refuses this if the repository holds backups, and may refuse if it ever did.";
    content_stays = "What is in it was not changed.";

    repository = "Repository";
    with_room(name, free, total) = "{name} ({free} of {total} free)";
    none_usable = "No repository on this hub is connected and accepts backups.";

    copy_title(time) = "Copy the backup from {time}";
    copy_hint = "The backup is copied with everything it builds on, then compared with what was backed up. Anything already there is not copied again.";
    copy_nowhere = "No other repository is connected. Add one on the Repositories page.";
}
