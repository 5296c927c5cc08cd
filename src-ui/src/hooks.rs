//! Asking the shell from a component.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

use sendense_types::commands::Command;
use sendense_types::{AppError, ErrorKind, Vm};
use yew::prelude::*;

use crate::ipc::{self, Question};

/// Whether the hub does not answer, for whoever would say so otherwise. A context of its own, so that a question
/// does not draw its component anew whenever anything else of the app changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct IsOffline(pub(crate) bool);

/// A question and its newest answer. A failure leaves the last good answer in place.
pub(crate) struct Query<T> {
    pub(crate) data: Option<Rc<T>>,
    pub(crate) error: Option<AppError>,
    pub(crate) is_loading: bool,
    /// Asks again.
    pub(crate) reload: Callback<()>,
}

/// Asks once the component is there, and again whenever the request or `version` changes.
///
/// Only the newest question counts, and nothing reaches a component that is gone.
#[hook]
pub(crate) fn use_query<C>(request: C, version: u64) -> Query<C::Reply>
where
    C: Command + 'static,
    C::Reply: 'static,
{
    let read = |answer: &str| Ok(Rc::new(ipc::read::<C>(answer)?) as Rc<dyn Any>);
    let known = use_answer(Question::new(&request), version, read);
    Query {
        data: known.data.and_then(|data| data.downcast().ok()),
        error: known.error,
        is_loading: known.is_loading,
        reload: known.reload,
    }
}

/// What an answer in JSON says, whatever its type.
type Reader = fn(&str) -> Result<Rc<dyn Any>, AppError>;

/// A [`Query`] whose type is not known.
struct Answer {
    data: Option<Rc<dyn Any>>,
    error: Option<AppError>,
    is_loading: bool,
    reload: Callback<()>,
}

#[hook]
fn use_answer(question: Question, version: u64, read: Reader) -> Answer {
    let known = use_reducer(Known::default);
    {
        let tell = known.dispatcher();
        let what = (question.clone(), version, known.n_wanted);
        use_effect_with(what, move |(question, ..)| {
            let is_wanted = Rc::new(Cell::new(true));
            let still = Rc::clone(&is_wanted);
            let asked = question.clone();
            tell.dispatch(Step::Asked);
            let then = move |answer: Result<String, AppError>| {
                if still.get() {
                    let answer = answer.and_then(|text| read(&text));
                    tell.dispatch(Step::Answered(asked, Box::new(answer)));
                }
            };
            ipc::ask(question.clone(), Box::new(then));
            move || is_wanted.set(false)
        });
    }
    let is_offline = use_context::<IsOffline>() == Some(IsOffline(true));
    let reload = {
        let tell = known.dispatcher();
        use_callback((), move |(), ()| tell.dispatch(Step::Again))
    };
    Answer {
        data: known.answer_to(&question),
        // That the hub does not answer is said once, above all pages.
        error: known.error.clone().filter(|error| {
            !(is_offline && matches!(error.kind, ErrorKind::Offline | ErrorKind::Untrusted))
        }),
        is_loading: known.is_loading,
        reload,
    }
}

/// What a query knows so far.
#[derive(Clone)]
struct Known {
    data: Option<(Question, Rc<dyn Any>)>,
    error: Option<AppError>,
    is_loading: bool,
    /// How often the user has asked again.
    n_wanted: u64,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            data: None,
            error: None,
            is_loading: true,
            n_wanted: 0,
        }
    }
}

/// How a query goes on.
enum Step {
    Asked,
    Answered(Question, Box<Result<Rc<dyn Any>, AppError>>),
    Again,
}

impl Reducible for Known {
    type Action = Step;

    fn reduce(self: Rc<Self>, step: Step) -> Rc<Self> {
        let mut known = Rc::unwrap_or_clone(self);
        match step {
            Step::Asked => known.is_loading = true,
            Step::Answered(question, answer) => {
                known.is_loading = false;
                match *answer {
                    Ok(data) => {
                        known.data = Some((question, data));
                        known.error = None;
                    }
                    Err(error) => known.error = Some(error),
                }
            }
            Step::Again => known.n_wanted += 1,
        }
        Rc::new(known)
    }
}

impl Known {
    /// What is known; an answer to another question is none.
    fn answer_to(&self, question: &Question) -> Option<Rc<dyn Any>> {
        let (asked, data) = self.data.as_ref()?;
        (asked == question).then(|| Rc::clone(data))
    }
}

/// A VM as it was when it was first seen, for questions about it: its state changes while it is backed up, and an answer
/// that is there would be taken for one to another question.
#[hook]
pub(crate) fn use_same_vm(vm: &Vm) -> Rc<Vm> {
    use_memo((vm.context_id.clone(), vm.vm_name.clone()), |_| vm.clone())
}

/// Something the user does. While it runs, its button is disabled.
pub(crate) struct Action<C> {
    pub(crate) run: Callback<C>,
    pub(crate) is_running: bool,
    pub(crate) error: Option<AppError>,
}

/// Asks when `run` is called, and hands a good answer to `done`.
#[hook]
pub(crate) fn use_action<C>(done: Callback<C::Reply>) -> Action<C>
where
    C: Command + 'static,
    C::Reply: 'static,
{
    let deed = use_deed();
    let start = deed.start;
    Action {
        run: Callback::from(move |request: C| {
            let done = done.clone();
            let then = move |answer: &str| {
                done.emit(ipc::read::<C>(answer)?);
                Ok(())
            };
            start.emit((Question::new(&request), Box::new(then)));
        }),
        is_running: deed.is_running,
        error: deed.error,
    }
}

