//! A running backup: how far, how fast, how long, disk by disk.

use sendense_types::{BackupDisk, BackupId, BackupStatus, ByteSize, Units};
use sendense_words as words;
use yew::prelude::*;

use super::{Picture, badge, bar};
use crate::format;
use crate::state::app::Running;

/// "104 of 107 GiB · 312 MiB/s · 10 s left"
fn line(running: &Running, units: Units) -> String {
    let progress = &running.progress;
    let size = |bytes| ByteSize(bytes).in_units(units);
    let mut parts = Vec::new();
    match (
        progress.backup.bytes_transferred,
        progress.backup.total_bytes,
    ) {
        (Some(done), Some(total)) if total > 0 => {
            parts.push(words::common::part_of(size(done), size(total)));
        }
        (Some(done), _) => parts.push(size(done)),
        _ => {}
    }
    if progress.is_stalled {
        parts.push(words::backups::stalled().to_owned());
    } else {
        parts.extend(format::pace(
            progress.speed_bps,
            progress.eta_seconds,
            units,
        ));
    }
    parts.join(" · ")
}

fn percent_text(percent: Option<f64>) -> String {
    percent.map_or_else(String::new, |percent| {
        words::common::percent(format_args!("{percent:.0}"))
    })
}

/// One line for the list of machines.
pub(crate) fn running_line(running: &Running, units: Units) -> Html {
    let backup = &running.progress.backup;
    let percent = percent_text(backup.progress_percent);
    html! {
        <div class="running-line">
            <span>{ badge("is-run", Some(Picture::Pulse), words::backups::backing_up(percent)) }</span>
            { bar(backup.progress_percent, words::backups::backing_up(&backup.vm_name), "") }
            <span class="num">{ line(running, units) }</span>
        </div>
    }
}

/// All there is to know, for the history of a machine.
pub(crate) fn running_panel(
    title: &str,
    running: &Running,
    units: Units,
    on_cancel: &Callback<BackupId>,
) -> Html {
    let backup = &running.progress.backup;
    let id = backup.backup_id.clone();
    let onclick = on_cancel.reform(move |_: MouseEvent| id.clone());
    // Hubs that cannot pin cannot cancel either (contract D36).
    let can_cancel = backup.is_pinned.is_some();
    let phase = backup.current_phase.clone().unwrap_or_default();
    html! {
        <section class="panel" aria-label={words::backups::running_now()} key={backup.backup_id.to_string()}>
            <header class="panel__head">
                <h2>{ title.to_owned() }</h2>
                <span class="num">{ percent_text(backup.progress_percent) }</span>
            </header>
            { bar(backup.progress_percent, words::backups::overall_progress(), "") }
            <p class="num">{ line(running, units) }</p>
            for disk in &backup.disks {
                <div class="panel__disk">
                    <span>{ words::common::disk(disk.disk_index) }</span>
                    <span class="num">
                        { if disk.status == BackupStatus::Completed {
                            words::backups::completed().to_owned()
                        } else {
                            percent_text(disk.progress_percent)
                        } }
                    </span>
                    { disk_bar(disk) }
                </div>
            }
            if running.speeds.len() > 1 {
                <svg class="panel__chart" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label={words::backups::speed_chart()}>
                    <path d={chart(&running.speeds)} />
                </svg>
            }
            <p class="faint is-sentence">{ phase }</p>
            <button
                class="button" type="button" {onclick} disabled={!can_cancel}
                title={if can_cancel { "" } else { words::common::not_offered() }}
            >
                { words::backups::cancel() }
            </button>
        </section>
    }
}

fn disk_bar(disk: &BackupDisk) -> Html {
    let (percent, tone) = match disk.status {
        BackupStatus::Completed => (Some(100.0), "is-done"),
        _ => (disk.progress_percent, ""),
    };
    bar(
        percent,
        words::backups::disk_progress(disk.disk_index),
        tone,
    )
}

/// Speeds as an area, the highest at the top.
fn chart(speeds: &[u64]) -> String {
    let highest = speeds.iter().copied().max().unwrap_or(1).max(1) as f64;
    let step = 100.0 / (speeds.len().max(2) - 1) as f64;
    let mut path = "M0 30".to_owned();
    for (n, speed) in speeds.iter().enumerate() {
        let x = step * n as f64;
        let y = 30.0 - 28.0 * (*speed as f64 / highest);
        path.push_str(&format!(" L{x:.1} {y:.1}"));
    }
    path + " L100 30 Z"
}

#[cfg(test)]
mod tests {
    use sendense_types::{Backup, BackupProgress};

    use super::*;
    use crate::testing;

    /// Contract D36.
    #[tokio::test(flavor = "current_thread")]
    async fn a_hub_that_cannot_cancel_a_backup_has_the_button_off_and_says_so() {
        for (is_pinned, is_offered) in [(Some(false), true), (None, false)] {
            let backup: Backup = serde_json::from_value(serde_json::json!({
                "backup_id": "b", "vm_context_id": "vm", "vm_name": "web", "repository_id": "r",
                "backup_type": "full", "status": "active", "hub_status": "running", "disks": [],
                "is_pinned": is_pinned,
            }))
            .unwrap();
            let running = Running {
                progress: BackupProgress {
                    backup: Box::new(backup),
                    speed_bps: None,
                    eta_seconds: None,
                    is_stalled: false,
                },
                speeds: Vec::new(),
            };
            let panel = running_panel("web", &running, Units::Binary, &Callback::noop());
            let html = testing::shown(panel).await;
            assert_eq!(html.contains(" disabled"), !is_offered, "{html}");
            assert_eq!(html.contains(words::common::not_offered()), !is_offered);
        }
    }

    #[test]
    fn the_chart_stays_in_its_frame() {
        assert_eq!(
            chart(&[0, 10, 5]),
            "M0 30 L0.0 30.0 L50.0 2.0 L100.0 16.0 L100 30 Z"
        );
        assert_eq!(chart(&[0, 0]), "M0 30 L0.0 30.0 L100.0 30.0 L100 30 Z");
    }
}
