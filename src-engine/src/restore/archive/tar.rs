//! A folder as a streamed tar.gz.
//!
//! GNU headers, written block by block. Names and link targets over 100 bytes precede their entry as entries of their
//! own (`L` and `K`); they are bytes, not paths on the hub's system. Sizes over 8 GiB use the binary form of the header
//! field.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

use super::{Attributes, ReadFile, copy_file};

const BLOCK_BYTES: usize = 512;

/// The size of the name fields of a header.
const SHORT_NAME_BYTES: usize = 100;

pub(crate) struct TarGzFolder<W: Write> {
    out: GzEncoder<W>,
}

impl<W: Write> TarGzFolder<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out: GzEncoder::new(out, Compression::fast()),
        }
    }

    pub(crate) fn add_directory(&mut self, name: &[u8], attributes: Attributes) -> io::Result<()> {
        let name = [name, b"/"].concat();
        self.write_header(EntryType::Directory, &name, &[], 0, attributes)
    }

    pub(crate) fn add_link(
        &mut self,
        name: &[u8],
        target: &[u8],
        attributes: Attributes,
    ) -> io::Result<()> {
        let attributes = Attributes {
            mode: 0o777,
            ..attributes
        };
        self.write_header(EntryType::Symlink, name, target, 0, attributes)
    }

    pub(crate) fn add_file(
        &mut self,
        name: &[u8],
        size_bytes: u64,
        attributes: Attributes,
        read: ReadFile<'_>,
    ) -> io::Result<()> {
        self.write_header(EntryType::Regular, name, &[], size_bytes, attributes)?;
        copy_file(&mut self.out, size_bytes, read)?;
        self.pad(size_bytes)
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.out.finish()?.flush()
    }

    fn write_header(
        &mut self,
        kind: EntryType,
        name: &[u8],
        link_target: &[u8],
        size_bytes: u64,
        attributes: Attributes,
    ) -> io::Result<()> {
        self.write_long_name(EntryType::GNULongName, name)?;
        self.write_long_name(EntryType::GNULongLink, link_target)?;
        let mut header = Header::new_gnu();
        put_name(&mut header.as_old_mut().name, name);
        put_name(&mut header.as_old_mut().linkname, link_target);
        header.set_entry_type(kind);
        header.set_mode(u32::from(attributes.mode & 0o7777));
        header.set_size(size_bytes);
        // Negative times, before 1970, do not fit the field.
        let seconds = attributes.modified.map_or(0, |time| time.as_second());
        header.set_mtime(seconds.try_into().unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.out.write_all(header.as_bytes())
    }

    /// A name that does not fit the header goes before it, as the content of an entry.
    fn write_long_name(&mut self, kind: EntryType, name: &[u8]) -> io::Result<()> {
        if name.len() <= SHORT_NAME_BYTES {
            return Ok(());
        }
        let content = [name, b"\0"].concat();
        let size_bytes = content.len() as u64;
        let mut header = Header::new_gnu();
        put_name(&mut header.as_old_mut().name, b"././@LongLink");
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size_bytes);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(&content)?;
        self.pad(size_bytes)
    }

    /// Content fills whole blocks.
    fn pad(&mut self, size_bytes: u64) -> io::Result<()> {
        let n_last_bytes = (size_bytes % BLOCK_BYTES as u64) as usize;
        if n_last_bytes == 0 {
            return Ok(());
        }
        self.out
            .write_all(&[0; BLOCK_BYTES][..BLOCK_BYTES - n_last_bytes])
    }
}

/// Readers that do not know long names see the beginning.
fn put_name(field: &mut [u8; SHORT_NAME_BYTES], name: &[u8]) {
    let n_bytes = name.len().min(SHORT_NAME_BYTES);
    field[..n_bytes].copy_from_slice(&name[..n_bytes]);
}