/// What comes after a good answer, whatever its type; it fails when it is not understood.
type Then = Box<dyn FnOnce(&str) -> Result<(), AppError>>;

/// An [`Action`] whose type is not known.
struct Deed {
    start: Callback<(Question, Then)>,
    is_running: bool,
    error: Option<AppError>,
}

#[hook]
fn use_deed() -> Deed {
    let is_running = use_state(|| false);
    let error = use_state(|| None);
    let is_here = use_mut_ref(|| true);
    {
        let is_here = Rc::clone(&is_here);
        use_effect_with((), move |()| move || *is_here.borrow_mut() = false);
    }
    let start = {
        let (is_running, error) = (is_running.setter(), error.setter());
        Callback::from(move |(question, then): (Question, Then)| {
            let (is_running, error) = (is_running.clone(), error.clone());
            let is_here = Rc::clone(&is_here);
            is_running.set(true);
            error.set(None);
            let then = move |answer: Result<String, AppError>| {
                if !*is_here.borrow() {
                    return;
                }
                is_running.set(false);
                if let Err(failure) = answer.and_then(|answer| then(&answer)) {
                    error.set(Some(failure));
                }
            };
            ipc::ask(question, Box::new(then));
        })
    };
    Deed {
        start,
        is_running: *is_running,
        error: (*error).clone(),
    }
}

/// A callback that stays the same while what it calls changes with each drawing, for rows of long lists: what they are
/// given decides whether they are drawn anew.
#[hook]
pub(crate) fn use_stable<T: 'static>(callback: Callback<T>) -> Callback<T> {
    let newest = use_mut_ref(|| callback.clone());
    newest.replace(callback);
    use_callback((), move |value: T, ()| {
        // Not borrowed while it runs: it may lead to the next drawing.
        let callback = newest.borrow().clone();
        callback.emit(value);
    })
}

#[cfg(test)]
mod tests {
    use sendense_types::Retry;
    use sendense_types::commands::{GetBackup, ListDownloads};
    use sendense_types::{BackupId, Download};
    use yew::suspense::Suspension;

    use super::*;

    fn after(known: Known, steps: impl IntoIterator<Item = Step>) -> Known {
        let known = steps
            .into_iter()
            .fold(Rc::new(known), |known, step| known.reduce(step));
        Rc::unwrap_or_clone(known)
    }

    #[derive(PartialEq, Properties)]
    struct DrawnTwiceProps {
        first: Vm,
        then: Vm,
    }

    /// Draws the VM that questions are about, once for each of the two.
    #[component]
    fn DrawnTwice(props: &DrawnTwiceProps) -> HtmlResult {
        let is_drawn = use_memo((), |()| Cell::new(false));
        let is_again = is_drawn.replace(true);
        let same = use_same_vm(if is_again { &props.then } else { &props.first });
        if !is_again {
            // Rendered without a page, a component is drawn again only when it had to wait.
            let (waiting, handle) = Suspension::new();
            handle.resume();
            return Err(waiting.into());
        }
        Ok(html! { { format!("{} {}", same.vm_name, same.current_status) } })
    }

    #[tokio::test]
    async fn questions_are_about_the_same_vm_until_it_is_another_one() {
        let vm = |name: &str, status: &str| Vm {
            context_id: "ctx-1".into(),
            vm_name: name.to_owned(),
            vm_path: String::new(),
            vcenter_host: String::new(),
            datacenter: String::new(),
            current_status: status.to_owned(),
            cpu_count: None,
            memory_mb: None,
            os_type: None,
            power_state: None,
            created_at: None,
            left_out: Vec::new(),
        };
        let drawn = async |then: Vm| {
            let first = vm("web", "ready");
            yew::LocalServerRenderer::<DrawnTwice>::with_props(DrawnTwiceProps { first, then })
                .hydratable(false)
                .render()
                .await
        };
        assert_eq!(drawn(vm("web", "backing up")).await, "web ready");
        assert_eq!(drawn(vm("mail", "backing up")).await, "mail backing up");
        let other = Vm {
            context_id: "ctx-2".into(),
            ..vm("web", "backing up")
        };
        assert_eq!(drawn(other).await, "web backing up");
    }

    #[test]
    fn a_failure_leaves_the_last_good_answer_and_another_question_has_none() {
        let downloads = Question::new(&ListDownloads {});
        let data: Rc<dyn Any> = Rc::new(Vec::<Download>::new());
        let failure = AppError::new(ErrorKind::Offline, "It does not answer.", Retry::Manual);
        let known = after(
            Known::default(),
            [
                Step::Asked,
                Step::Answered(downloads.clone(), Box::new(Ok(data))),
                Step::Asked,
                Step::Answered(downloads.clone(), Box::new(Err(failure))),
            ],
        );
        assert!(known.error.is_some() && !known.is_loading);
        let data = known.answer_to(&downloads).unwrap();
        assert!(data.downcast::<Vec<Download>>().is_ok());
        let backup = |id: &str| {
            Question::new(&GetBackup {
                backup_id: BackupId::new(id),
            })
        };
        assert!(known.answer_to(&backup("a")).is_none());
        assert_eq!(backup("a"), backup("a"));
        assert_ne!(backup("a"), backup("b"));
    }

    #[test]
    fn asking_again_is_asking_anew_every_time() {
        let once = after(Known::default(), [Step::Again]);
        let twice = after(once.clone(), [Step::Again]);
        assert_ne!(once.n_wanted, twice.n_wanted);
    }
}
