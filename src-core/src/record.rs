//! Rows by hub that outlive the program: in a file that is whole at every instant, shared by window and terminal, and
//! changed by one program at a time.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sendense_types::HubId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::shared_file;

/// The form of the file that this version writes, and the only one it understands.
const VERSION: u32 = 1;

/// What can be kept.
pub(crate) trait Row:
    Clone + PartialEq + DeserializeOwned + Serialize + Send + 'static
{
}

impl<R: Clone + PartialEq + DeserializeOwned + Serialize + Send + 'static> Row for R {}

/// Rows by hub. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Record<R> {
    place: Place<R>,
    /// The newest so many rows of each hub are kept.
    most: usize,
}

/// Where the rows are.
#[derive(Clone, Debug)]
enum Place<R> {
    File(Arc<Path>),
    /// They end with the program.
    Memory(Arc<Mutex<BTreeMap<String, Vec<R>>>>),
}

impl<R: Row> Record<R> {
    /// The record of this name in a data folder, which need not be there yet; without a folder it ends with the program.
    pub(crate) fn new(folder: Option<&Path>, name: &str, most: usize) -> Self {
        let place = match folder {
            Some(folder) => Place::File(Arc::from(PathBuf::from(folder).join(name))),
            None => Place::Memory(Arc::default()),
        };
        Self { place, most }
    }

    /// What is recorded of a hub now; nothing where the file cannot be read.
    pub(crate) async fn rows(&self, hub: &HubId) -> Vec<R> {
        let file = match &self.place {
            Place::File(file) => Arc::clone(file),
            Place::Memory(_) => {
                return self
                    .change(hub, |rows| rows.clone())
                    .await
                    .unwrap_or_default();
            }
        };
        let (hub, most) = (hub.clone(), self.most);
        on_its_thread(move || rows(&file, &hub, most))
            .await
            .unwrap_or_default()
    }

    /// Changes what is recorded of a hub; `None` only when the program is ending.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        hub: &HubId,
        change: impl FnOnce(&mut Vec<R>) -> T + Send + 'static,
    ) -> Option<T> {
        match &self.place {
            Place::File(file) => {
                let (file, hub, most) = (Arc::clone(file), hub.clone(), self.most);
                on_its_thread(move || self::change(&file, &hub, most, change)).await
            }
            Place::Memory(hubs) => {
                let mut hubs = hubs.lock().unwrap_or_else(PoisonError::into_inner);
                let rows = hubs.entry(hub.0.clone()).or_default();
                let answer = change(rows);
                keep_newest(rows, self.most);
                Some(answer)
            }
        }
    }
}

async fn on_its_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|died| tracing::error!(%died, "a record is lost"))
        .ok()
}

fn keep_newest<R>(rows: &mut Vec<R>, most: usize) {
    rows.drain(..rows.len().saturating_sub(most));
}

/// What is in the file.
#[derive(Deserialize, Serialize)]
struct Content<R> {
    version: u32,
    /// By the id of the hub.
    hubs: BTreeMap<String, Vec<R>>,
}

impl<R> Default for Content<R> {
    fn default() -> Self {
        Self {
            version: VERSION,
            hubs: BTreeMap::new(),
        }
    }
}

fn rows<R: Row>(file: &Path, hub: &HubId, most: usize) -> Vec<R> {
    match read::<R>(file) {
        Ok(mut content) => content.hubs.remove(&hub.0).unwrap_or_default(),
        // That is set aside under the lock.
        Err(error) if makes_no_sense(&error) => change(file, hub, most, |rows| rows.clone()),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "a record cannot be read");
            Vec::new()
        }
    }
}

/// What cannot be kept is in the log; the change itself always counts.
fn change<R: Row, T>(
    file: &Path,
    hub: &HubId,
    most: usize,
    change: impl FnOnce(&mut Vec<R>) -> T,
) -> T {
    let found = shared_file::lock(file).and_then(|lock| match read(file) {
        Err(error) if makes_no_sense(&error) => {
            shared_file::set_aside(file, &error)?;
            Ok((lock, Content::default()))
        }
        content => Ok((lock, content?)),
    });
    let (lock, mut content) = match found {
        Ok((lock, content)) => (Ok(lock), content),
        Err(error) => (Err(error), read(file).unwrap_or_default()),
    };
    let rows = content.hubs.entry(hub.0.clone()).or_default();
    let before = rows.clone();
    let answer = change(rows);
    keep_newest(rows, most);
    if *rows == before {
        return answer;
    }
    content.hubs.retain(|_, rows| !rows.is_empty());
    // Without the lock nothing is written: what another program writes at this moment would be lost.
    let written = lock.and_then(|_held| {
        let bytes = serde_json::to_vec_pretty(&content)?;
        shared_file::write(file, &bytes)
    });
    if let Err(error) = written {
        tracing::warn!(file = %file.display(), %error, "a record cannot be written");
    }
    answer
}

