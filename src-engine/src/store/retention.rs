//! How many recovery points of a VM are kept, as set by the user: rows of `retention_policies`.
//!
//! `sendense_types::RetentionPolicy` has the same numbers and is another thing: what a client made out of the answer of
//! whatever hub it asks, where a number that it does not know is none of its business. Here an unknown number is
//! refused: rules that are half understood delete what should be kept. And a row outlives the clients' vocabulary.

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// How many recovery points are kept. A point that any rule keeps is kept; days, weeks and months are
/// those of the hub's time zone, and only ones with a recovery point count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The newest so many.
    #[serde(default)]
    pub keep_last: u32,
    /// The newest of each of the last so many days.
    #[serde(default)]
    pub keep_daily: u32,
    /// The newest of each of the last so many ISO weeks.
    #[serde(default)]
    pub keep_weekly: u32,
    /// The newest of each of the last so many months.
    #[serde(default)]
    pub keep_monthly: u32,
}

impl Policy {
    /// A policy that keeps nothing would delete everything: it is none.
    pub fn keeps_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The policy of a VM; `None` where all its recovery points are kept.
pub(crate) fn policy(
    connection: &Connection,
    vm_context_id: &str,
) -> rusqlite::Result<Option<Policy>> {
    connection
        .query_row(
            "SELECT keep_last, keep_daily, keep_weekly, keep_monthly FROM retention_policies
             WHERE vm_context_id = ?1",
            [vm_context_id],
            |row| {
                Ok(Policy {
                    keep_last: row.get(0)?,
                    keep_daily: row.get(1)?,
                    keep_weekly: row.get(2)?,
                    keep_monthly: row.get(3)?,
                })
            },
        )
        .optional()
}

/// Sets the policy of a VM; `None` keeps all its recovery points.
pub(crate) fn set_policy(
    connection: &Connection,
    vm_context_id: &str,
    policy: Option<Policy>,
) -> rusqlite::Result<()> {
    match policy {
        None => connection.execute(
            "DELETE FROM retention_policies WHERE vm_context_id = ?1",
            [vm_context_id],
        ),
        Some(policy) => connection.execute(
            "INSERT OR REPLACE INTO retention_policies
                (vm_context_id, keep_last, keep_daily, keep_weekly, keep_monthly)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                vm_context_id,
                policy.keep_last,
                policy.keep_daily,
                policy.keep_weekly,
                policy.keep_monthly,
            ),
        ),
    }?;
    Ok(())
}
