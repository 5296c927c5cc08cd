//! `sendense restore disk` and `vm`: disks of a recovery point, written as images into a folder.

use sendense_types::{BackupId, ByteSize, FullRestore, FullRestoreOrder, MachineDefinition};
use sendense_words as words;
use tokio_util::sync::CancellationToken;

use super::repository::text;
use crate::Result;
use crate::args::FullTarget;
use crate::connection::Connection;
use crate::output::{self, Output, printable};
use crate::progress::Line;

/// Restores these disks of a backup, or all where there are none, and shows how far it is. Ctrl-C cancels it on the hub
/// too.
pub(crate) async fn run(
    (backup_id, disk_indexes): (BackupId, Vec<u32>),
    target: &FullTarget,
    definition: MachineDefinition,
    connection: &Connection,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<()> {
    let hub = &connection.client;
    let order = FullRestoreOrder {
        backup_id,
        disk_indexes,
        folder: text(&target.output, hub)?,
        format: target.format.into(),
        definition,
    };
    let backup = printable(order.backup_id.as_str());
    let mut line = Line::new(*output, words::terminal::restoring(backup));
    let report = &mut |restore: &FullRestore| line.full_restore(restore);
    let restore = hub.restore_fully(&order, report, cancel).await?;
    drop(line);
    for remark in &restore.remarks {
        output::say(words::terminal::warning(printable(remark)));
    }
    output.show(&restore, || restored(&restore))
}

fn restored(restore: &FullRestore) -> String {
    let size = ByteSize(restore.total_bytes);
    let mut text = words::terminal::restored(restore.disk_indexes.len() as u64, size);
    for file in &restore.files {
        text += "\n  ";
        text += &printable(file);
    }
    text
}
