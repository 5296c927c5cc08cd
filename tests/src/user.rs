//! A user with a keychain of their own: a message bus with gnome-keyring on it, as a Linux desktop has.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Tool, sendense, temp_dir, tool, until};

/// So long a daemon may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user with a home folder and a keychain, and no display. Everything ends when it is dropped.
pub struct User {
    home: TempDir,
    bus: Option<String>,
    processes: Vec<Child>,
}

impl User {
    /// One without a keychain, as on a server.
    pub fn without_keychain() -> Self {
        Self {
            home: temp_dir(),
            bus: None,
            processes: Vec::new(),
        }
    }

    /// One whose keychain is unlocked.
    ///
    /// # Panics
    /// When the keychain does not start.
    pub fn with_keychain() -> Self {
        let mut user = Self::without_keychain();
        let mut daemon = user.program("dbus-daemon");
        daemon.args(["--session", "--nofork", "--print-address=1"]);
        let mut daemon = daemon.spawn().expect("dbus-daemon starts");
        let mut bus = String::new();
        let stdout = daemon.stdout.take().expect("standard output is piped");
        BufReader::new(stdout)
            .read_line(&mut bus)
            .expect("it prints its address");
        user.processes.push(daemon);
        user.bus = Some(bus.trim().to_owned());

        let mut keyring = user.program("gnome-keyring-daemon");
        keyring.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut keyring = keyring.spawn().expect("gnome-keyring-daemon starts");
        let mut password = keyring.stdin.take().expect("standard input is piped");
        password
            .write_all(b"a password\n")
            .expect("it reads its password");
        drop(password);
        user.processes.push(keyring);
        until("the keychain", PATIENCE, || {
            let asked = tool("dbus-send")
                .args(["--session", "--print-reply", "--dest=org.freedesktop.DBus"])
                .args(["/", "org.freedesktop.DBus.NameHasOwner"])
                .arg("string:org.freedesktop.secrets")
                .env("DBUS_SESSION_BUS_ADDRESS", bus.trim())
                .outcome();
            asked.text().contains("boolean true").then_some(())
        });
        user
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command of this user's, for `sendense` or something that runs it.
    pub fn own(&self, command: Tool) -> Tool {
        let config = self.home().join(".config");
        let command = command
            .env("HOME", self.home())
            .env("XDG_CONFIG_HOME", config)
            .env("XDG_DATA_HOME", self.home().join(".local/share"))
            .env("XDG_RUNTIME_DIR", self.home());
        match &self.bus {
            Some(bus) => command.env("DBUS_SESSION_BUS_ADDRESS", bus),
            None => command.env_remove("DBUS_SESSION_BUS_ADDRESS"),
        }
    }

    /// `sendense` as this user runs it.
    pub fn sendense(&self, args: &[&str]) -> Tool {
        self.own(sendense()).args(args)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.home())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        match &self.bus {
            Some(bus) => command.env("DBUS_SESSION_BUS_ADDRESS", bus),
            None => command.env_remove("DBUS_SESSION_BUS_ADDRESS"),
        };
        command
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // The last one first; one that has ended already cannot be killed, which is fine.
        while let Some(mut process) = self.processes.pop() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
