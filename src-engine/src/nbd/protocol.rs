//! What goes over the wire, as values: nothing here waits, reads a disk or opens a socket.
//!
//! Numbers are big-endian. What a client sends is hostile until it is parsed: every length is checked against what is
//! there, and whatever makes no sense is an error of its own, never a panic.

/// What the server says first: `NBDMAGIC`, `IHAVEOPT`, and that it speaks the fixed handshake and can leave out zeros.
pub(crate) const GREETING: [u8; 18] = *b"NBDMAGICIHAVEOPT\0\x03";
/// The client can leave out the zeros that follow the oldest answer.
pub(crate) const NO_ZEROES: u32 = 1 << 1;
/// Flags of the client that have a meaning.
pub(crate) const CLIENT_FLAGS: u32 = 0b11;

const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// Header of an option, in bytes.
pub(crate) const OPTION_BYTES: usize = 16;
/// A request without what it may carry, in bytes.
pub(crate) const REQUEST_BYTES: usize = 28;
/// An option's data may be so long: two names of the longest kind, and then some.
pub(crate) const MAX_OPTION_BYTES: u32 = 16 * 1024;
/// No more is read for one request: as much as every client can be expected to ask for.
pub(crate) const MAX_READ_BYTES: u32 = 32 << 20;

/// `HAS_FLAGS`, `READ_ONLY`, and `CAN_MULTI_CONN`: nothing changes, so all connections see the same.
const TRANSMISSION_FLAGS: u16 = 1 | 1 << 1 | 1 << 8;
/// Requests of this size and place are answered with the least work: a cluster of our images.
const PREFERRED_BYTES: u32 = 64 * 1024;

const CONTEXT: &str = "base:allocation";
const CONTEXT_ID: u32 = 1;

