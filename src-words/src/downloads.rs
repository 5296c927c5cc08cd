//! Files and folders on their way to this computer.

words! {
    foreign_link(path) = "{path}: left out. It is a link, and the hub sent a file from its own disk in its place.";
    link_without_target(path) = "{path}: a link. This hub does not say where it points, so it was left out.";
    not_in_archive(path, why) = "{path}: {why}";
    more_not_in_archive(count) = "{count} more is left out." | "{count} more are left out.";
    streams_left_out = "Its alternate data streams are left out; save them one by one.";
    title = "Downloads";
    none = "No downloads yet";
    none_hint = "Files and folders that you save from a backup appear here.";

    saving(name) = "Saving {name}";
    waiting = "Waiting for other downloads";
    beginning = "Starting…";
    saved = "Saved";
    show_in_folder = "Show in folder";
    forget = "Remove from list";
}