/// Where there is no file, there is nothing in it.
fn read<R: Row>(file: &Path) -> io::Result<Content<R>> {
    let Some(bytes) = shared_file::read(file)? else {
        return Ok(Content::default());
    };
    let content: Content<R> = serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    match content.version {
        VERSION => Ok(content),
        other => {
            tracing::warn!(version = other, "a record is of another version");
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

fn makes_no_sense(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::shared_file::aside;
    use crate::testing::names;

    const MOST: usize = 64;

    #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
    struct Named {
        name: String,
    }

    fn row(name: &str) -> Named {
        Named {
            name: name.to_owned(),
        }
    }

    /// As the product does it, with rows of this kind.
    fn change<T>(file: &Path, hub: &HubId, change: impl FnOnce(&mut Vec<Named>) -> T) -> T {
        super::change(file, hub, MOST, change)
    }

    fn hub(name: &str) -> HubId {
        HubId(name.to_owned())
    }

    fn note(file: &Path, hub: &HubId, id: &str) {
        change(file, hub, |rows| rows.push(row(id)));
    }

    fn ids(file: &Path, hub: &HubId) -> Vec<String> {
        let rows = rows::<Named>(file, hub, MOST).into_iter();
        rows.map(|row| row.name).collect()
    }

    #[test]
    fn each_hub_has_rows_of_its_own_and_one_without_any_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/rows.json");
        let (a, b) = (hub("http://a:1"), hub("http://b:1"));
        assert_eq!(ids(&file, &a), Vec::<String>::new());
        note(&file, &a, "m1");
        note(&file, &b, "m1");
        change(&file, &a, Vec::clear);
        assert_eq!(ids(&file, &a), Vec::<String>::new());
        assert_eq!(ids(&file, &b), ["m1"]);
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("http://a:1"), "{text}");
        assert_eq!(names(file.parent().unwrap()), ["rows.json", "rows.lock"]);
    }

    #[test]
    fn what_many_write_at_once_is_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.json");
        let (writers, each) = (8, 8);
        let start = Arc::new(Barrier::new(writers + 1));
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let (file, start) = (file.clone(), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    for n in 0..each {
                        let hub = hub(&format!("hub {}", n % 2));
                        note(&file, &hub, &format!("m{writer}-{n}"));
                    }
                })
            })
            .collect();
        start.wait();
        // Whoever looks meanwhile sees a whole file.
        while threads.iter().any(|thread| !thread.is_finished()) {
            read::<Named>(&file).unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        for n in 0..2 {
            let mut kept = ids(&file, &hub(&format!("hub {n}")));
            kept.sort();
            kept.dedup();
            assert_eq!(kept.len(), writers * each / 2, "{kept:?}");
        }
        assert_eq!(names(folder.path()), ["rows.json", "rows.lock"]);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_set_aside_with_all_that_is_in_it() {
        let newer = r#"{"version":2,"hubs":{},"more":1}"#;
        let row_of_another_kind = r#"{"version":1,"hubs":{"h":[{"name":7}]}}"#;
        for damaged in ["", "{", "[]", "\u{0}\u{0}", newer, row_of_another_kind] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("rows.json");
            fs::write(&file, damaged).unwrap();
            let hub = hub("h");
            assert_eq!(ids(&file, &hub), Vec::<String>::new(), "{damaged:?}");
            assert_eq!(fs::read_to_string(aside(&file)).unwrap(), damaged);
            fs::write(&file, damaged).unwrap();
            note(&file, &hub, "m1");
            assert_eq!(ids(&file, &hub), ["m1"], "{damaged:?}");
            assert_eq!(fs::read_to_string(aside(&file)).unwrap(), damaged);
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_change_still_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken/rows.json");
        fs::write(folder.path().join("taken"), "a file").unwrap();
        let seen = change(&file, &hub("h"), |rows| {
            rows.push(row("m1"));
            rows.len()
        });
        assert_eq!(seen, 1);
        // A file that cannot be read is not written over.
        let file = folder.path().join("rows.json");
        fs::create_dir(&file).unwrap();
        note(&file, &hub("h"), "m1");
        assert!(file.is_dir());
    }

    #[test]
    fn only_the_newest_rows_of_a_hub_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.json");
        change(&file, &hub("h"), |rows| {
            rows.extend((0..MOST + 3).map(|n| row(&format!("m{n}"))));
        });
        let kept = ids(&file, &hub("h"));
        assert_eq!((kept.len(), kept[0].as_str()), (MOST, "m3"));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/rows.json");
        note(&file, &hub("h"), "m1");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }
}
