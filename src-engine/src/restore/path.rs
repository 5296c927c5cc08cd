//! The `path` in a restore request: cleaned once, and refused if it could lead anywhere but down.
//!
//! Paths name things inside a disk image, never on the hub's own filesystem, so a `..` that slipped through could not
//! reach a file of the hub. It is refused all the same: no honest client sends one, and a path that means what it says
//! is easier to trust than one that was repaired.

use std::fmt;

/// The part of a path that picks a volume: `/partition-3`.
const VOLUME_PREFIX: &str = "partition-";

/// How the root of a mount looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootLayout {
    /// `/` lists one folder for each volume; other paths lie on the largest readable one.
    Volumes,
    /// `/` lists the files of the largest readable volume, and there is nothing else.
    OneVolume,
}

/// A cleaned path: components without separators, none of them empty, `.` or `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestPath {
    components: Vec<String>,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location<'p> {
    /// The list of volumes.
    Disk,
    /// A place on a volume.
    Volume {
        /// The volume's number, or `None` for the largest readable one.
        number: Option<u32>,
        /// Components below the root of that volume.
        below: &'p [String],
    },
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRefusal {
    /// It has a `..` component.
    ParentComponent,
    /// It has a NUL character.
    Nul,
    /// It is longer than any filesystem allows.
    TooLong,
}

/// Linux allows 4096 bytes, NTFS 32,767 UTF-16 units; the escape for bytes that are no text can
/// triple a name.
const MAX_PATH_BYTES: usize = 3 * 32 * 1024;

impl fmt::Display for PathRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ParentComponent => "'..' is not allowed in a path",
            Self::Nul => "a path cannot contain a NUL character",
            Self::TooLong => "the path is too long",
        })
    }
}

impl RequestPath {
    /// Cleans a path as it was sent: doubled slashes and `.` drop out, a missing first slash does
    /// not matter. Backslashes and percent signs are ordinary characters of names.
    pub fn parse(text: &str) -> Result<Self, PathRefusal> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PathRefusal::TooLong);
        }
        if text.contains('\0') {
            return Err(PathRefusal::Nul);
        }
        let mut components = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err(PathRefusal::ParentComponent),
                name => components.push(name.to_owned()),
            }
        }
        Ok(Self { components })
    }

    /// Tells the volume from the path on it.
    ///
    /// `/partition-3` always means the third volume, even where the largest volume has a folder
    /// of that name; such a folder is reached through its volume's own prefix.
    pub(crate) fn locate(&self, layout: RootLayout) -> Location<'_> {
        let elsewhere = Location::Volume {
            number: None,
            below: &self.components,
        };
        match (layout, self.components.split_first()) {
            (RootLayout::OneVolume, _) => elsewhere,
            (RootLayout::Volumes, None) => Location::Disk,
            (RootLayout::Volumes, Some((first, rest))) => match volume_number(first) {
                Some(number) => Location::Volume {
                    number: Some(number),
                    below: rest,
                },
                None => elsewhere,
            },
        }
    }

    /// The last component, or `None` for the root.
    pub(crate) fn is_root(&self) -> bool {
        self.file_name().is_none()
    }

    /// The last component, where there is one.
    pub(crate) fn file_name(&self) -> Option<&str> {
        self.components.last().map(String::as_str)
    }

    /// The folder that the path lies in, or `None` for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, components) = self.components.split_last()?;
        Some(Self {
            components: components.to_vec(),
        })
    }

    /// The path of an entry of this folder, for further calls.
    pub(crate) fn child(&self, name: &str) -> String {
        let mut text = String::new();
        for component in self.components.iter().map(String::as_str).chain([name]) {
            text.push('/');
            text.push_str(component);
        }
        text
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.components.is_empty() {
            return f.write_str("/");
        }
        for component in &self.components {
            write!(f, "/{component}")?;
        }
        Ok(())
    }
}

/// The folder that stands for a volume at the root of a mount.
pub(crate) fn volume_folder(number: u32) -> String {
    format!("{VOLUME_PREFIX}{number}")
}

