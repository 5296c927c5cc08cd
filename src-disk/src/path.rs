//! Names and paths on a disk, as text without loss.
//!
//! ext names are bytes, and NTFS names are UTF-16 that need not be valid. Here both are kept as bytes (lone surrogates
//! as in WTF-8). For calls over HTTP they become text: every byte that is not part of valid UTF-8 travels as one
//! private-use character `U+10F700 + byte`, and so do the bytes of a name that really contains such a character, which
//! keeps the mapping reversible.

use std::fmt;

use crate::{Error, Result};

const ESCAPE_BASE: u32 = 0x10_F700;

/// One component of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// A name as the disk holds it.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A name of UTF-16 units; lone surrogates survive.
    pub fn from_utf16(units: impl IntoIterator<Item = u16>) -> Self {
        let units = units.into_iter();
        // Most names are ASCII.
        let mut bytes = Vec::with_capacity(units.size_hint().0);
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(character) => {
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Err(lone) => {
                    let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                    bytes.push(0xE0 | (high >> 4));
                    bytes.push(0x80 | ((high & 0x0F) << 2) | (low >> 6));
                    bytes.push(0x80 | (low & 0x3F));
                }
            }
        }
        Self(bytes)
    }

    /// The way back from [`Name::from_utf16`]. Bytes that never came from there become U+FFFD.
    pub(crate) fn to_utf16(&self) -> Vec<u16> {
        let mut units = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_slice();
        while let Some(chunk) = rest.utf8_chunks().next() {
            units.extend(chunk.valid().encode_utf16());
            rest = &rest[chunk.valid().len()..];
            match *rest {
                [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => {
                    let bits = u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
                    units.push(0xD000 | bits);
                    rest = &rest[3..];
                }
                [_, ..] => {
                    units.push(0xFFFD);
                    rest = &rest[1..];
                }
                [] => {}
            }
        }
        units
    }

    /// The name behind a text made by [`Name::to_path_text`].
    pub fn from_path_text(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        for character in text.chars() {
            match escaped_byte(character) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Self(bytes)
    }

    /// Text for further calls: nothing is lost.
    pub fn to_path_text(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if escaped_byte(character).is_some() {
                    let mut buffer = [0; 4];
                    let encoded = character.encode_utf8(&mut buffer);
                    text.extend(encoded.bytes().map(escape));
                } else {
                    text.push(character);
                }
            }
            text.extend(chunk.invalid().iter().copied().map(escape));
        }
        text
    }

    /// Text for the eye: what is not Unicode shows as U+FFFD.
    pub fn display(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The name as the disk holds it.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.clone()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether something may be called so: `..` or a slash would lead to another place.
    pub(crate) fn is_possible(&self) -> bool {
        let bytes = self.as_bytes();
        !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&0) && !bytes.contains(&b'/')
    }

    pub(crate) fn matches_ignoring_case(&self, other: &Self) -> bool {
        self == other || self.display().to_lowercase() == other.display().to_lowercase()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

fn escape(byte: u8) -> char {
    char::from_u32(ESCAPE_BASE + u32::from(byte)).expect("plane 16 holds no surrogates")
}

fn escaped_byte(character: char) -> Option<u8> {
    u32::from(character)
        .checked_sub(ESCAPE_BASE)
        .and_then(|byte| u8::try_from(byte).ok())
}

/// A path from the root of a filesystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FsPath(Vec<Name>);

impl FsPath {
    /// The root itself.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// A path as a client sends it. Empty components and `.` mean nothing.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for `..` and NUL: nothing above the root is ever reached, and nobody
    /// who asks for it means well or knows what they do.
    pub fn parse(text: &str) -> Result<Self> {
        let mut names = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err(invalid(text)),
                name => names.push(Name::from_path_text(name)),
            }
        }
        // Escapes may spell what plain text may not.
        if !names.iter().all(Name::is_possible) {
            return Err(invalid(text));
        }
        Ok(Self(names))
    }

    /// The path of an entry of this folder.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut names = self.0.clone();
        names.push(name.clone());
        Self(names)
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components, from the root down.
    pub fn names(&self) -> &[Name] {
        &self.0
    }
}

fn invalid(text: &str) -> Error {
    Error::InvalidPath {
        path: text.to_owned(),
    }
}

impl fmt::Display for FsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for name in &self.0 {
            write!(f, "/{}", name.to_path_text())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parent_folders_are_refused_however_they_are_spelled() {
        let escaped_dots: String = b"..".iter().copied().map(escape).collect();
        for text in [
            "..",
            "/..",
            "a/../b",
            "/a/..",
            "../../etc/passwd",
            "a\0b",
            &escaped_dots,
        ] {
            assert!(
                matches!(FsPath::parse(text), Err(Error::InvalidPath { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn empty_components_and_dots_mean_nothing() {
        assert_eq!(FsPath::parse("//a/./b//").unwrap().to_string(), "/a/b");
        assert!(FsPath::parse("/").unwrap().is_root());
        assert_eq!(FsPath::parse("/...").unwrap().to_string(), "/...");
    }

    #[test]
    fn a_lone_surrogate_survives_as_text_and_shows_as_a_replacement() {
        let name = Name::from_utf16([0x61, 0xD800, 0x62]);
        assert_eq!(Name::from_path_text(&name.to_path_text()), name);
        assert!(name.display().contains('\u{FFFD}'));
    }

    proptest! {
        #[test]
        fn any_units_survive_the_way_through_bytes(units in proptest::collection::vec(any::<u16>(), 0..40)) {
            prop_assert_eq!(Name::from_utf16(units.iter().copied()).to_utf16(), units);
        }

        #[test]
        fn any_bytes_survive_the_way_through_text(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let name = Name::from_bytes(bytes);
            prop_assert_eq!(Name::from_path_text(&name.to_path_text()), name);
        }

        #[test]
        fn any_text_survives_too(text in "\\PC{0,20}[\u{10F700}-\u{10F7FF}]{0,3}") {
            let name = Name::from_bytes(text.into_bytes());
            prop_assert_eq!(Name::from_path_text(&name.to_path_text()), name);
        }
    }
}
