//! Files and folders on their way to this computer.

words! {
    foreign_link(path) = "{path}: left out. It is a link, and the hub sent a file from its own disk in its place.";
    link_without_target(path) = "{path}: a link. This hub does not say where it points, so it was left out.";
    not_in_archive(path, why) = "{path}: {why}";
    more_not_in_archive(count) = "{count} more is left out." | "{count} more are left out.";
    streams_left_out = "Its alternate data streams are left out; save them one by one.";
    renamed(path, name) = "{path}: saved as {name}, because this computer does not allow its name or another file has it.";
    link_not_made(path, target, why) = "{path}: a link to {target} that could not be made here ({why}).";
    folder_kept(place) = "What has been saved is in {place}. Save the folder again to continue.";
    title = "Downloads";
    none = "No downloads yet";
    none_hint = "Files and folders that you save from a backup appear here.";

    saving(name) = "Saving {name}";
    waiting = "Waiting for other downloads";
    beginning = "Starting…";
    saved = "Saved";
    pause = "Pause";
    paused = "Paused";
    resume = "Resume";
    show_in_folder = "Show in folder";
    forget = "Remove from list";
    open_program = "Open a program?";
    is_program(name) = "{name} came from a backup and may be a program. To open it may run it on this computer, with whatever it does.";
    try_again(count) = "Try {count} file again" | "Try {count} files again";
    name_taken = "Name taken";
    for_all(count) = "for all {count}";
    replace = "Replace";
    keep_both = "Keep both";
    skip = "Skip";
    there(what) = "Something with this name is there already ({what}).";
    compared(here, ours) = "A file with this name is there already: {here}. In the backup: {ours}.";
}
