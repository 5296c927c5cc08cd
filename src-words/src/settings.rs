//! Settings of the app.

words! {
    title = "Settings";
    look = "Appearance";
    theme = "Theme";
    theme_system = "Same as system";
    theme_light = "Light";
    theme_dark = "Dark";
    sizes = "Sizes";
    sizes_binary = "KiB, MiB, GiB (1024)";
    sizes_decimal = "kB, MB, GB (1000)";

    ask_where = "Ask each time where to save";
    ask = "Ask each time";

    notifications = "Notifications and tray";
    notify_success = "Notify me when a backup finishes";
    notify_failure = "Notify me when a backup fails";
    close_to_tray = "Stay in the tray if the window is closed while work is running";

    mounts = "Mounts";
    keep_mounts_open = "Keep mounts open while browsing";
    unmount_on_close = "Unmount when leaving the file browser";

    about = "About";
    version(version) = "Sendense {version}";
    data_folder(folder) = "Backups on this computer: {folder}";
    log_folder(folder) = "Logs: {folder}";
    keychain = "Sign-ins are kept in the system keychain.";
    memory_only = "No system keychain is available. Sign-ins are kept until you quit Sendense.";
    show_logs = "Show log folder";
    copy_diagnostics = "Copy diagnostics";
    copied = "Copied";
    copied_hint = "Diagnostics are on the clipboard, ready to send to support.";
    quit = "Quit Sendense";
}
