//! `sendense restore serve`: a disk of a backup for other programs of this computer.

use std::time::Duration;

use sendense_types::{AppError, BackupId, ByteSize, ErrorKind, Mount, NbdExport, Opener, Retry};
use sendense_words as words;
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::connection::Connection;
use crate::output::Output;

/// A mount that nobody reads lasts an hour: asked for as often, it lasts as long as the command, and its end is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Serves a disk until Ctrl-C, or until it is served no longer.
pub(crate) async fn run(
    backup: &BackupId,
    disk: u32,
    connection: &Connection,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<()> {
    let (hub, record) = (&connection.client, &connection.mounts);
    hub.require_served_here()?;
    let before = hub.mounts().await?;
    let mount = record
        .open_bytes(hub, backup, disk, Opener::Terminal)
        .await?
        .mount;
    let was_there = before.iter().any(|open| open.mount_id == mount.mount_id);
    let served = serve(&mount, connection, output, cancel).await;
    // What somebody else has open stays so.
    let ended = match was_there {
        true => hub.stop_nbd(&mount.mount_id).await,
        false => record.close(hub, &mount.mount_id).await,
    };
    served?;
    ended?;
    output.note(words::terminal::serving_ended());
    Ok(())
}

async fn serve(
    mount: &Mount,
    connection: &Connection,
    output: &Output,
    cancel: &CancellationToken,
) -> Result<()> {
    let hub = &connection.client;
    let export = hub.start_nbd(&mount.mount_id).await?;
    output.show(&export, || described(&export))?;
    output.note(words::terminal::until_ctrl_c());
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        match hub.start_nbd(&mount.mount_id).await {
            Ok(now) if now.uri == export.uri => {}
            Err(error) if error.kind == ErrorKind::Offline => return Err(error),
            // Under another address nobody would find it.
            Ok(_) | Err(_) => {
                return Err(AppError::new(
                    ErrorKind::Expired,
                    words::terminal::serving_lost(),
                    Retry::Manual,
                )
                .with_hint(words::terminal::serve_again()));
            }
        }
    }
}

fn described(export: &NbdExport) -> String {
    let uri = &export.uri;
    let serving = words::terminal::serving(uri, ByteSize(export.size_bytes));
    format!("{serving}\n{}", words::terminal::serving_how(uri))
}
