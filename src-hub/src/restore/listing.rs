//! Listings: one folder as rows, or a whole tree as a stream of them.

use std::io::{self, Write};

use axum::body::Body;
use serde::Serialize;

use super::{
    Error, Result,
    entry::{FileRow, RowShape},
    mounts::MountInUse,
    path::RequestPath,
    tree::Readers,
};

/// Deeper trees exist only where a damaged filesystem has a folder inside itself.
pub(super) const MAX_DEPTH: usize = 512;

impl MountInUse {
    /// The rows of one folder.
    pub(crate) async fn list(&self, path: RequestPath, shape: RowShape) -> Result<Vec<FileRow>> {
        self.session()
            .ask(move |readers| {
                let rows = readers.list(&path)?;
                Ok(rows.into_iter().map(|row| row.in_shape(shape)).collect())
            })
            .await
    }

    /// The row of one entry.
    pub(crate) async fn row_of(&self, path: RequestPath, shape: RowShape) -> Result<FileRow> {
        self.session()
            .ask(move |readers| Ok(readers.row(&path)?.in_shape(shape)))
            .await
    }

    /// Everything below a folder, as the JSON of a listing. It is written while it is read, on a
    /// thread of its own: a disk may hold millions of entries.
    pub(crate) async fn list_recursively(
        &self,
        path: RequestPath,
        path_as_sent: String,
        shape: RowShape,
    ) -> Result<Body> {
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

/// Depth first, each folder before what is in it.
fn write_tree(
    readers: &mut Readers,
    top: Vec<FileRow>,
    shape: RowShape,
    head: Head<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    // The array is opened inside the object, whose closing brace comes at the end.
    let head = serde_json::to_string(&head)?;
    write!(out, "{},\"files\":[", head.trim_end_matches('}'))?;
    let mut n_rows: u64 = 0;
    let mut folders = vec![top.into_iter()];
    while let Some(folder) = folders.last_mut() {
        let Some(row) = folder.next() else {
            folders.pop();
            continue;
        };
        if n_rows > 0 {
            out.write_all(b",")?;
        }
        let descends = row.kind == "directory" && row.unreadable.is_none();
        let path = descends.then(|| RequestPath::parse(&row.path)).transpose();
        let path = path.map_err(|refusal| io::Error::other(Error::from(refusal)))?;
        serde_json::to_writer(&mut *out, &row.in_shape(shape))?;
        n_rows += 1;
        if let Some(path) = path {
            if folders.len() >= MAX_DEPTH {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("folders are nested too deeply at {path}"),
                ));
            }
            let below = readers.list(&path).map_err(io::Error::other)?;
            folders.push(below.into_iter());
        }
    }
    write!(out, "],\"total_count\":{n_rows}}}")
}
