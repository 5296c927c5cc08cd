//! A desktop of its own for one test: display, message bus, keychain, notifications, home folder.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use sendense_tests::{target_dir, temp_dir, until};
use serde_json::json;
use tempfile::TempDir;

/// How long the app may take for one thing; a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a page is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The desktop, and the app on it. Everything ends when it is dropped.
pub(super) struct Desk {
    pub(super) page: Client,
    home: TempDir,
    display: String,
    pictures: PathBuf,
    /// In the order in which they were started.
    processes: Vec<Process>,
}

/// A program that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is fine.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Desk {
    /// A fresh user's desktop with the app in its window.
    pub(super) async fn start() -> Self {
        Self::start_with_pictures(target_dir().join("shots")).await
    }

    /// As [`Desk::start`], with pictures going to this folder.
    pub(super) async fn start_with_pictures(pictures: PathBuf) -> Self {
        let home = temp_dir();
        let mut processes = Vec::new();
        let display = format!(
            ":{}",
            first_line(
                &mut processes,
                program("Xvfb").args([
                    "-displayfd",
                    "1",
                    "-screen",
                    "0",
                    "1720x860x24",
                    "-nolisten",
                    "tcp"
                ]),
            )
        );
        let environment = |command: &mut Command, bus: Option<&str>| {
            command
                .env("HOME", home.path())
                .env("XDG_RUNTIME_DIR", home.path())
                .env("DISPLAY", &display)
                .env("LIBGL_ALWAYS_SOFTWARE", "1")
                .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
                .env_remove("WAYLAND_DISPLAY")
                .env_remove("XDG_DATA_HOME")
                .env_remove("XDG_CONFIG_HOME");
            if let Some(bus) = bus {
                command.env("DBUS_SESSION_BUS_ADDRESS", bus);
            }
        };
        let mut daemon = program("dbus-daemon");
        daemon.args(["--session", "--nofork", "--print-address=1"]);
        environment(&mut daemon, None);
        let bus = first_line(&mut processes, &mut daemon);

        let mut keyring = program("gnome-keyring-daemon");
        keyring
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped());
        environment(&mut keyring, Some(&bus));
        let mut keyring = keyring.spawn().expect("gnome-keyring-daemon starts");
        if let Some(mut password) = keyring.stdin.take() {
            password.write_all(b"a password\n").unwrap();
        }
        processes.push(Process(keyring));

        let mut dunst = program("dunst");
        environment(&mut dunst, Some(&bus));
        processes.push(Process(dunst.spawn().expect("dunst starts")));
        let heard = std::fs::File::create(home.path().join("notifications.txt")).unwrap();
        let mut monitor = program("dbus-monitor");
        monitor
            .arg("interface='org.freedesktop.Notifications',member='Notify'")
            .stdout(heard);
        environment(&mut monitor, Some(&bus));
        processes.push(Process(monitor.spawn().expect("dbus-monitor starts")));

        let port = free_port();
        let mut driver = program("WebKitWebDriver");
        driver
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        environment(&mut driver, Some(&bus));
        processes.push(Process(driver.spawn().expect("WebKitWebDriver starts")));

        let capabilities = json!({
            "webkitgtk:browserOptions": { "binary": app(), "args": [] },
        });
        let capabilities = capabilities.as_object().cloned().unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let began = Instant::now();
        let page = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&address).await {
                Ok(page) => break page,
                Err(error) => assert!(began.elapsed() < PATIENCE, "no window: {error}"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        Self {
            page,
            home,
            display,
            pictures,
            processes,
        }
    }

    /// The user's home folder.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits for a button with this name that can be pressed, and presses it.
    pub(super) async fn press(&self, name: &str) {
        let path = format!(
            "//*[(self::button or self::a or @role='menuitem') and (normalize-space()='{name}' or @aria-label='{name}') and not(@disabled)]"
        );
        self.find(&path)
            .await
            .click()
            .await
            .unwrap_or_else(|error| panic!("pressing {name}: {error}"));
    }

    /// Waits for an element whose accessible name is this, and clicks it.
    pub(super) async fn click(&self, name: &str) {
        let element = self.find(&format!("//*[@aria-label='{name}']")).await;
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("clicking {name}: {error}"));
    }

    /// Waits until a text is to be seen somewhere.
    pub(super) async fn see(&self, text: &str) {
        self.find(&format!("//*[contains(normalize-space(), '{text}')]"))
            .await;
    }

    /// Waits for something that an XPath describes.
    pub(super) async fn find(&self, path: &str) -> Element {
        let began = Instant::now();
        loop {
            let found = self.page.find_all(Locator::XPath(path)).await;
            for element in found.iter().flatten() {
                if element.is_displayed().await.unwrap_or(false) {
                    return element.clone();
                }
            }
            if began.elapsed() > PATIENCE {
                self.picture("missing");
                let html = self.page.source().await.unwrap_or_default();
                panic!("nothing like {path} came up, but {found:?}; the page is {html}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Presses keys where the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        let focused = self.page.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Types a path into the system's dialog with this title, and Enter.
    pub(super) fn save_as(&self, title: &str, path: &Path) {
        until(&format!("the dialog '{title}'"), PATIENCE, || {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
            (!found.is_empty()).then_some(())
        });
        let window = self.xdotool(&["search", "--onlyvisible", "--name", title]);
        let window = window.lines().next().unwrap_or_default().to_owned();
        self.xdotool(&["windowfocus", "--sync", &window]);
        self.xdotool(&["key", "--clearmodifiers", "ctrl+a"]);
        self.xdotool(&["type", "--delay", "5", &path.to_string_lossy()]);
        self.xdotool(&["key", "Return"]);
    }

    fn xdotool(&self, args: &[&str]) -> String {
        let output = program("xdotool")
            .args(args)
            .env("DISPLAY", &self.display)
            .stdout(Stdio::piped())
            .output()
            .expect("xdotool starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits until a notification says this.
    pub(super) fn notified(&self, text: &str) {
        until(&format!("a notification '{text}'"), PATIENCE, || {
            let heard = std::fs::read(self.home().join("notifications.txt")).ok()?;
            String::from_utf8_lossy(&heard).contains(text).then_some(())
        });
    }

    /// Takes a picture of the window once it stands still, for whoever wants to see it. Not by WebDriver,
    /// which waits for a frame that a window without a compositor need not draw.
    pub(super) fn picture(&self, name: &str) {
        std::fs::create_dir_all(&self.pictures).unwrap();
        let file = self.pictures.join(format!("{name}.png"));
        let window = self.window();
        let mut last = Vec::new();
        until(&format!("a picture of {name}"), PATIENCE, || {
            let taken = program("import")
                .args(["-window", &window])
                .arg(&file)
                .env("DISPLAY", &self.display)
                .status()
                .expect("import starts");
            let picture = std::fs::read(&file).unwrap_or_default();
            let stands_still = taken.success() && picture.len() == last.len();
            last = picture;
            stands_still.then_some(())
        });
    }

    /// The window, as the display names it.
    fn window(&self) -> String {
        let windows = self.xdotool(&["search", "--onlyvisible", "--name", "^Sendense$"]);
        windows
            .lines()
            .next()
            .expect("the window is there")
            .to_owned()
    }

    /// Makes the window so large, and waits until the page is.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let size = [width.to_string(), height.to_string()];
        self.xdotool(&["windowsize", &self.window(), &size[0], &size[1]]);
        let began = Instant::now();
        loop {
            let is_now = self
                .page
                .execute("return window.innerWidth", Vec::new())
                .await;
            if is_now.unwrap_or_default() == width {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "the window does not get {width} wide"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the app and everything around it.
    pub(super) async fn close(mut self) {
        // The driver may be gone with the window already.
        drop(self.page.clone().close().await);
        while let Some(process) = self.processes.pop() {
            drop(process);
        }
    }
}

/// The app's program, which `cargo xtask` names.
fn app() -> PathBuf {
    match std::env::var_os("SENDENSE_DESKTOP_BIN") {
        Some(program) => program.into(),
        None => target_dir().join("debug/sendense-desktop"),
    }
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Starts a program and reads the first line it prints.
fn first_line(processes: &mut Vec<Process>, command: &mut Command) -> String {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let output = child.stdout.take().expect("its output is piped");
    processes.push(Process(child));
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "{command:?} printed nothing");
    line.trim().to_owned()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
