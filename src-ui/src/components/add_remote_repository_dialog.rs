//! Adding a repository on a hub elsewhere: a folder there, or a share that the hub mounts.

use std::rc::Rc;

use sendense_types::commands::{AddRemoteRepository, TestNewRepository};
use sendense_types::{Mounting, Repository, RepositoryPlace, RepositoryTest, Secret, Tried};
use sendense_words::{self as words, repositories as w};
use yew::prelude::*;

use super::{Dialog, Picture, error_notice, icon};
use crate::dom;
use crate::hooks::use_action;

#[derive(Clone, PartialEq, Properties)]
pub(crate) struct AddRemoteRepositoryDialogProps {
    /// Whether others on the network can read what is sent to the hub.
    pub(crate) is_readable_on_the_way: bool,
    pub(crate) on_added: Callback<Repository>,
    pub(crate) on_close: Callback<()>,
}

/// What may be typed.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Name,
    Path,
    Server,
    Export,
    Share,
    User,
    Password,
    Domain,
    Options,
    Point,
}

/// How many of them there are.
const N_FIELDS: usize = Field::Point as usize + 1;

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Folder,
    Nfs,
    Cifs,
}

/// What was typed so far. What another type asks for is kept, for whoever looks at both.
#[derive(Clone, Default)]
struct Form {
    kind: Kind,
    texts: [String; N_FIELDS],
    /// Another one for each edit.
    version: u32,
}

enum Edit {
    Kind(Kind),
    Text(Field, String),
}

impl Reducible for Form {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut form = Rc::unwrap_or_clone(self);
        form.version += 1;
        match edit {
            Edit::Kind(kind) => form.kind = kind,
            Edit::Text(field, text) => form.texts[field as usize] = text,
        }
        Rc::new(form)
    }
}

impl Form {
    fn text(&self, field: Field) -> String {
        self.texts[field as usize].clone()
    }

    fn place(&self) -> RepositoryPlace {
        let server = self.text(Field::Server);
        let mounting = Mounting {
            point: self.text(Field::Point),
            options: self.text(Field::Options),
        };
        match self.kind {
            Kind::Folder => RepositoryPlace::folder(self.text(Field::Path).trim()),
            Kind::Nfs => RepositoryPlace::Nfs {
                server,
                export_path: self.text(Field::Export),
                mounting,
            },
            Kind::Cifs => RepositoryPlace::Cifs {
                server,
                share_name: self.text(Field::Share),
                username: self.text(Field::User),
                password: Secret::new(self.text(Field::Password)),
                domain: self.text(Field::Domain),
                mounting,
            },
        }
    }
}

/// Asks for a name and a place, which may be tested first.
#[component]
pub(crate) fn AddRemoteRepositoryDialog(props: &AddRemoteRepositoryDialogProps) -> Html {
    let form = use_reducer(Form::default);
    // A verdict is about what was typed when the hub was asked.
    let asked = use_state(|| None::<u32>);
    let found = use_state(|| None::<RepositoryTest>);
    let add = use_action::<AddRemoteRepository>(props.on_added.clone());
    let test = {
        let found = found.setter();
        use_action::<TestNewRepository>(Callback::from(move |test| found.set(Some(test))))
    };
    let on_test = {
        let (run, form) = (test.run.clone(), form.clone());
        let (asked, found) = (asked.setter(), found.setter());
        Callback::from(move |_: MouseEvent| {
            asked.set(Some(form.version));
            found.set(None);
            run.emit(TestNewRepository {
                place: form.place(),
            });
        })
    };
    let on_action = {
        let form = form.clone();
        add.run.reform(move |()| AddRemoteRepository {
            name: form.text(Field::Name),
            place: form.place(),
        })
    };
    let is_current = *asked == Some(form.version);
    let verdict = found.as_ref().filter(|_| is_current);
    let refusal = test.error.clone().filter(|_| is_current);
    let error = add.error.clone().or(refusal);
    let is_complete = form.place().is_complete();
    let is_nameless = form.texts[Field::Name as usize].trim().is_empty();
    html! {
        <Dialog
            title={w::add_title()} action={words::common::add()} {on_action} on_close={props.on_close.clone()}
            is_blocked={!is_complete || is_nameless} is_busy={add.is_running}
        >
            <div class="field-pair">
                { input(&form, (Field::Name, words::common::name, nothing)) }
                { kinds(&form) }
            </div>
            { fields(&form, props.is_readable_on_the_way) }
            <div class="dialog__line">
                <button class="button" type="button" onclick={on_test} disabled={test.is_running || !is_complete}>
                    { if test.is_running { words::hubs::testing() } else { w::test() } }
                </button>
                if let Some(verdict) = verdict {
                    { said(verdict) }
                }
            </div>
            if let Some(error) = &error {
                { error_notice(error, None) }
            }
        </Dialog>
    }
}

/// The choice of a type.
fn kinds(form: &UseReducerHandle<Form>) -> Html {
    let kinds = [
        (Kind::Folder, w::type_folder()),
        (Kind::Nfs, w::type_nfs()),
        (Kind::Cifs, w::type_cifs()),
    ];
    let onchange = {
        let form = form.dispatcher();
        Callback::from(move |event: Event| {
            let chosen: Option<usize> = dom::value_of(&event).parse().ok();
            if let Some((kind, _)) = chosen.and_then(|index| kinds.get(index)) {
                form.dispatch(Edit::Kind(*kind));
            }
        })
    };
    html! {
        <label class="field">
            <span>{ words::common::kind() }</span>
            <select aria-label={words::common::kind()} {onchange}>
                for (index, (kind, name)) in kinds.into_iter().enumerate() {
                    <option value={index.to_string()} selected={form.kind == kind}>{ name }</option>
                }
            </select>
        </label>
    }
}

