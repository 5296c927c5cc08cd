//! The app as a user has it: the real window in a virtual display, with a real keychain and a real notification daemon.
//! WebDriver drives the page, the keyboard the system's dialogs.

mod certificates;
mod damage;
mod deployed;
mod desk;
mod gate;
mod journeys;
mod language;
mod layout;
mod leaving;
mod remote;
mod repositories;
mod running;
mod saving;
mod tour;
mod tray;
mod upkeep;
