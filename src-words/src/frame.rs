//! The window's frame: menus, sidebar, messages that come and go, tray and notifications.

words! {}
