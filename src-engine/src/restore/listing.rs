//! Listings: one folder as rows, or a whole tree as a stream of them.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    Error, Result,
    entry::{FileRow, RowShape},
    mounts::MountInUse,
    path::RequestPath,
    stream::Chunks,
    tree::{Readers, Rows},
};

/// Deeper trees exist only where a damaged filesystem has a folder inside itself.
const MAX_DEPTH: usize = 512;

impl MountInUse {
    /// The rows of one folder.
    pub async fn list(&self, path: RequestPath, shape: RowShape) -> Result<Rows> {
        self.session()
            .ask(move |readers| Ok(readers.list(&path)?.in_shape(shape)))
            .await
    }

    /// The row of one entry.
    pub async fn row_of(&self, path: RequestPath, shape: RowShape) -> Result<FileRow> {
        self.session()
            .ask(move |readers| Ok(readers.row(&path)?.in_shape(shape)))
            .await
    }

    /// Everything below a folder, as the JSON of a listing. It is written while it is read, on a
    /// thread of its own: a disk may hold millions of entries.
    pub async fn list_recursively(
        &self,
        path: RequestPath,
        path_as_sent: String,
        shape: RowShape,
    ) -> Result<Chunks> {
        let mount_id = self.row().mount_id;
        let guard = self.hold().await?;
        self.session()
            .stream(
                guard,
                move |readers| readers.list(&path),
                move |readers, top, sink| {
                    let head = Head {
                        mount_id: &mount_id,
                        path: &path_as_sent,
                    };
                    write_tree(readers, top, shape, head, sink)
                },
            )
            .await
    }
}

/// What comes before the rows.
#[derive(Clone, Copy, Serialize)]
struct Head<'h> {
    mount_id: &'h str,
    path: &'h str,
}

/// What comes behind them.
#[derive(Serialize)]
struct Tail {
    total_count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<String>,
}

/// Depth first, each folder before what is in it. A folder that cannot be read is a row that says so.
fn write_tree(
    readers: &mut Readers,
    top: Rows,
    shape: RowShape,
    head: Head<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let Rows {
        rows,
        damage,
        passed_over,
    } = top.in_shape(shape);
    // The array is opened inside the object, whose closing brace comes at the end.
    let head = serde_json::to_string(&head)?;
    write!(out, "{},\"files\":[", head.trim_end_matches('}'))?;
    let mut n_rows: u64 = 0;
    let mut folders = vec![rows.into_iter()];
    let mut seen = SeenFolders::default();
    while let Some(folder) = folders.last_mut() {
        let Some(mut row) = folder.next() else {
            folders.pop();
            continue;
        };
        let mut below = None;
        if row.kind == "directory" && row.unreadable.is_none() {
            let path = RequestPath::parse(&row.path);
            let path = path.map_err(|refusal| io::Error::other(Error::from(refusal)))?;
            match seen.enter(folders.len(), row.id) {
                Err(why) => row.unreadable = Some(why.to_string()),
                Ok(()) => match readers.list(&path) {
                    Err(why) => row.unreadable = Some(why.to_string()),
                    Ok(listed) => {
                        row.damage = listed.damage;
                        below = Some(listed.rows.into_iter());
                    }
                },
            }
        }
        if n_rows > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, &row.in_shape(shape))?;
        n_rows += 1;
        folders.extend(below);
    }
    let tail = serde_json::to_string(&Tail {
        total_count: n_rows,
        damage,
        passed_over,
    })?;
    write!(out, "],{}", tail.trim_start_matches('{'))
}

/// The folders that a walk has been in: on a damaged disk one may be inside itself, and be found again and
/// again.
#[derive(Default)]
pub(crate) struct SeenFolders(HashSet<u64>);

/// Why a walk does not go into a folder.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum NotEntered {
    #[error("folders are nested more deeply here than any system allows")]
    TooDeep,
    #[error("the disk is damaged: this folder is in another place as well, where it is shown")]
    Seen,
}

impl SeenFolders {
    /// Goes into a folder that lies at a depth, from 1; the volumes of a disk have no number (0).
    pub(crate) fn enter(&mut self, depth: usize, id: u64) -> Result<(), NotEntered> {
        if depth >= MAX_DEPTH {
            return Err(NotEntered::TooDeep);
        }
        if id == 0 && depth == 1 {
            // Numbers are of one volume.
            self.0.clear();
        } else if !self.0.insert(id) {
            return Err(NotEntered::Seen);
        }
        Ok(())
    }
}
