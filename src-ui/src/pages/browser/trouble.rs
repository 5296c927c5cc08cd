//! What is shown instead of a folder that cannot be listed, and the way back to it.

use sendense_types::commands::Remount;
use sendense_types::{AppError, ErrorKind, Listing, MountId, Retry};
use sendense_words as words;
use yew::prelude::*;

use crate::components::{error_notice, error_notice_with};
use crate::hooks::{Action, Query};

/// The mount is gone, or the folder cannot be listed.
pub(super) fn trouble(
    mount_id: &MountId,
    is_gone: bool,
    listing: &Query<Listing>,
    remount: &Action<Remount>,
) -> Html {
    if is_gone {
        let mount_id = mount_id.clone();
        let onclick = remount.run.reform(move |_: MouseEvent| Remount {
            mount_id: mount_id.clone(),
        });
        let button = html! {
            <button class="button is-primary" type="button" {onclick} disabled={remount.is_running}>
                { if remount.is_running { words::mounts::mounting() } else { words::mounts::remount() } }
            </button>
        };
        return error_notice_with(&expired(), button);
    }
    match &listing.error {
        Some(error) => error_notice(error, Some(&listing.reload)),
        None => Html::default(),
    }
}

fn expired() -> AppError {
    AppError::new(
        ErrorKind::Expired,
        words::mounts::expired_error(),
        Retry::Never,
    )
    .with_hint(words::mounts::expired_hint())
}
