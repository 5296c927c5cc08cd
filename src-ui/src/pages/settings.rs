//! What the user decides about the app.

use sendense_types::commands::{
    ChooseDownloadFolder, ForgetDownloadFolder, GetAbout, GetDiagnostics, Quit, SaveSettings,
    ShowLogFolder,
};
use sendense_types::{Keychain, Settings as Values, Theme, Units};
use yew::prelude::*;

use crate::components::error_notices;
use crate::dom;
use crate::hooks::{use_action, use_query};
use crate::state::app::{AppContext, Change};

/// The settings; each holds as soon as it is changed.
#[component]
pub(crate) fn Settings() -> Html {
    let Some(app) = use_context::<AppContext>() else {
        return Html::default();
    };
    let about = use_query(GetAbout {}, 0);
    let read = {
        let app = app.clone();
        Callback::from(move |settings| app.dispatch(Change::SettingsRead(settings)))
    };
    let save = use_action::<SaveSettings>(read.clone());
    let choose = use_action::<ChooseDownloadFolder>(read.clone());
    let forget = use_action::<ForgetDownloadFolder>(read);
    let logs = use_action::<ShowLogFolder>(Callback::noop());
    let quit = use_action::<Quit>(Callback::noop());
    let diagnostics = {
        let app = app.clone();
        use_action::<GetDiagnostics>(Callback::from(move |text: String| {
            dom::copy(&text);
            app.dispatch(Change::done(
                "Copied",
                "What a supporter needs to know is on the clipboard.",
            ));
        }))
    };
    let values = &app.settings;
    let change = |apply: fn(&mut Values, String)| {
        let (app, run) = (app.clone(), save.run.clone());
        Callback::from(move |event: Event| {
            let mut changed = app.settings.clone();
            apply(&mut changed, dom::value_of(&event));
            // Here at once: the next change, which may come before the answer, builds on it.
            app.dispatch(Change::SettingsRead(changed.clone()));
            run.emit(SaveSettings { settings: changed });
        })
    };
    let switch = |label: &'static str, is_on: bool, apply: fn(&mut Values, String)| {
        html! {
            <label class="setting">
                <span>{ label }</span>
                <input type="checkbox" role="switch" aria-label={label} checked={is_on} onchange={change(apply)} />
            </label>
        }
    };
    let errors = [
        &save.error,
        &choose.error,
        &forget.error,
        &logs.error,
        &diagnostics.error,
        &about.error,
    ];
    html! {
        <>
        <header class="page__head"><h1>{ "Settings" }</h1></header>
        <div class="page__body settings">
            { error_notices(errors.into_iter().flatten(), None) }
            <section class="panel" aria-label="Look">
                <h2>{ "Look" }</h2>
                <label class="setting">
                    <span>{ "Theme" }</span>
                    <select aria-label="Theme" onchange={change(|values, chosen| values.theme = theme_named(&chosen))}>
                        <option value="system" selected={values.theme == Theme::System}>{ "As the system" }</option>
                        <option value="light" selected={values.theme == Theme::Light}>{ "Light" }</option>
                        <option value="dark" selected={values.theme == Theme::Dark}>{ "Dark" }</option>
                    </select>
                </label>
                <label class="setting">
                    <span>{ "Sizes" }</span>
                    <select aria-label="Sizes" onchange={change(|values, chosen| values.units = units_named(&chosen))}>
                        <option value="binary" selected={values.units == Units::Binary}>{ "KiB, MiB, GiB (1024)" }</option>
                        <option value="decimal" selected={values.units == Units::Decimal}>{ "kB, MB, GB (1000)" }</option>
                    </select>
                </label>
            </section>
            <section class="panel" aria-label="Downloads">
                <h2>{ "Downloads" }</h2>
                <div class="setting">
                    <span>{ values.download_folder.clone().unwrap_or_else(|| "Ask each time where to save".to_owned()) }</span>
                    <span class="actions">
                        <button class="button is-small" type="button" onclick={choose.run.reform(|_: MouseEvent| ChooseDownloadFolder {})}>{ "Choose folder…" }</button>
                        if values.download_folder.is_some() {
                            <button class="button is-small" type="button" onclick={forget.run.reform(|_: MouseEvent| ForgetDownloadFolder {})}>{ "Ask each time" }</button>
                        }
                    </span>
                </div>
            </section>
            <section class="panel" aria-label="Notifications and tray">
                <h2>{ "Notifications and tray" }</h2>
                { switch("Notify when a backup has finished", values.notify_success, |values, _| values.notify_success = !values.notify_success) }
                { switch("Notify when a backup has failed", values.notify_failure, |values, _| values.notify_failure = !values.notify_failure) }
                { switch("Closing the window while work runs leaves Sendense in the tray", values.close_to_tray, |values, _| values.close_to_tray = !values.close_to_tray) }
            </section>
            <section class="panel" aria-label="Mounts">
                <h2>{ "Mounts" }</h2>
                { switch("Keep mounts open while browsing", values.keep_mounts_open, |values, _| values.keep_mounts_open = !values.keep_mounts_open) }
                { switch("Unmount when the file browser is left", values.unmount_on_close, |values, _| values.unmount_on_close = !values.unmount_on_close) }
            </section>
            <section class="panel" aria-label="About">
                <h2>{ "About" }</h2>
                if let Some(about) = &about.data {
                    <p>{ format!("Sendense {}", about.version) }</p>
                    <p class="faint">{ format!("Backups of this computer: {}", about.data_folder) }</p>
                    <p class="faint">{ format!("Logs: {}", about.log_folder) }</p>
                }
                <p class="faint">
                    { match app.session.as_ref().map(|session| session.keychain) {
                        Some(Keychain::MemoryOnly) => "This system has no keychain that answers: sign-ins are kept until Sendense ends.",
                        _ => "Sign-ins are kept in the system's keychain.",
                    } }
                </p>
                <div class="actions">
                    <button class="button is-small" type="button" onclick={logs.run.reform(|_: MouseEvent| ShowLogFolder {})}>{ "Show log folder" }</button>
                    <button class="button is-small" type="button" onclick={diagnostics.run.reform(|_: MouseEvent| GetDiagnostics {})}>{ "Copy diagnostics" }</button>
                    <button class="button is-small" type="button" onclick={quit.run.reform(|_: MouseEvent| Quit {})}>{ "Quit Sendense" }</button>
                </div>
            </section>
        </div>
        </>
    }
}

fn theme_named(name: &str) -> Theme {
    match name {
        "light" => Theme::Light,
        "dark" => Theme::Dark,
        _ => Theme::System,
    }
}

fn units_named(name: &str) -> Units {
    match name {
        "decimal" => Units::Decimal,
        _ => Units::Binary,
    }
}
