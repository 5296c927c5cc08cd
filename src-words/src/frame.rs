//! The window's frame: menus, sidebar, messages that come and go, tray and notifications.

words! {
    main = "Main";
    dismiss = "Dismiss";
    versions_differ = "The window and the app behind it do not match.";
    versions_differ_hint = "Your backups are not affected. Quit Sendense and start it again.";

    tray_idle = "Sendense: idle";
    tray_failed(count) = "Sendense: the last backup of {count} VM failed" | "Sendense: the last backups of {count} VMs failed";
    tray_running(count) = "Sendense: {count} backup running" | "Sendense: {count} backups running";
    tray_open = "Open Sendense";
    tray_quit = "Quit";
    backing_up_at(vm, percent) = "Backing up {vm}: {percent}%";
    mounted(mount) = "Mounted: {mount}";
    unknown_vm = "Unknown VM";
    new_point_of(size) = "New recovery point, {size}.";
    backup_failed(reason) = "{reason}. Earlier recovery points are unchanged.";
    backup_failed_unexplained = "The hub gave no reason. Earlier recovery points are unchanged.";
    mount_expires(minutes) = "Mount expires in {minutes} minute" | "Mount expires in {minutes} minutes";
    mount_expires_hint(mount, what_to_do) = "{mount}. {what_to_do}";
    in_tray = "Sendense keeps running in the tray";
    in_tray_hint(work) = "Still running: {work}. Open or quit Sendense from its tray icon, or start it again to open it.";
    quit_question = "Quit Sendense?";
    quit_hint(work) = "Still running: {work}. Quitting stops this work. Nothing unfinished is left behind, and completed backups and saved files are safe.";
    quit_downloads_wait = "Downloads wait for you: when you start Sendense again, resume them on the Downloads page.";
    quit_copies_resume = "If you start a copy again, it continues where it stopped.";
    keep_running = "Keep running";
    verifications(count) = "{count} verification" | "{count} verifications";
    full_restores(count) = "{count} full restore" | "{count} full restores";
    quit_full_restores_resume = "A full restore continues where it stopped when you start it again into the same folder.";
    choose_restore_folder = "Restore to a folder";
    copies(count) = "{count} copy" | "{count} copies";
    downloads(count) = "{count} download" | "{count} downloads";
    and(others, last) = "{others} and {last}";
    choose_downloads = "Choose a folder for downloads";
    choose_ca_file = "Choose a CA file";
    choose_repository = "Choose a folder for backups";
    choose_backups = "Choose a folder of backups";
    choose_images = "Choose a folder of disk images";
    save_file = "Save file";
    save_archive = "Save folder as an archive";
    save_items(count) = "Save {count} item to a folder" | "Save {count} items to a folder";
    no_home = "This user has no home folder.";
}
