//! Progress on a terminal; nothing in a pipe, where it would only be in the way.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sendense_types::{AppEvent, DownloadProgress, FullRestore};
use sendense_words as words;

use crate::output::{self, Output};

/// Shown while the total is not known.
const COUNTER: &str = "{msg}  {spinner} {binary_bytes}  {binary_bytes_per_sec}";

/// Shown as soon as the total is known.
fn bar() -> String {
    let bytes = words::common::part_of("{binary_bytes}", "{binary_total_bytes}");
    let left = words::common::time_left("{eta}");
    format!("{{msg}}  {{bar:30}} {bytes}  {{binary_bytes_per_sec}}  {left}")
}

/// Shown where only the share is known that is done.
fn share() -> String {
    let percent = words::common::percent("{percent}");
    format!("{{msg}}  {{bar:30}} {percent}")
}

/// One line that shows how far something is; gone when it is dropped.
pub(crate) struct Line {
    bar: ProgressBar,
    total_bytes: Option<u64>,
    /// Whether it was said that nothing moves.
    is_stalled: bool,
}

impl Line {
    /// A line that begins with this text.
    pub(crate) fn new(output: Output, text: String) -> Self {
        // indicatif itself draws nothing where standard error is no terminal.
        let target = if output.is_json() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(text);
        bar.set_style(style(COUNTER));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self {
            bar,
            total_bytes: None,
            is_stalled: false,
        }
    }

    /// Shows a download.
    pub(crate) fn download(&mut self, progress: &DownloadProgress) {
        self.update(progress.received_bytes, progress.total_bytes);
    }

    /// Shows a full restore.
    pub(crate) fn full_restore(&mut self, restore: &FullRestore) {
        let total_bytes = Some(restore.total_bytes).filter(|total| *total > 0);
        self.update(restore.done_bytes, total_bytes);
    }

    /// Shows a backup.
    pub(crate) fn backup(&mut self, event: &AppEvent) {
        match event {
            AppEvent::BackupProgressed(progress) => {
                let backup = &progress.backup;
                if progress.is_stalled && !self.is_stalled {
                    let vm = output::printable(&backup.vm_name);
                    self.bar
                        .suspend(|| output::say(words::terminal::stalled(vm)));
                }
                self.is_stalled = progress.is_stalled;
                self.update(
                    backup.bytes_transferred.unwrap_or(0),
                    backup.total_bytes.filter(|total| *total > 0),
                );
            }
            AppEvent::BackupUnreachable { error, .. } => {
                self.bar.suspend(|| {
                    let problem = output::printable(&error.message);
                    output::say(words::terminal::retrying(problem));
                });
            }
            // How it ended is the command's result; everything else is news for the window.
            _ => {}
        }
    }

    /// Shows how far something is of which only that is known.
    pub(crate) fn percent(&mut self, percent: f64) {
        self.bar.set_length(100);
        self.bar.set_style(style(&share()));
        self.bar.set_position(percent as u64);
    }

    fn update(&mut self, done_bytes: u64, total_bytes: Option<u64>) {
        if self.total_bytes != total_bytes {
            self.total_bytes = total_bytes;
            match total_bytes {
                Some(total_bytes) => {
                    self.bar.set_length(total_bytes);
                    self.bar.set_style(style(&bar()));
                }
                None => self.bar.set_style(style(COUNTER)),
            }
        }
        self.bar.set_position(done_bytes);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [&bar(), COUNTER, &share()] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
