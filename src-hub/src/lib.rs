//! The local hub: backs up disk images of this computer, and opens the backups again, over the same
//! REST contract as a deployed Sendense hub.
//!
//! [`LocalHub`] runs one inside a program, [`serve`] runs one as a program; [`find_running`] finds
//! the one that uses a data directory. Reading order: `server` (start and stop), `hub` (the state
//! all requests share), `api` (a file for each resource of the contract), `discovery` (what a VM
//! is), `engine` (backups), `restore` (mounts and files).
//!
//! Nothing half-done is visible: images get their name when they are complete and on the disk, and
//! rows in the database only after that.

mod api;
mod auth;
mod backup;
mod chain;
mod clock;
mod config;
mod data_dir;
mod db;
mod discovery;
mod engine;
mod error;
mod file;
mod hub;
mod ids;
mod profile;
mod repository;
mod restore;
mod secret;
mod server;
mod vm;

pub use clock::Clock;
pub use config::{Auth, Config, NewUser, Password};
pub use data_dir::{RunningHub, default_data_dir, find_running};
pub use db::OpenError;
pub use error::ServeError;
pub(crate) use hub::Hub;
pub use profile::Profile;
pub use server::{LocalHub, serve};
