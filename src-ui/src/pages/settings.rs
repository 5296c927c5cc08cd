//! The settings of the app.

use sendense_types::commands::{
    ChooseDownloadFolder, ForgetDownloadFolder, GetAbout, GetDiagnostics, Quit, SaveSettings,
    ShowLogFolder,
};
use sendense_types::{Keychain, Settings as Values, Theme, Units};
use sendense_words as words;
use yew::prelude::*;

use crate::components::error_notices;
use crate::dom;
use crate::hooks::{use_action, use_query};
use crate::state::app::{AppContext, Change};

/// The settings. A change applies at once.
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
                words::settings::copied(),
                words::settings::copied_hint(),
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
        <header class="page__head"><h1>{ words::settings::title() }</h1></header>
        <div class="page__body settings">
            { error_notices(errors.into_iter().flatten(), None) }
            <section class="panel" aria-label={words::settings::look()}>
                <h2>{ words::settings::look() }</h2>
                <label class="setting">
                    <span>{ words::settings::theme() }</span>
                    <select aria-label={words::settings::theme()} onchange={change(|values, chosen| values.theme = theme_named(&chosen))}>
                        <option value="system" selected={values.theme == Theme::System}>{ words::settings::theme_system() }</option>
                        <option value="light" selected={values.theme == Theme::Light}>{ words::settings::theme_light() }</option>
                        <option value="dark" selected={values.theme == Theme::Dark}>{ words::settings::theme_dark() }</option>
                    </select>
                </label>
                <label class="setting">
                    <span>{ words::settings::sizes() }</span>
                    <select aria-label={words::settings::sizes()} onchange={change(|values, chosen| values.units = units_named(&chosen))}>
                        <option value="binary" selected={values.units == Units::Binary}>{ words::settings::sizes_binary() }</option>
                        <option value="decimal" selected={values.units == Units::Decimal}>{ words::settings::sizes_decimal() }</option>
                    </select>
                </label>
            </section>
            <section class="panel" aria-label={words::downloads::title()}>
                <h2>{ words::downloads::title() }</h2>
                <div class="setting">
                    <span>{ values.download_folder.clone().unwrap_or_else(|| words::settings::ask_where().to_owned()) }</span>
                    <span class="actions">
                        <button class="button is-small" type="button" onclick={choose.run.reform(|_: MouseEvent| ChooseDownloadFolder {})}>{ words::common::choose_folder() }</button>
                        if values.download_folder.is_some() {
                            <button class="button is-small" type="button" onclick={forget.run.reform(|_: MouseEvent| ForgetDownloadFolder {})}>{ words::settings::ask() }</button>
                        }
                    </span>
                </div>
            </section>
            <section class="panel" aria-label={words::settings::notifications()}>
                <h2>{ words::settings::notifications() }</h2>
                { switch(words::settings::notify_success(), values.notify_success, |values, _| values.notify_success = !values.notify_success) }
                { switch(words::settings::notify_failure(), values.notify_failure, |values, _| values.notify_failure = !values.notify_failure) }
                { switch(words::settings::close_to_tray(), values.close_to_tray, |values, _| values.close_to_tray = !values.close_to_tray) }
            </section>
            <section class="panel" aria-label={words::settings::mounts()}>
                <h2>{ words::settings::mounts() }</h2>
                { switch(words::settings::keep_mounts_open(), values.keep_mounts_open, |values, _| values.keep_mounts_open = !values.keep_mounts_open) }
                { switch(words::settings::unmount_on_close(), values.unmount_on_close, |values, _| values.unmount_on_close = !values.unmount_on_close) }
            </section>
            <section class="panel" aria-label={words::settings::about()}>
                <h2>{ words::settings::about() }</h2>
                if let Some(about) = &about.data {
                    <p>{ words::settings::version(&about.version) }</p>
                    <p class="faint">{ words::settings::data_folder(&about.data_folder) }</p>
                    <p class="faint">{ words::settings::log_folder(&about.log_folder) }</p>
                }
                <p class="faint">
                    { match app.session.as_ref().map(|session| session.keychain) {
                        Some(Keychain::MemoryOnly) => words::settings::memory_only(),
                        _ => words::settings::keychain(),
                    } }
                </p>
                <div class="actions">
                    <button class="button is-small" type="button" onclick={logs.run.reform(|_: MouseEvent| ShowLogFolder {})}>{ words::settings::show_logs() }</button>
                    <button class="button is-small" type="button" onclick={diagnostics.run.reform(|_: MouseEvent| GetDiagnostics {})}>{ words::settings::copy_diagnostics() }</button>
                    <button class="button is-small" type="button" onclick={quit.run.reform(|_: MouseEvent| Quit {})}>{ words::settings::quit() }</button>
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
