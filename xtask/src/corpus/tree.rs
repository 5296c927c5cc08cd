//! What is in a filesystem: every name, and everything known about it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use sendense_fixtures::sha256_file;

/// Larger files are nothing but holes in the images of tests; their content is not compared.
pub(super) const MAX_HASHED: u64 = 256 << 20;

/// By path from the root, without the slash at its beginning.
pub(super) type Tree = BTreeMap<String, Node>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// Devices, pipes and sockets.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Of files.
    pub(super) size: Option<u64>,
    /// Seconds since 1970.
    pub(super) modified: Option<i64>,
    /// Where a link leads to.
    pub(super) target: Option<String>,
    /// Of files, unless too large or unreadable.
    pub(super) sha256: Option<String>,
}

impl Node {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            size: None,
            modified: None,
            target: None,
            sha256: None,
        }
    }

    /// What differs, in words; nothing that one of the two does not know.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.kind != other.kind {
            return Some(format!("{:?} and not {:?}", self.kind, other.kind));
        }
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.zip(b).is_some_and(|(a, b)| a != b)
        }
        if differ(self.size.as_ref(), other.size.as_ref()) {
            return Some(format!("{:?} bytes and not {:?}", self.size, other.size));
        }
        if differ(self.target.as_ref(), other.target.as_ref()) {
            return Some(format!("to {:?} and not {:?}", self.target, other.target));
        }
        if differ(self.sha256.as_ref(), other.sha256.as_ref()) {
            return Some("other bytes".to_owned());
        }
        // Repairs and copies touch the times of folders.
        if self.kind == Kind::File && differ(self.modified.as_ref(), other.modified.as_ref()) {
            return Some(format!(
                "of {:?} and not {:?}",
                self.modified, other.modified
            ));
        }
        None
    }
}

/// Everything below a folder.
pub(super) fn walk(folder: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    add(folder, "", &mut tree)?;
    Ok(tree)
}

#[cfg(unix)]
fn add(folder: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    for entry in fs::read_dir(folder)? {
        // What the judge itself cannot read judges nothing.
        let Ok(entry) = entry else { continue };
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let Ok(meta) = entry.metadata() else { continue };
        let kind = match meta.file_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        let mut node = Node::new(kind);
        node.modified = Some(meta.mtime());
        match kind {
            Kind::File => {
                node.size = Some(meta.len());
                if meta.len() <= MAX_HASHED {
                    node.sha256 = sha256_file(&entry.path()).ok();
                }
            }
            Kind::Link => {
                let target = fs::read_link(entry.path()).ok();
                node.target = target.map(|target| target.to_string_lossy().into_owned());
            }
            Kind::Folder => drop(add(&entry.path(), &format!("{path}/"), tree)),
            Kind::Other => {}
        }
        tree.insert(path, node);
    }
    Ok(())
}

#[cfg(not(unix))]
fn add(folder: &Path, _: &str, _: &mut Tree) -> Result<()> {
    anyhow::bail!("{} is judged on Linux only", folder.display())
}
