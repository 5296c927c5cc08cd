//! The window's frame: menus, sidebar, messages that come and go, tray and notifications.

words! {
    main = "Main";
    dismiss = "Dismiss";
    versions_differ = "The window and the app behind it do not match.";
    versions_differ_hint = "Your backups are not affected. Quit Sendense and start it again.";
}
