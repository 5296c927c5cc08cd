//! Schemas of what other crates define, which know nothing of OpenAPI, and of words that are texts in Rust.
//!
//! Answers of a running hub are compared with them, field by field (`tests/it/contract/openapi.rs`).

#![expect(dead_code, reason = "only their shapes are used")]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sendense_engine::{BackupType, Status, Verdict};
use sendense_types::{ImageFormat, MachineDefinition};
use serde::{Deserialize, Serialize};

use super::Time;
pub(crate) use crate::error::Code;

/// What lies in the places of a VM and is not backed up.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LeftOut {
    /// The file.
    path: String,
    /// Why, and what to do about it.
    reason: String,
}

/// What a repository in a folder needs to know.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LocalConfig {
    /// Its folder, on the hub's computer.
    path: String,
}

/// How many recovery points are kept. A point that any rule keeps is kept; days, weeks and months are those of the hub's
/// time zone, and only ones with a recovery point count.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RetentionPolicy {
    /// The newest so many.
    keep_last: u32,
    /// The newest of each of the last so many days.
    keep_daily: u32,
    /// The newest of each of the last so many ISO weeks.
    keep_weekly: u32,
    /// The newest of each of the last so many months.
    keep_monthly: u32,
}

/// How many recovery points to keep; one of the numbers has to be more than 0.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedRetentionPolicy {
    /// The newest so many.
    #[serde(default)]
    keep_last: u32,
    /// The newest of each of the last so many days.
    #[serde(default)]
    keep_daily: u32,
    /// The newest of each of the last so many ISO weeks.
    #[serde(default)]
    keep_weekly: u32,
    /// The newest of each of the last so many months.
    #[serde(default)]
    keep_monthly: u32,
}

/// A policy that has to be given, be it `null`.
pub(crate) struct PolicyOrNull;

impl JsonSchema for PolicyOrNull {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PolicyOrNull".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<WantedRetentionPolicy>>()
    }
}

/// A file or folder inside a backup.
#[derive(Serialize, JsonSchema)]
pub(crate) struct File {
    /// For the eye: what is not text shows as U+FFFD.
    name: String,
    /// For every further call: lossless.
    path: String,
    /// Links and special files count as files.
    #[serde(rename = "type")]
    #[schemars(schema_with = "file_type")]
    kind: &'static str,
    /// In bytes; 0 for folders.
    size: u64,
    /// Permission bits, four octal digits.
    #[schemars(regex(pattern = "^[0-7]{4}$"))]
    mode: String,
    /// `null` where the filesystem has none, or one outside the years 0 to 9999.
    modified_time: Option<Time>,
    /// It is a link.
    is_symlink: bool,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink_target: Option<String>,
    /// Why it can be seen but not opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    /// Its alternate data streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    streams: Vec<Stream>,
    /// In a recursive listing: what of this folder could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
}

/// An alternate data stream of a file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Stream {
    /// Lossless, for `stream` of a download.
    name: String,
    /// In bytes.
    size: u64,
    /// Why it cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

/// One of these words.
pub(crate) fn one_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

/// What a disk becomes.
pub(crate) fn image_format(_: &mut SchemaGenerator) -> Schema {
    one_of(&ImageFormat::ALL.map(ImageFormat::as_str))
}

/// What is written beside disks.
pub(crate) fn machine_definition(_: &mut SchemaGenerator) -> Schema {
    one_of(&MachineDefinition::ALL.map(MachineDefinition::as_str))
}

/// Where a full restore stands.
pub(crate) fn full_restore_status(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        "pending",
        "checking",
        "restoring",
        "finishing",
        "completed",
        "failed",
        "cancelled",
    ])
}

fn file_type(_: &mut SchemaGenerator) -> Schema {
    one_of(&["file", "directory"])
}

/// Whether a backup holds everything or what has changed.
pub(crate) fn backup_type(_: &mut SchemaGenerator) -> Schema {
    one_of(&[BackupType::Full, BackupType::Incremental].map(BackupType::as_str))
}

/// The same of a filter, which matters only where it is not empty.
pub(crate) fn backup_type_filter(_: &mut SchemaGenerator) -> Schema {
    one_of(&[
        "",
        BackupType::Full.as_str(),
        BackupType::Incremental.as_str(),
    ])
}

/// What verifying found.
pub(crate) fn verdict(_: &mut SchemaGenerator) -> Schema {
    let verdicts = [
        Verdict::Sound,
        Verdict::Flawed,
        Verdict::Unproven,
        Verdict::Damaged,
    ];
    one_of(&verdicts.map(Verdict::as_str))
}

const STATUSES: [Status; 5] = [
    Status::Pending,
    Status::Running,
    Status::Completed,
    Status::Failed,
    Status::Cancelled,
];

/// Where a backup stands.
pub(crate) fn backup_status(_: &mut SchemaGenerator) -> Schema {
    one_of(&STATUSES.map(Status::documented))
}

/// The same of a filter, which knows the words of deployed hubs too.
pub(crate) fn backup_status_filter(_: &mut SchemaGenerator) -> Schema {
    let mut words = vec![""];
    words.extend(STATUSES.map(Status::documented));
    words.extend([Status::Pending, Status::Running].map(Status::as_str));
    one_of(&words)
}
