//! A disk as a read-only NBD export on this computer's loopback address: QEMU, libnbd and the kernel's client attach it.
//!
//! Written from the protocol's own description (NetworkBlockDevice/nbd, doc/proto.md): fixed newstyle handshake,
//! structured replies, and `base:allocation`, so that who copies the disk skips its holes. The two halves are `protocol`,
//! which turns bytes into values and back and does nothing, and `server`, with its sockets and threads.
//!
//! All users of a computer share its loopback address. So an export has a name that nobody can guess, it is never
//! listed, and nothing about it is told to a client that does not know the name.

mod protocol;
mod server;

pub(crate) use server::Export;
