//! Files and folders on their way to this computer.

words! {
    title = "Downloads";
    none = "No downloads yet";
    none_hint = "Files and folders that you save from a backup appear here.";
    saved = "Saved";
    show_in_folder = "Show in folder";
    forget = "Remove from list";
    beginning = "starting…";

    saving(name) = "Saving {name}";
    waiting = "waiting";
}