/// Only the form that we write ourselves counts: `partition-03` or `Partition-3` is a name.
fn volume_number(component: &str) -> Option<u32> {
    let number: u32 = component.strip_prefix(VOLUME_PREFIX)?.parse().ok()?;
    (number > 0 && volume_folder(number) == component).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> RequestPath {
        RequestPath::parse(text).unwrap()
    }

    #[test]
    fn slashes_and_dots_are_cleaned_away() {
        for text in [
            "/Recovery/WindowsRE",
            "Recovery/WindowsRE",
            "//Recovery///WindowsRE/",
            "/./Recovery/./WindowsRE/.",
        ] {
            assert_eq!(parse(text).to_string(), "/Recovery/WindowsRE", "{text}");
        }
        for text in ["", "/", "//", "/.", "./"] {
            assert_eq!(parse(text).to_string(), "/", "{text}");
        }
    }

    #[test]
    fn a_parent_component_is_refused_wherever_it_stands() {
        for text in [
            "..",
            "/..",
            "../",
            "/../",
            "/../etc/passwd",
            "/a/..",
            "/a/../b",
            "/a/b/../../..",
            "/partition-1/..",
            "/partition-1/../partition-2",
            "//..//",
            "/./..",
            "/a/./../b",
        ] {
            assert_eq!(
                RequestPath::parse(text),
                Err(PathRefusal::ParentComponent),
                "{text}"
            );
        }
    }

    #[test]
    fn names_that_only_look_like_a_parent_are_names() {
        for text in [
            "/...",
            "/..a",
            "/a..",
            "/.. ",
            "/ ..",
            "/..\\..\\windows",
            "/%2e%2e",
            "/\u{ff0e}\u{ff0e}",
            "/..;",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn nul_and_endless_paths_are_refused() {
        assert_eq!(RequestPath::parse("/a\0b"), Err(PathRefusal::Nul));
        assert_eq!(
            RequestPath::parse(&"/a".repeat(MAX_PATH_BYTES)),
            Err(PathRefusal::TooLong)
        );
    }

    #[test]
    fn a_partition_prefix_picks_the_volume() {
        let path = parse("/partition-2/Windows");
        let on_volume = |number, below: &[&str]| -> (Option<u32>, Vec<String>) {
            (
                number,
                below.iter().map(|name| (*name).to_owned()).collect(),
            )
        };
        let located = |path: &RequestPath, layout| match path.locate(layout) {
            Location::Disk => panic!("{path} is not the disk"),
            Location::Volume { number, below } => (number, below.to_vec()),
        };
        assert_eq!(
            located(&path, RootLayout::Volumes),
            on_volume(Some(2), &["Windows"])
        );
        assert_eq!(
            located(&path, RootLayout::OneVolume),
            on_volume(None, &["partition-2", "Windows"]),
            "the documented root knows no partitions"
        );
        assert_eq!(
            located(&parse("/Recovery/WindowsRE"), RootLayout::Volumes),
            on_volume(None, &["Recovery", "WindowsRE"]),
            "the handover's own paths lie on the largest volume"
        );
        assert_eq!(parse("/").locate(RootLayout::Volumes), Location::Disk);
        assert_eq!(
            located(&parse("/"), RootLayout::OneVolume),
            on_volume(None, &[])
        );
    }

    #[test]
    fn only_our_own_spelling_of_a_partition_counts() {
        for name in [
            "partition-",
            "partition-0",
            "partition-01",
            "partition-+1",
            "partition--1",
            "Partition-1",
            "partition-1 ",
            "partition-99999999999",
        ] {
            assert_eq!(volume_number(name), None, "{name}");
        }
        assert_eq!(volume_number("partition-1"), Some(1));
        assert_eq!(volume_number("partition-128"), Some(128));
    }

    #[test]
    fn a_child_is_named_below_its_folder() {
        assert_eq!(parse("/").child("a b"), "/a b");
        assert_eq!(parse("/partition-1/x/").child("ü"), "/partition-1/x/ü");
        assert_eq!(parse("/a/b").file_name(), Some("b"));
        assert_eq!(parse("/").file_name(), None);
        assert_eq!(parse("/a/b").parent(), Some(parse("/a")));
        assert_eq!(parse("/").parent(), None);
    }

    proptest! {
        #[test]
        fn what_is_accepted_never_leads_up_and_is_stable(text in "\\PC{0,40}|[./a%\\\\]{0,20}") {
            if let Ok(path) = RequestPath::parse(&text) {
                let shown = path.to_string();
                prop_assert!(shown.split('/').all(|part| part != ".."));
                prop_assert_eq!(RequestPath::parse(&shown).unwrap(), path);
            }
        }
    }
}
