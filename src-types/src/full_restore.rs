//! Full restores: disks of a recovery point written as images into a folder, with a machine definition.
//!
//! Only our own hub offers them; the contract of deployed hubs has none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BackupId, FailureCode, FullRestoreId};

/// A format that a full restore writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// The bytes of the disk as they are, with holes where it is empty.
    Raw,
    /// QEMU and everything built on it.
    #[default]
    Qcow2,
    /// VMware and VirtualBox: one file that grows (`monolithicSparse`).
    Vmdk,
    /// VMware, compressed and for importing only, as in OVA files (`streamOptimized`).
    VmdkStream,
    /// VirtualBox.
    Vdi,
    /// Hyper-V.
    Vhdx,
}

impl ImageFormat {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::Qcow2,
        Self::Raw,
        Self::Vmdk,
        Self::VmdkStream,
        Self::Vdi,
        Self::Vhdx,
    ];

    /// Its word in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::VmdkStream => "vmdk_stream",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
        }
    }

    /// Understands that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// What the names of its files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk | Self::VmdkStream => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
        }
    }
}

/// Which machine definition a full restore writes beside the disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineDefinition {
    /// None.
    #[default]
    None,
    /// A domain of libvirt, for `virsh define`.
    Libvirt,
    /// A `.vbox` file of VirtualBox.
    Virtualbox,
    /// A `.vmx` file of VMware.
    Vmware,
}

impl MachineDefinition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Libvirt, Self::Virtualbox, Self::Vmware];

    /// Its word in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Libvirt => "libvirt",
            Self::Virtualbox => "virtualbox",
            Self::Vmware => "vmware",
        }
    }

    /// Understands that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|definition| definition.as_str() == word)
    }

    /// Whether a machine of this kind can run from disks of that format: a restore of any other pair is refused.
    pub fn runs_from(self, format: ImageFormat) -> bool {
        match self {
            Self::None => true,
            Self::Libvirt => matches!(
                format,
                ImageFormat::Raw | ImageFormat::Qcow2 | ImageFormat::Vmdk | ImageFormat::Vdi
            ),
            Self::Virtualbox => matches!(format, ImageFormat::Vmdk | ImageFormat::Vdi),
            Self::Vmware => matches!(format, ImageFormat::Vmdk),
        }
    }

    /// What the names of its files end with; empty for none.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Libvirt => "xml",
            Self::Virtualbox => "vbox",
            Self::Vmware => "vmx",
        }
    }
}

/// A full restore that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullRestoreOrder {
    /// The recovery point.
    pub backup_id: BackupId,
    /// The disks within it; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk_indexes: Vec<u32>,
    /// An absolute folder of the hub's computer, which is there.
    pub folder: String,
    /// What the disks become.
    pub format: ImageFormat,
    /// What is written beside them.
    #[serde(default)]
    pub definition: MachineDefinition,
}

/// What a full restore would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullRestorePlan {
    /// The files that it would make, whole paths.
    pub files: Vec<String>,
    /// Room that they take, in bytes; at most, where they are compressed.
    pub needed_bytes: u64,
    /// Room that is free in the folder, in bytes.
    pub available_bytes: u64,
    /// Bytes of that which an earlier restore left there and this one would go on from.
    pub resumable_bytes: u64,
}

/// Where a full restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FullRestoreStatus {
    /// In line.
    Pending,
    /// What an earlier one left there is compared with the backup.
    Checking,
    /// Disks are written, and verified while they are.
    Restoring,
    /// Everything is written through, and files get their names.
    Finishing,
    /// All files are there, and they are right.
    Completed,
    /// It ended early.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// A status that this version does not know.
    #[serde(other)]
    Unknown,
}

impl FullRestoreStatus {
    /// It will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A full restore: disks of a recovery point written as images into a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FullRestore {
    /// What the hub calls it.
    pub restore_id: FullRestoreId,
    /// The recovery point.
    pub backup_id: BackupId,
    /// What its VM is called.
    pub vm_name: String,
    /// The disks within it.
    pub disk_indexes: Vec<u32>,
    /// The folder of the hub's computer.
    pub folder: String,
    /// What the disks become.
    pub format: ImageFormat,
    /// What is written beside them.
    pub definition: MachineDefinition,
    /// Where it stands.
    pub status: FullRestoreStatus,
    /// Bytes of the disks that are written, those that were there already among them.
    pub done_bytes: u64,
    /// Bytes of the disks that have to be written; 0 while that is not known.
    pub total_bytes: u64,
    /// Bytes per second at the moment; `None` where that cannot be told.
    pub bytes_per_second: Option<u64>,
    /// Bytes that an earlier restore left there, and that were compared with the backup.
    pub resumed_bytes: u64,
    /// The files that are there under their names, whole paths; all of them once it is completed.
    pub files: Vec<String>,
    /// What there is to know beside that, a sentence each, in the hub's words: that it started over and why, that a
    /// disk could not be compared with what was backed up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The hub's reason for a failure.
    pub error_message: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<FailureCode>,
    /// When it was asked for.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub created_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, deserialize_with = "crate::time::optional")]
    pub completed_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_on_the_command_line() {
        for format in ImageFormat::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
            assert_eq!(ImageFormat::from_word(format.as_str()), Some(format));
        }
        for definition in MachineDefinition::ALL {
            assert_eq!(
                serde_json::to_value(definition).unwrap(),
                definition.as_str()
            );
            let understood = MachineDefinition::from_word(definition.as_str());
            assert_eq!(understood, Some(definition));
        }
        assert_eq!(ImageFormat::from_word("vhd"), None);
    }

    #[test]
    fn every_machine_runs_from_some_format() {
        for definition in MachineDefinition::ALL {
            let runs = |format| definition.runs_from(format);
            assert!(ImageFormat::ALL.into_iter().any(runs), "{definition:?}");
        }
        assert!(!MachineDefinition::Libvirt.runs_from(ImageFormat::VmdkStream));
    }

    #[test]
    fn a_status_of_a_newer_hub_does_no_harm() {
        let status: FullRestoreStatus = serde_json::from_str("\"dreaming\"").unwrap();
        assert!(!status.is_over());
    }
}
