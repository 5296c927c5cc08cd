//! The tray icon, read as a panel reads it, by a watcher on the message bus.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sendense_tests::until;
use zbus::blocking::{Connection, Proxy, connection};
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Structure, Value};

use super::desk::Desk;
use super::journeys::open_sample;

const PATIENCE: Duration = Duration::from_secs(60);
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// What panels register at the session bus: icons announce themselves to it.
struct Watcher {
    /// Who announced itself, and where its icon is.
    announced: Sender<(String, String)>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        // Either an object of the sender, or the name of somebody who has it at the usual place.
        let place = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        drop(self.announced.send(place));
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// The app's icon in a panel.
struct Tray {
    connection: Connection,
    name: String,
    menu: OwnedObjectPath,
}

/// An entry of the menu.
#[derive(Debug)]
struct Entry {
    id: i32,
    label: String,
}

type Layout = (u32, (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>));

impl Tray {
    /// Waits for the icon to announce itself.
    fn of_app(connection: Connection, announced: &Receiver<(String, String)>) -> Self {
        let (name, path) = announced
            .recv_timeout(PATIENCE)
            .expect("an icon announces itself");
        let item = Proxy::new(&connection, name.clone(), path, ITEM).unwrap();
        let menu = item.get_property("Menu").unwrap();
        Self {
            connection,
            name,
            menu,
        }
    }

    fn menu(&self) -> Proxy<'static> {
        let (name, path) = (self.name.clone(), ObjectPath::from(self.menu.clone()));
        Proxy::new(&self.connection, name, path, MENU).unwrap()
    }

    /// The menu as it is now, without its lines.
    fn entries(&self) -> Vec<Entry> {
        let layout: zbus::Result<Layout> = self
            .menu()
            .call("GetLayout", &(0, -1, Vec::<String>::new()));
        let (_, (_, _, children)) = layout.unwrap();
        children.iter().filter_map(entry).collect()
    }

    /// Waits for an entry with this text.
    fn entry(&self, label: &str) -> Entry {
        until(&format!("'{label}' in the tray's menu"), PATIENCE, || {
            self.entries()
                .into_iter()
                .find(|entry| entry.label == label)
        })
    }

    /// Clicks an entry.
    fn choose(&self, label: &str) {
        let id = self.entry(label).id;
        self.menu()
            .call::<_, _, ()>("Event", &(id, "clicked", Value::from(0), 0_u32))
            .unwrap();
    }
}

/// An entry with a text, from the structure that menus are made of.
fn entry(child: &OwnedValue) -> Option<Entry> {
    let structure = child.downcast_ref::<&Structure>().ok()?;
    let [id, properties, _] = structure.fields() else {
        return None;
    };
    let properties = properties.downcast_ref::<&zbus::zvariant::Dict>().ok()?;
    let label: String = properties.get(&"label").ok().flatten()?;
    let entry = Entry {
        id: id.downcast_ref().ok()?,
        label: label.replace('_', ""),
    };
    (!entry.label.is_empty()).then_some(entry)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_says_how_things_are_and_leads_in_and_out() {
    let (sender, announced) = channel();
    let mut bus = None;
    let desk = Desk::start_after(|address| {
        let watching = connection::Builder::address(address)
            .and_then(|bus| bus.name("org.kde.StatusNotifierWatcher"))
            .and_then(|bus| {
                let watcher = Watcher { announced: sender };
                bus.serve_at("/StatusNotifierWatcher", watcher)
            })
            .and_then(connection::Builder::build);
        bus = Some(watching.unwrap());
    })
    .await;
    let tray = Tray::of_app(bus.unwrap(), &announced);
    let labels: Vec<_> = tray
        .entries()
        .into_iter()
        .map(|entry| entry.label)
        .collect();
    assert_eq!(labels, ["Sendense: idle", "Open Sendense", "Quit"]);

    // Else the mount would be gone soon after the page.
    desk.press("Settings").await;
    desk.click("Unmount when leaving the file browser").await;
    desk.press("VMs").await;
    open_sample(&desk, true).await;
    // To another page, and by the tray back to the open backup.
    tray.entry("Mounted: pgtest1 · Disk 0");
    desk.press("Settings").await;
    tray.choose("Mounted: pgtest1 · Disk 0");
    desk.find("//*[@role='row'][@aria-label='ReAgent.xml']")
        .await;

    tray.choose("Quit");
    desk.window_is_shown(false);
    desk.close().await;
}
