//! A separate desktop for each test: display, message bus, keychain, notifications, home folder.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use sendense_tests::{target_dir, temp_dir, tool, until};
use serde_json::json;
use tempfile::TempDir;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask};

/// How long the app may take for one thing; a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a page is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The desktop, and the app on it. Everything ends when it is dropped.
pub(super) struct Desk {
    pub(super) page: Client,
    home: TempDir,
    display: String,
    bus: String,
    /// Where the WebDriver of this desktop listens.
    driver: String,
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
        Self::begin(pictures, &[], |_| ()).await
    }

    /// As [`Desk::start`], with texts as another language might have them.
    pub(super) async fn start_in_pseudo_locale() -> Self {
        let pictures = target_dir().join("shots");
        Self::begin(pictures, &[("SENDENSE_PSEUDO_LOCALE", "1")], |_| ()).await
    }

    /// As [`Desk::start`], with somebody on the message bus before the app comes.
    pub(super) async fn start_after(watch: impl FnOnce(&str)) -> Self {
        Self::begin(target_dir().join("shots"), &[], watch).await
    }

    /// The app finds `variables` in its environment.
    async fn begin(
        pictures: PathBuf,
        variables: &[(&str, &str)],
        watch: impl FnOnce(&str),
    ) -> Self {
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
        let on_this_desk = |command: &mut Command, bus: Option<&str>| {
            environment(command, home.path(), &display);
            if let Some(bus) = bus {
                command.env("DBUS_SESSION_BUS_ADDRESS", bus);
            }
        };
        let mut daemon = program("dbus-daemon");
        daemon.args(["--session", "--nofork", "--print-address=1"]);
        on_this_desk(&mut daemon, None);
        let bus = first_line(&mut processes, &mut daemon);

        let mut keyring = program("gnome-keyring-daemon");
        keyring
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped());
        on_this_desk(&mut keyring, Some(&bus));
        let mut keyring = keyring.spawn().expect("gnome-keyring-daemon starts");
        if let Some(mut password) = keyring.stdin.take() {
            password.write_all(b"a password\n").unwrap();
        }
        processes.push(Process(keyring));

        let mut dunst = program("dunst");
        on_this_desk(&mut dunst, Some(&bus));
        processes.push(Process(dunst.spawn().expect("dunst starts")));
        let heard = std::fs::File::create(home.path().join("notifications.txt")).unwrap();
        let mut monitor = program("dbus-monitor");
        monitor
            .arg("interface='org.freedesktop.Notifications',member='Notify'")
            .stdout(heard);
        on_this_desk(&mut monitor, Some(&bus));
        processes.push(Process(monitor.spawn().expect("dbus-monitor starts")));

        let port = free_port();
        let mut driver = program("WebKitWebDriver");
        driver
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .envs(variables.iter().copied());
        on_this_desk(&mut driver, Some(&bus));
        processes.push(Process(driver.spawn().expect("WebKitWebDriver starts")));

        watch(&bus);
        let driver = format!("http://127.0.0.1:{port}");
        let desk = Self {
            page: open_app(&driver).await,
            home,
            display,
            bus,
            driver,
            pictures,
            processes,
        };
        // GTK shows a tooltip where the pointer is, whatever WebDriver points at, and a picture shows it as a black
        // rectangle: it is a window of its own, with an alpha that only a compositor could mix. Beside the app's window
        // there is none.
        desk.xdotool(&["mousemove", "1719", "859"]);
        desk
    }

    /// Lets the app end and starts it again, as the same user.
    pub(super) async fn start_app_again(&mut self, meanwhile: impl FnOnce()) {
        self.page.clone().close().await.unwrap();
        until("the end of the app", PATIENCE, || {
            self.windows("^Sendense$").is_empty().then_some(())
        });
        meanwhile();
        self.page = open_app(&self.driver).await;
    }

    /// Starts the app while it runs already, and waits until this second start has ended.
    pub(super) fn start_a_second_time(&self) {
        let mut second = program(app());
        environment(&mut second, self.home(), &self.display);
        let mut second = second
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .spawn()
            .expect("the app starts");
        let status = until("the end of the second start", PATIENCE, || {
            second.try_wait().unwrap()
        });
        assert!(status.success(), "{status}");
    }

    /// The user's home folder.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits for a button with this name that can be pressed, and presses it.
    pub(super) async fn press(&self, name: &str) {
        let path = format!(
            "//*[(self::button or self::a or @role='menuitem') and (normalize-space()='{name}' or @aria-label='{name}' or @title='{name}') and not(@disabled)]"
        );
        self.click_on(&path).await;
    }

    /// Waits for something that an XPath describes, and clicks it.
    pub(super) async fn click_on(&self, path: &str) {
        let began = Instant::now();
        // Refused while it is being drawn anew or a message lies over it.
        while let Err(error) = self.find(path).await.click().await {
            assert!(began.elapsed() < PATIENCE, "clicking {path}: {error}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for an element whose accessible name is this, and clicks it.
    pub(super) async fn click(&self, name: &str) {
        self.click_on(&format!("//*[@aria-label='{name}']")).await;
    }

    /// Waits until a text is to be seen somewhere. What could be chosen in a list is not to be seen, nor does the page
    /// around such a list say it.
    pub(super) async fn see(&self, text: &str) {
        self.find(&format!(
            "//*[not(ancestor-or-self::select or descendant::select) and contains(normalize-space(), '{text}')]"
        ))
        .await;
    }

    /// Waits for something that an XPath describes.
    pub(super) async fn find(&self, path: &str) -> Element {
        let began = Instant::now();
        loop {
            let found = self.page.find_all(Locator::XPath(path)).await;
            for element in found.iter().flatten() {
                // WebDriver's own "is displayed" denies that a text which may be cut is to be seen; and what
                // a closed list would show has no size.
                let (_, _, width, height) = element.rectangle().await.unwrap_or_default();
                if (width > 0.0 && height > 0.0) || element.is_displayed().await.unwrap_or(false) {
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

    /// Waits until nothing is to be seen any more that an XPath describes.
    pub(super) async fn gone(&self, path: &str) {
        let began = Instant::now();
        while !self
            .page
            .find_all(Locator::XPath(path))
            .await
            .unwrap_or_default()
            .is_empty()
        {
            assert!(began.elapsed() < PATIENCE, "{path} is still there");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Puts text into the field with this name, in place of what it holds.
    pub(super) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("//input[@aria-label='{name}']")).await;
        field.clear().await.unwrap();
        // WebDriver takes no empty text.
        if !text.is_empty() {
            field.send_keys(text).await.unwrap();
        }
    }

    /// Presses keys where the focus is.
    pub(super) async fn keys(&self, keys: &str) {
        let focused = self.page.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Types a path into the system's dialog with this title, and Enter.
    pub(super) fn save_as(&self, title: &str, path: &Path) {
        let window = self.dialog(title);
        self.xdotool(&["windowfocus", "--sync", &window]);
        self.xdotool(&["key", "--clearmodifiers", "ctrl+a"]);
        self.xdotool(&["type", "--delay", "5", &path.to_string_lossy()]);
        self.xdotool(&["key", "Return"]);
    }

    /// Chooses a folder in the system's dialog with this title.
    pub(super) fn choose_folder(&self, title: &str, folder: &Path) {
        let window = self.dialog(title);
        self.xdotool(&["windowfocus", "--sync", &window]);
        // The field for a path opens by its first character, and loses some of what is typed meanwhile.
        self.xdotool(&["type", "/"]);
        until(
            &format!("the end of the dialog '{title}'"),
            PATIENCE,
            || {
                std::thread::sleep(Duration::from_millis(500));
                self.xdotool(&["key", "--clearmodifiers", "ctrl+a"]);
                self.xdotool(&["type", "--delay", "5", &folder.to_string_lossy()]);
                // The dialog goes on with the name of a folder in it, marked, and takes it for meant.
                std::thread::sleep(Duration::from_millis(300));
                self.xdotool(&["key", "Delete"]);
                // The first Enter may only end that completion.
                self.xdotool(&["key", "Return"]);
                std::thread::sleep(Duration::from_millis(300));
                self.windows(title).is_empty().then_some(())
            },
        );
    }

    /// Answers a question of the system's with a key, and waits until it is gone.
    pub(super) fn answer(&self, title: &str, key: &str) {
        self.dialog(title);
        until(
            &format!("the end of the dialog '{title}'"),
            PATIENCE,
            || {
                let Some(window) = self.windows(title).into_iter().next() else {
                    return Some(());
                };
                // One that has only just come up may not listen yet.
                self.xdotool(&["windowfocus", "--sync", &window]);
                self.xdotool(&["key", "--clearmodifiers", key]);
                std::thread::sleep(Duration::from_millis(500));
                None
            },
        );
    }

    /// Waits for a window of the system's with this title.
    fn dialog(&self, title: &str) -> String {
        until(&format!("the dialog '{title}'"), PATIENCE, || {
            self.windows(title).into_iter().next()
        })
    }

    /// Presses the window's close button, as a window manager would.
    pub(super) fn close_window(&self) {
        let window = self.window().parse().expect("windows are numbers");
        let (display, _) = x11rb::connect(Some(&self.display)).expect("the display answers");
        let atom = |name: &str| {
            let cookie = display.intern_atom(false, name.as_bytes()).unwrap();
            cookie.reply().unwrap().atom
        };
        let wish = [atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), wish);
        display
            .send_event(false, window, EventMask::NO_EVENT, message)
            .unwrap()
            .check()
            .unwrap();
    }

    /// Waits until the app's window is to be seen, or not any more.
    pub(super) fn window_is_shown(&self, is_shown: bool) {
        until(
            &format!("a window that is shown: {is_shown}"),
            PATIENCE,
            || (self.windows("^Sendense$").is_empty() != is_shown).then_some(()),
        );
    }

    /// The visible windows whose titles match.
    fn windows(&self, title: &str) -> Vec<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
        found.lines().map(str::to_owned).collect()
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
        let mut last = None;
        until(&format!("a picture of {name}"), PATIENCE, || {
            let picture = self.picture_of_moving(name);
            let stands_still = picture.is_some() && picture == last;
            last = picture;
            stands_still.then_some(())
        });
    }

    /// The same as it is at this moment, for what does not stand still until it is over. Gives its size in bytes.
    pub(super) fn picture_of_moving(&self, name: &str) -> Option<u64> {
        std::fs::create_dir_all(&self.pictures).unwrap();
        let file = self.pictures.join(format!("{name}.png"));
        let taken = program("import")
            .args(["-window", &self.window()])
            .arg(&file)
            .env("DISPLAY", &self.display)
            .status()
            .expect("import starts");
        let size = std::fs::metadata(&file).ok()?.len();
        taken.success().then_some(size)
    }

    /// The window, as the display names it.
    fn window(&self) -> String {
        let windows = self.windows("^Sendense$");
        windows.into_iter().next().expect("the window is there")
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

    /// None of these secrets lies in a file, logs and settings among them, or in anything that the page holds.
    pub(super) async fn keeps_none_of(&self, secrets: &[&str]) {
        let held = self.page.execute(HELD, Vec::new()).await.unwrap();
        let held = held.as_str().unwrap();
        assert!(held.contains("<html"), "{held}");
        for secret in secrets {
            let kept = tool("grep").args(["-rlF", secret]).arg(self.home());
            assert_eq!(kept.outcome().text(), "", "a secret is in a file");
            assert!(!held.contains(secret), "a secret is in the page");
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

/// Everything that the page holds.
const HELD: &str = "
    const entries = [...document.querySelectorAll('input, textarea')].map(entry => entry.value);
    const stored = [localStorage, sessionStorage].map(store => JSON.stringify(store));
    const page = document.documentElement.outerHTML;
    return [page, location.href, document.cookie, history.length, ...entries, ...stored].join('\\n');";

/// The app's program, which `cargo xtask` names.
fn app() -> PathBuf {
    match std::env::var_os("SENDENSE_DESKTOP_BIN") {
        Some(program) => program.into(),
        None => target_dir().join("debug/sendense-desktop"),
    }
}

/// A new session of WebDriver, which starts the app.
async fn open_app(driver: &str) -> Client {
    let capabilities = json!({
        "webkitgtk:browserOptions": { "binary": app(), "args": [] },
    });
    let capabilities = capabilities.as_object().cloned().unwrap();
    let began = Instant::now();
    loop {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.clone());
        match builder.connect(driver).await {
            Ok(page) => return page,
            Err(error) => assert!(began.elapsed() < PATIENCE, "no window: {error}"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What programs on a desk see of the system.
fn environment(command: &mut Command, home: &Path, display: &str) {
    command
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("DISPLAY", display)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CONFIG_HOME");
}

fn program(name: impl AsRef<OsStr>) -> Command {
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
