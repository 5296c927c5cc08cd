//! The local hub: this computer's backup engine over the same REST contract as a deployed Sendense hub.
//!
//! [`LocalHub`] runs one inside a program, [`serve`] runs one as a program, and [`find_running`] finds the one using a
//! data directory. Reading order: `server` (start and stop), `tls` (what it proves itself with), `hub` (the state all requests share), `api` (one module
//! per resource in the contract), `error` (how a failure becomes an answer), `auth` (who may ask). `sendense-engine`
//! does the work.

mod api;
mod auth;
mod config;
mod connections;
mod data_dir;
mod error;
mod hub;
mod profile;
mod secret;
mod server;
mod tls;

pub use config::{Auth, Config, NewUser, Password};
pub use data_dir::{RunningHub, default_data_dir, find_running};
pub use error::ServeError;
pub(crate) use hub::Hub;
pub use profile::Profile;
pub use sendense_engine::Clock;
pub use server::{LocalHub, listen, serve};
pub use tls::Tls;
