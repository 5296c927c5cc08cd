//! The formats that a full restore writes, one file each. No library writes them sparse, in order, and so that writing
//! can go on later.

pub(crate) mod qcow2;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod vdi;
pub(crate) mod vhdx;
pub(crate) mod vmdk;
