//! Notifications of a Linux desktop: one connection to its daemon, and one task that shows and hears.

use std::collections::HashMap;

use futures::StreamExt;
use sendense_types::Place;
use sendense_words as words;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use zbus::zvariant::Value;
use zbus::{Connection, proxy};

/// Whom a click on the notification itself is reported as.
const CLICK: &str = "default";
/// How long one is shown is up to the desktop.
const AS_LONG_AS_USUAL: i32 = -1;

/// What is shown, and where a click on it leads.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) place: Option<Place>,
}

/// Shows notifications, in their order; ends with its owner.
pub(crate) struct Notices {
    to_show: mpsc::UnboundedSender<Notice>,
    _worker: AbortOnDropHandle<()>,
}

impl Notices {
    /// Needs a tokio runtime. `open` is called for a click, with the place of what was clicked.
    pub(crate) fn start(open: impl Fn(Option<Place>) + Send + Sync + 'static) -> Self {
        let (to_show, mut notices) = mpsc::unbounded_channel();
        let worker = tokio::spawn(async move {
            // Connects for the first one only: not every desktop has a daemon.
            while let Some(first) = notices.recv().await {
                let shown = match Connection::session().await {
                    Ok(desktop) => show_all(&desktop, first, &mut notices, &open).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = shown {
                    tracing::warn!(%error, "no notification could be shown");
                }
            }
        });
        Self {
            to_show,
            _worker: AbortOnDropHandle::new(worker),
        }
    }

    /// Shows one after those that wait.
    pub(crate) fn show(&self, notice: Notice) {
        // The worker goes with us, so it is there.
        drop(self.to_show.send(notice));
    }
}

#[proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
trait Daemon {
    #[allow(clippy::too_many_arguments, reason = "the standard has so many")]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;

    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;

    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;
}

/// Shows notifications and hears the clicks on them, until there are no more or the desktop fails.
async fn show_all(
    desktop: &Connection,
    first: Notice,
    notices: &mut mpsc::UnboundedReceiver<Notice>,
    open: &(impl Fn(Option<Place>) + Sync),
) -> zbus::Result<()> {
    let daemon = DaemonProxy::new(desktop).await?;
    let mut clicks = daemon.receive_action_invoked().await?;
    let mut ends = daemon.receive_notification_closed().await?;
    let mut places = HashMap::from([(show(&daemon, &first).await?, first.place)]);
    loop {
        tokio::select! {
            // A click closes what was clicked: it has to be heard before that.
            biased;
            Some(click) = clicks.next() => {
                let click = click.args()?;
                if click.action_key == CLICK && let Some(place) = places.remove(&click.id) {
                    open(place);
                }
            }
            Some(end) = ends.next() => drop(places.remove(&end.args()?.id)),
            notice = notices.recv() => match notice {
                Some(notice) => {
                    places.insert(show(&daemon, &notice).await?, notice.place);
                }
                None => return Ok(()),
            },
        }
    }
}

async fn show(daemon: &DaemonProxy<'_>, notice: &Notice) -> zbus::Result<u32> {
    // The body is markup to those who show it.
    let body = notice.text.replace('&', "&amp;").replace('<', "&lt;");
    daemon
        .notify(
            "Sendense",
            0,
            "sendense-desktop",
            &notice.title,
            &body,
            &[CLICK, words::common::open()],
            HashMap::new(),
            AS_LONG_AS_USUAL,
        )
        .await
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use sendense_types::MountId;
    use zbus::object_server::SignalEmitter;
    use zbus::zvariant::OwnedValue;
    use zbus::{Guid, connection, interface};

    use super::*;

    /// A desktop whose user clicks whatever has a title in capitals, and closes the rest.
    struct Desktop {
        shown: mpsc::UnboundedSender<(String, String)>,
        last_id: u32,
        /// Its methods run on a thread of the connection.
        runtime: tokio::runtime::Handle,
    }

    #[interface(name = "org.freedesktop.Notifications")]
    impl Desktop {
        #[allow(clippy::too_many_arguments, reason = "the standard has so many")]
        async fn notify(
            &mut self,
            app_name: String,
            _replaces_id: u32,
            _app_icon: String,
            summary: String,
            body: String,
            actions: Vec<String>,
            _hints: HashMap<String, OwnedValue>,
            _expire_timeout: i32,
            #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        ) -> u32 {
            assert_eq!((app_name.as_str(), actions.len()), ("Sendense", 2));
            self.last_id += 1;
            let (id, emitter) = (self.last_id, emitter.to_owned());
            let is_clicked = summary == summary.to_uppercase();
            self.shown.send((summary, body)).unwrap();
            // After the answer, as a user is slower than a program.
            self.runtime.spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                if is_clicked {
                    emitter.action_invoked(id, "default").await.unwrap();
                }
                emitter.notification_closed(id, 2).await.unwrap();
            });
            id
        }

        #[zbus(signal)]
        async fn action_invoked(
            emitter: &SignalEmitter<'_>,
            id: u32,
            action_key: &str,
        ) -> zbus::Result<()>;

        #[zbus(signal)]
        async fn notification_closed(
            emitter: &SignalEmitter<'_>,
            id: u32,
            reason: u32,
        ) -> zbus::Result<()>;
    }

    fn notice(title: &str, mount_id: &str) -> Notice {
        Notice {
            title: title.to_owned(),
            text: "a < b & c".to_owned(),
            place: Some(Place::Mount {
                mount_id: MountId::new(mount_id),
            }),
        }
    }

    #[tokio::test]
    async fn all_are_shown_by_one_worker_and_a_click_leads_to_its_place() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (shown, mut seen) = mpsc::unbounded_channel();
        let desktop = Desktop {
            shown,
            last_id: 0,
            runtime: tokio::runtime::Handle::current(),
        };
        let theirs = connection::Builder::async_io_unix_stream(theirs)
            .server(Guid::generate())
            .unwrap()
            .p2p()
            .serve_at("/org/freedesktop/Notifications", desktop)
            .unwrap()
            .build();
        let ours = connection::Builder::async_io_unix_stream(ours)
            .p2p()
            .build();
        let (_theirs, ours) = tokio::try_join!(theirs, ours).unwrap();

        let (to_show, mut notices) = mpsc::unbounded_channel();
        let (opened, mut places) = mpsc::unbounded_channel();
        to_show.send(notice("quiet", "m2")).unwrap();
        to_show.send(notice("LOUD", "m3")).unwrap();
        let open = move |place| opened.send(place).unwrap();
        let first = notice("FIRST", "m1");
        let showing = show_all(&ours, first, &mut notices, &open);
        let watching = async {
            let mut titles = Vec::new();
            for _ in 0..3 {
                let (title, body) = seen.recv().await.unwrap();
                assert_eq!(body, "a &lt; b &amp; c");
                titles.push(title);
            }
            assert_eq!(titles, ["FIRST", "quiet", "LOUD"]);
            for expected in ["m1", "m3"] {
                let mount_id = MountId::new(expected);
                assert_eq!(
                    places.recv().await.unwrap(),
                    Some(Place::Mount { mount_id })
                );
            }
        };
        tokio::select! {
            ended = showing => panic!("{ended:?}"),
            () = watching => {}
        }
        assert!(places.try_recv().is_err(), "what was closed leads nowhere");
    }
}