/// A field with its label and what stands in it while it is empty.
type Entry = (Field, fn() -> &'static str, fn() -> &'static str);

const PATH: Entry = (Field::Path, words::common::folder, w::folder_example);
const NFS: &[Entry] = &[
    (Field::Server, w::server, w::server_example),
    (Field::Export, w::export, w::export_example),
];
const CIFS: &[Entry] = &[
    (Field::Server, w::server, w::server_example),
    (Field::Share, w::share_name, nothing),
    (Field::User, words::hubs::user, nothing),
    (Field::Password, words::hubs::password, nothing),
    (Field::Domain, w::domain, w::optional),
];
const MOUNTING: &[Entry] = &[
    (Field::Options, w::mount_options, w::optional),
    (Field::Point, w::mount_point, w::mount_point_hint),
];

fn nothing() -> &'static str {
    ""
}

/// What a place of the chosen type takes.
fn fields(form: &UseReducerHandle<Form>, is_readable_on_the_way: bool) -> Html {
    let (entries, mounting, hint) = match form.kind {
        Kind::Folder => (&[PATH][..], &[][..], w::folder_hint()),
        Kind::Nfs => (NFS, MOUNTING, ""),
        Kind::Cifs => (CIFS, MOUNTING, w::password_kept()),
    };
    let inputs = |entries: &[Entry]| -> Html {
        let inputs = entries.iter().map(|entry| input(form, *entry));
        inputs.collect()
    };
    let class = (entries.len() > 1).then_some("field-pair");
    html! {
        <>
            <div {class}>{ inputs(entries) }{ inputs(mounting) }</div>
            if is_readable_on_the_way && form.kind == Kind::Cifs {
                <p class="is-away">{ icon(Picture::Warning) }{ w::password_unencrypted() }</p>
            }
            <p class="faint">{ hint }</p>
        </>
    }
}

/// A labelled text field.
fn input(form: &UseReducerHandle<Form>, (field, label, placeholder): Entry) -> Html {
    let label = label();
    let oninput = {
        let form = form.dispatcher();
        Callback::from(move |event: InputEvent| {
            form.dispatch(Edit::Text(field, dom::value_of(&event)));
        })
    };
    let kind = match field {
        Field::Password => "password",
        _ => "text",
    };
    html! {
        <label class="field">
            <span>{ label }</span>
            <input
                type={kind} aria-label={label} value={form.text(field)} placeholder={placeholder()}
                autocomplete="off" spellcheck="false" {oninput}
            />
        </label>
    }
}

/// What a hub found out about a place.
fn said(test: &RepositoryTest) -> Html {
    let (class, text) = match (test.is_usable, test.tried) {
        (false, _) => {
            let why = test.message.as_deref();
            let why = why.map(w::hub_cannot);
            let unusable = || w::unusable().to_owned();
            ("is-problem", why.unwrap_or_else(unusable))
        }
        (true, Tried::Writing) => ("", w::hub_can_write().to_owned()),
        (true, _) => ("", w::hub_untested().to_owned()),
    };
    html! { <span role="status" {class}>{ text }</span> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_place_is_made_of_what_its_type_asks_for() {
        let form = Rc::new(Form::default());
        let typed = [
            (Field::Path, " /backup "),
            (Field::Server, "nas"),
            (Field::Share, "backups"),
            (Field::User, "ada"),
            (Field::Password, " horse"),
        ];
        let form = typed.into_iter().fold(form, |form, (field, text)| {
            form.reduce(Edit::Text(field, text.to_owned()))
        });
        assert_eq!(form.place(), RepositoryPlace::folder("/backup"));
        let nfs = Rc::clone(&form).reduce(Edit::Kind(Kind::Nfs));
        assert!(!nfs.place().is_complete(), "it has no export");
        let cifs = form.reduce(Edit::Kind(Kind::Cifs));
        assert!(cifs.place().is_complete());
        let RepositoryPlace::Cifs { password, .. } = cifs.place() else {
            panic!("{:?}", cifs.place());
        };
        // A blank may be part of it.
        assert_eq!(password.reveal(), " horse");
    }

    #[derive(Clone, PartialEq, Properties)]
    struct AskingProps {
        kind: Kind,
        is_readable: bool,
    }

    #[component]
    fn Asking(props: &AskingProps) -> Html {
        let kind = props.kind;
        let form = use_reducer(|| Form {
            kind,
            ..Form::default()
        });
        fields(&form, props.is_readable)
    }

    /// Contract H34.
    #[tokio::test(flavor = "current_thread")]
    async fn a_password_that_others_could_read_is_warned_of_before_it_is_sent() {
        let warning = w::password_unencrypted();
        for (kind, is_readable, warns) in [
            (Kind::Cifs, true, true),
            (Kind::Cifs, false, false),
            (Kind::Nfs, true, false),
        ] {
            let html = testing::shown(html! { <Asking {kind} {is_readable} /> }).await;
            assert_eq!(html.contains(warning), warns, "{html}");
            assert_eq!(html.contains("type=\"password\""), kind == Kind::Cifs);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_not_tried_is_not_called_usable() {
        let verdict = |is_usable, tried, message: Option<&str>| RepositoryTest {
            is_usable,
            tried,
            message: message.map(str::to_owned),
        };
        let html = testing::shown(said(&verdict(true, Tried::Nothing, None))).await;
        assert!(html.contains("only after it is added"), "{html}");
        let html = testing::shown(said(&verdict(true, Tried::Writing, None))).await;
        assert!(html.contains("can write to this folder"), "{html}");
        let html = testing::shown(said(&verdict(false, Tried::Writing, Some("it rains")))).await;
        assert!(
            html.contains("is-problem") && html.contains("it rains"),
            "{html}"
        );
    }
}
