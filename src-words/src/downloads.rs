//! Files and folders on their way to this computer.

words! {
    foreign_link(path) = "{path}: a link. This hub sent what it points to on the hub’s own disk, so it was left out.";
    title = "Downloads";
    none = "No downloads yet";
    none_hint = "Files and folders that you save from a backup appear here.";

    saving(name) = "Saving {name}";
    waiting = "waiting for other downloads";
    beginning = "starting…";
    saved = "Saved";
    show_in_folder = "Show in folder";
    forget = "Remove from list";
}
