//! `sendense retention`: how many recovery points are kept, and deleting the others.

use sendense_types::{Retention, RetentionPoint, RetentionPolicy};
use serde_json::json;

use crate::Result;
use crate::args::RetentionCommand;
use crate::connection::Connection;
use crate::output::{self, Output, printable};

pub(crate) async fn run(
    command: RetentionCommand,
    connection: &Connection,
    output: &Output,
) -> Result<()> {
    let hub = &connection.client;
    match command {
        RetentionCommand::Show { vm } => {
            let vm = hub.find_vm(&vm).await?;
            let retention = hub.retention(&vm).await?;
            output.show(&retention, || show(&vm.vm_name, &retention))
        }
        RetentionCommand::Set {
            vm,
            last,
            daily,
            weekly,
            monthly,
        } => {
            let policy = RetentionPolicy {
                keep_last: last,
                keep_daily: daily,
                keep_weekly: weekly,
                keep_monthly: monthly,
            };
            let policy = (policy != RetentionPolicy::default()).then_some(policy);
            let vm = hub.find_vm(&vm).await?;
            let retention = hub.set_retention(&vm, policy).await?;
            output.show(&retention, || show(&vm.vm_name, &retention))
        }
        RetentionCommand::Run { vm, dry_run } => {
            let vm = hub.find_vm(&vm).await?;
            let points = hub.run_retention(&vm, dry_run).await?;
            output.show(&json!({ "dry_run": dry_run, "points": points }), || {
                outcome(&points, dry_run)
            })
        }
    }
}

fn show(vm_name: &str, retention: &Retention) -> String {
    let name = printable(vm_name);
    let Some(policy) = retention.policy else {
        return format!("{name}: all recovery points are kept.");
    };
    let rules: Vec<String> = [
        (policy.keep_last, "the last"),
        (policy.keep_daily, "daily"),
        (policy.keep_weekly, "weekly"),
        (policy.keep_monthly, "monthly"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, rule)| format!("{rule} {count}"))
    .collect();
    let mut text = format!(
        "{name}: kept are {}, and whatever is pinned.",
        rules.join(", ")
    );
    if let Some(why) = &retention.error_message {
        text += &format!("\nThe newest run ended early: {}", printable(why));
    }
    text
}

fn outcome(points: &[RetentionPoint], dry_run: bool) -> String {
    if points.is_empty() {
        return "There are no recovery points.".to_owned();
    }
    let rows = points.iter().map(|point| {
        [
            point.backup_id.to_string(),
            point.action.as_str().to_owned(),
            point.reason.clone(),
        ]
    });
    let table = output::table(["id", "", "why"], &[], rows);
    match dry_run {
        true => format!("{table}\n\nNothing was changed."),
        false => table,
    }
}