/// Why a client is not understood: what it sent is no NBD, and the connection ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the NBD protocol: {0}")]
pub(crate) struct NotNbd(pub(crate) &'static str);

/// What a client wants of the handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// The export of this name, or no connection; the answer has no header.
    ExportName(&'a [u8]),
    /// An orderly end.
    Abort,
    /// The names of all exports.
    List,
    /// What the export of this name is like.
    Info(&'a [u8]),
    /// The same, and then the disk.
    Go(&'a [u8]),
    /// Replies in chunks.
    StructuredReply,
    /// Which contexts there are for block status.
    ListContexts(Contexts<'a>),
    /// These contexts from now on.
    SetContexts(Contexts<'a>),
    /// Known, but its data makes no sense.
    Malformed,
    /// Something else.
    Unknown,
}

/// What is asked about contexts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contexts<'a> {
    /// The export.
    pub(crate) export: &'a [u8],
    /// Whether the one context that there is was asked for.
    pub(crate) has_allocation: bool,
}

/// How an option is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum OptionReply {
    Ack = 1,
    Info = 3,
    MetaContext = 4,
    Unsupported = 1 << 31 | 1,
    Policy = 1 << 31 | 2,
    Invalid = 1 << 31 | 3,
    UnknownExport = 1 << 31 | 6,
}

/// The header of an option: which, and how long its data is.
pub(crate) fn option_header(header: &[u8; OPTION_BYTES]) -> Result<(u32, u32), NotNbd> {
    let mut fields = Fields(header);
    if fields.u64() != Some(OPTION_MAGIC) {
        return Err(NotNbd("an option begins otherwise"));
    }
    match (fields.u32(), fields.u32()) {
        (Some(option), Some(len)) if len <= MAX_OPTION_BYTES => Ok((option, len)),
        _ => Err(NotNbd("an option is too long")),
    }
}

/// What an option asks for.
pub(crate) fn option(number: u32, data: &[u8]) -> Asked<'_> {
    let known = match number {
        1 => Some(Asked::ExportName(data)),
        2 => Some(Asked::Abort),
        3 => data.is_empty().then_some(Asked::List),
        6 => named(data).map(Asked::Info),
        7 => named(data).map(Asked::Go),
        8 => data.is_empty().then_some(Asked::StructuredReply),
        9 => contexts(data, true).map(Asked::ListContexts),
        10 => contexts(data, false).map(Asked::SetContexts),
        _ => Some(Asked::Unknown),
    };
    known.unwrap_or(Asked::Malformed)
}

/// The export that a client wants to know of, with the kinds of information that it wants; all of it is sent anyway.
fn named(data: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields(data);
    let name = fields.text()?;
    let n_kinds = fields.u16()?;
    (fields.0.len() == usize::from(n_kinds) * 2).then_some(name)
}

fn contexts(data: &[u8], is_list: bool) -> Option<Contexts<'_>> {
    let mut fields = Fields(data);
    let export = fields.text()?;
    let n_queries = fields.u32()?;
    // Who lists and asks for nothing in particular asks for all.
    let mut has_allocation = is_list && n_queries == 0;
    for _ in 0..n_queries {
        let query = fields.text()?;
        has_allocation |= query == CONTEXT.as_bytes() || (is_list && query == b"base:");
    }
    fields.0.is_empty().then_some(Contexts {
        export,
        has_allocation,
    })
}

/// An answer to an option.
pub(crate) fn option_reply(option: u32, reply: OptionReply, data: &[u8]) -> Vec<u8> {
    let mut bytes = OPTION_REPLY_MAGIC.to_be_bytes().to_vec();
    bytes.extend(option.to_be_bytes());
    bytes.extend((reply as u32).to_be_bytes());
    bytes.extend(length(data.len()).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// What the export is like: its size, what it can do, and which requests it likes.
pub(crate) fn export_infos(size_bytes: u64) -> [Vec<u8>; 2] {
    let mut export = 0_u16.to_be_bytes().to_vec();
    export.extend(export_data(size_bytes));
    let mut sizes = 3_u16.to_be_bytes().to_vec();
    for size in [1, PREFERRED_BYTES, MAX_READ_BYTES] {
        sizes.extend(size.to_be_bytes());
    }
    [export, sizes]
}

/// The oldest answer, which has no header: size and abilities.
pub(crate) fn export_data(size_bytes: u64) -> [u8; 10] {
    let mut data = [0; 10];
    data[..8].copy_from_slice(&size_bytes.to_be_bytes());
    data[8..].copy_from_slice(&TRANSMISSION_FLAGS.to_be_bytes());
    data
}

/// The one context that there is.
pub(crate) fn context() -> Vec<u8> {
    let mut data = CONTEXT_ID.to_be_bytes().to_vec();
    data.extend(CONTEXT.as_bytes());
    data
}

/// What a client wants of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) command: Command,
    /// What the client calls the request.
    pub(crate) cookie: u64,
    pub(crate) offset: u64,
    pub(crate) len_bytes: u32,
    /// The first extent is enough.
    pub(crate) wants_one: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Read,
    /// Its data follows.
    Write,
    Disconnect,
    Flush,
    /// Changes the disk without data.
    Change,
    BlockStatus,
    Unknown,
}

/// Why a request is not done, in the numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Errno {
    NotPermitted = 1,
    Io = 5,
    Invalid = 22,
}

/// Takes a request apart.
pub(crate) fn request(bytes: &[u8; REQUEST_BYTES]) -> Result<Request, NotNbd> {
    let mut fields = Fields(bytes);
    if fields.u32() != Some(REQUEST_MAGIC) {
        return Err(NotNbd("a request begins otherwise"));
    }
    let request = (|| {
        let flags = fields.u16()?;
        let command = match fields.u16()? {
            0 => Command::Read,
            1 => Command::Write,
            2 => Command::Disconnect,
            3 => Command::Flush,
            4 | 6 => Command::Change,
            7 => Command::BlockStatus,
            _ => Command::Unknown,
        };
        Some(Request {
            command,
            cookie: fields.u64()?,
            offset: fields.u64()?,
            len_bytes: fields.u32()?,
            wants_one: flags & 1 << 3 != 0,
        })
    })();
    request.ok_or(NotNbd("a request is too short"))
}

/// The head of a simple reply; what was read follows it, if all went well.
pub(crate) fn simple_reply(cookie: u64, error: Option<Errno>) -> Vec<u8> {
    let mut bytes = SIMPLE_REPLY_MAGIC.to_be_bytes().to_vec();
    bytes.extend(error.map_or(0, |error| error as u32).to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes
}

/// A piece of a structured reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// So many bytes from this place, which follow.
    Data { offset: u64, len_bytes: u32 },
    /// So many zeros.
    Hole { offset: u64, len_bytes: u32 },
    /// Runs of the disk, as their lengths and whether they are zeros.
    Status(&'a [(u32, bool)]),
    /// The request fails.
    Failed(Errno),
    /// The request fails at this place.
    FailedAt(Errno, u64),
}

/// A chunk but for the data that follows it. The last one of a reply says so.
pub(crate) fn chunk(cookie: u64, is_last: bool, chunk: Chunk<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut n_following = 0;
    let kind: u16 = match chunk {
        Chunk::Data { offset, len_bytes } => {
            payload.extend(offset.to_be_bytes());
            n_following = len_bytes;
            1
        }
        Chunk::Hole { offset, len_bytes } => {
            payload.extend(offset.to_be_bytes());
            payload.extend(len_bytes.to_be_bytes());
            2
        }
        Chunk::Status(runs) => {
            payload.extend(CONTEXT_ID.to_be_bytes());
            for (len_bytes, is_zero) in runs {
                payload.extend(len_bytes.to_be_bytes());
                // A hole that reads as zeros, or data.
                payload.extend(if *is_zero { 3_u32 } else { 0 }.to_be_bytes());
            }
            5
        }
        Chunk::Failed(error) => {
            payload.extend((error as u32).to_be_bytes());
            payload.extend(0_u16.to_be_bytes());
            1 << 15 | 1
        }
        Chunk::FailedAt(error, offset) => {
            payload.extend((error as u32).to_be_bytes());
            payload.extend(0_u16.to_be_bytes());
            payload.extend(offset.to_be_bytes());
            1 << 15 | 2
        }
    };
    let mut bytes = CHUNK_MAGIC.to_be_bytes().to_vec();
    bytes.extend(u16::from(is_last).to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes.extend(
        length(payload.len())
            .saturating_add(n_following)
            .to_be_bytes(),
    );
    bytes.extend(payload);
    bytes
}

/// What we send is short.
fn length(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Fields one after another; `None` where the bytes end before.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// A text with its length before it.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request_bytes(magic: u32, flags: u16, kind: u16, offset: u64, len: u32) -> [u8; 28] {
        let mut bytes = magic.to_be_bytes().to_vec();
        bytes.extend(flags.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(offset.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.try_into().unwrap()
    }

    fn text(text: &[u8]) -> Vec<u8> {
        let mut bytes = length(text.len()).to_be_bytes().to_vec();
        bytes.extend(text);
        bytes
    }

    #[test]
    fn options_are_what_the_protocol_says() {
        assert_eq!(option(1, b"name"), Asked::ExportName(b"name"));
        assert_eq!(option(2, b""), Asked::Abort);
        assert_eq!(option(3, b""), Asked::List);
        assert_eq!(option(3, b"x"), Asked::Malformed);
        assert_eq!(option(5, b""), Asked::Unknown, "TLS");
        let mut go = text(b"name");
        go.extend([0, 2, 0, 3, 0, 1]);
        assert_eq!(option(7, &go), Asked::Go(b"name"));
        assert_eq!(option(6, &go), Asked::Info(b"name"));
        for len in 0..go.len() {
            assert_eq!(option(7, &go[..len]), Asked::Malformed, "{len} bytes of it");
        }
        go.push(0);
        assert_eq!(option(7, &go), Asked::Malformed, "more than it says");
    }

    #[test]
    fn contexts_are_listed_by_prefix_and_set_by_name() {
        let asked = |number, queries: &[&[u8]]| {
            let mut data = text(b"name");
            data.extend(length(queries.len()).to_be_bytes());
            queries.iter().for_each(|query| data.extend(text(query)));
            match option(number, &data) {
                Asked::ListContexts(contexts) | Asked::SetContexts(contexts) => {
                    assert_eq!(contexts.export, b"name");
                    contexts.has_allocation
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(asked(10, &[b"base:allocation"]));
        assert!(asked(10, &[b"qemu:dirty-bitmap:x", b"base:allocation"]));
        assert!(!asked(10, &[b"base:"]) && !asked(10, &[]));
        assert!(asked(9, &[b"base:"]) && asked(9, &[]));
        assert!(!asked(9, &[b"qemu:"]));
        let mut endless = text(b"name");
        endless.extend(u32::MAX.to_be_bytes());
        assert_eq!(option(10, &endless), Asked::Malformed);
    }

    #[test]
    fn requests_are_what_the_protocol_says() {
        let read = request(&request_bytes(REQUEST_MAGIC, 0, 0, 1 << 40, 512)).unwrap();
        let expected = Request {
            command: Command::Read,
            cookie: 7,
            offset: 1 << 40,
            len_bytes: 512,
            wants_one: false,
        };
        assert_eq!(read, expected);
        let status = request(&request_bytes(REQUEST_MAGIC, 8, 7, 0, u32::MAX)).unwrap();
        assert!(status.wants_one && status.command == Command::BlockStatus);
        for (kind, command) in [
            (1, Command::Write),
            (4, Command::Change),
            (6, Command::Change),
        ] {
            let request = request(&request_bytes(REQUEST_MAGIC, 0, kind, 0, 0)).unwrap();
            assert_eq!(request.command, command);
        }
        assert!(request(&request_bytes(REQUEST_MAGIC + 1, 0, 0, 0, 0)).is_err());
    }

    #[test]
    fn a_chunk_says_how_much_follows_it() {
        let data = chunk(
            9,
            false,
            Chunk::Data {
                offset: 5,
                len_bytes: 3,
            },
        );
        assert_eq!(data.len(), 28, "the data itself comes behind it");
        assert_eq!(data[..8], [0x66, 0x8e, 0x33, 0xef, 0, 0, 0, 1]);
        assert_eq!(data[16..20], 11_u32.to_be_bytes());
        let failed = chunk(9, true, Chunk::FailedAt(Errno::Io, 4096));
        assert_eq!(failed[4..8], [0, 1, 0x80, 2]);
        assert_eq!(failed[16..20], 14_u32.to_be_bytes());
        let status = chunk(9, true, Chunk::Status(&[(512, false), (1024, true)]));
        assert_eq!(status[16..24], [0, 0, 0, 20, 0, 0, 0, 1]);
        assert_eq!(status[36..], [0, 0, 0, 3]);
        assert_eq!(
            simple_reply(9, Some(Errno::NotPermitted))[4..8],
            [0, 0, 0, 1]
        );
    }

    proptest! {
        /// Whatever comes is taken apart or refused: nothing panics, and nothing is made up.
        #[test]
        fn whatever_a_client_sends_is_understood_or_refused(
            header: [u8; OPTION_BYTES],
            number in 0..16_u32,
            data in proptest::collection::vec(any::<u8>(), 0..80),
            wanted: [u8; REQUEST_BYTES],
        ) {
            if let Ok((_, len)) = option_header(&header) {
                prop_assert!(len <= MAX_OPTION_BYTES);
            }
            match option(number, &data) {
                Asked::Go(name) | Asked::Info(name) => {
                    prop_assert!(name.len() + 6 <= data.len());
                }
                Asked::ListContexts(contexts) | Asked::SetContexts(contexts) => {
                    prop_assert!(contexts.export.len() + 8 <= data.len());
                }
                _ => {}
            }
            prop_assert_eq!(
                request(&wanted).is_ok(),
                wanted.starts_with(&REQUEST_MAGIC.to_be_bytes())
            );
        }
    }
}
