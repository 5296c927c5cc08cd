//! The connections of a hub, and which of them ends when there are too many.
//!
//! A connection costs its client nothing, so anybody can open more than the hub has room for. Those of strangers, who
//! have not shown a good token on it yet, then make room: first the ones that ask nothing, the oldest first, each
//! after a moment in which it could have asked. One whose request is being answered for a user never does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::Response,
};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

/// What a connection gets to ask something before it makes room. A crowd is let in no faster than that, so that users
/// in it have their turn.
const MOMENT: Duration = Duration::from_millis(10);

/// The connections that are open; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Whether a good token came over it.
    of_user: bool,
    /// Whether a request is being read or answered.
    is_busy: bool,
    /// When that changed last.
    since: Instant,
    /// Ends it, once it is served.
    end: Option<AbortHandle>,
}

/// One of the connections; it is over when this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    id: u64,
    all: Connections,
}

/// Takes a connection off the list.
#[derive(Debug)]
pub(crate) struct Place(Client);

/// A request is being answered for as long as this lives.
struct Busy(Client);

impl Connections {
    /// A new connection, of a stranger.
    pub(crate) fn add(&self) -> Place {
        let mut open = self.lock();
        open.last_id += 1;
        let id = open.last_id;
        open.connections.insert(
            id,
            Connection {
                of_user: false,
                is_busy: false,
                since: Instant::now(),
                end: None,
            },
        );
        Place(Client {
            id,
            all: self.clone(),
        })
    }

    /// Ends the connection that can be missed most easily; none when each is being used by a user.
    pub(crate) async fn make_room(&self) {
        while let Some(moment) = self.end_one() {
            sleep(moment).await;
        }
    }

    /// Ends a connection, or says when there will be one that has had its moment.
    fn end_one(&self) -> Option<Duration> {
        let mut open = self.lock();
        let least = open
            .connections
            .values_mut()
            .filter(|one| one.end.is_some() && !(one.of_user && one.is_busy))
            // Those that are in their moment last: it is over soonest for the oldest of them.
            .min_by_key(|one| match left_of_moment(one.since) {
                None => (false, one.of_user, one.is_busy, one.since),
                Some(_) => (true, false, false, one.since),
            })?;
        if let Some(left) = left_of_moment(least.since) {
            return Some(left);
        }
        // It stays on the list until its task is gone, but nobody ends it twice.
        if let Some(end) = least.end.take() {
            end.abort();
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose it is, for those who serve it.
    pub(crate) fn client(&self) -> Client {
        self.0.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.all.lock().connections.remove(&self.0.id);
    }
}

impl Client {
    /// Says how to end it.
    pub(crate) fn served_by(&self, end: AbortHandle) {
        self.change(|one| one.end = Some(end));
    }

    /// A good token came over it.
    pub(crate) fn is_a_user(&self) {
        self.change(|one| one.of_user = true);
    }

    /// Has one request answered, which is over when the answer's body is sent or given up.
    pub(crate) async fn answer<B>(
        self,
        request: Request<B>,
        router: &TowerToHyperService<Router>,
    ) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let busy = Busy::new(self.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self);
        let Ok(answer) = router.call(request).await;
        answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _until_the_last_one = &busy;
                frame
            }))
        })
    }

    fn change(&self, change: impl FnOnce(&mut Connection)) {
        if let Some(one) = self.all.lock().connections.get_mut(&self.id) {
            change(one);
        }
    }
}

impl Busy {
    fn new(client: Client) -> Self {
        client.change(|one| (one.is_busy, one.since) = (true, Instant::now()));
        Self(client)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0
            .change(|one| (one.is_busy, one.since) = (false, Instant::now()));
    }
}

fn left_of_moment(since: Instant) -> Option<Duration> {
    let left = MOMENT.checked_sub(since.elapsed());
    left.filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that somebody serves.
    fn served(all: &Connections) -> (Place, tokio::task::JoinHandle<()>) {
        let place = all.add();
        let task = tokio::spawn(std::future::pending());
        place.client().served_by(task.abort_handle());
        (place, task)
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_make_room_before_users_and_who_is_answered_stays() {
        let all = Connections::default();
        let (at_work, at_work_task) = served(&all);
        at_work.client().is_a_user();
        let _answering = Busy::new(at_work.client());
        let (idle_user, idle_user_task) = served(&all);
        idle_user.client().is_a_user();
        let (signing_in, signing_in_task) = served(&all);
        let _reading = Busy::new(signing_in.client());
        let (_older, older_task) = served(&all);
        tokio::time::advance(Duration::from_millis(1)).await;
        let (_newer, newer_task) = served(&all);
        tokio::time::advance(MOMENT).await;

        for task in [older_task, newer_task, signing_in_task, idle_user_task] {
            all.make_room().await;
            assert!(task.await.unwrap_err().is_cancelled());
        }
        all.make_room().await;
        assert!(
            !at_work_task.is_finished(),
            "a user's request is never given up"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_a_moment_to_ask_something() {
        let all = Connections::default();
        let (_place, task) = served(&all);
        let came = Instant::now();
        all.make_room().await;
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(came.elapsed(), MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_over_when_its_body_is() {
        let all = Connections::default();
        let (place, task) = served(&all);
        place.client().is_a_user();
        let request = Request::new(Body::empty());
        let router = TowerToHyperService::new(Router::new().fallback(async || "text"));
        let response = place.client().answer(request, &router).await;
        all.make_room().await;
        assert!(!task.is_finished(), "the body is not sent yet");
        drop(response);
        all.make_room().await;
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let all = Connections::default();
        let place = all.add();
        let client = place.client();
        drop(place);
        assert!(all.lock().connections.is_empty());
        client.is_a_user();
        assert!(all.lock().connections.is_empty());
    }
}
