//! `sendense retention`: how many recovery points are kept, and deleting the others.

use sendense_types::{Retention, RetentionAction, RetentionPoint, RetentionPolicy};
use sendense_words as words;
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
        return words::terminal::keeps_all(name);
    };
    let rules = words::retention::rules(
        policy.keep_last,
        policy.keep_daily,
        policy.keep_weekly,
        policy.keep_monthly,
    );
    let mut text = words::terminal::keeps(name, rules);
    if let Some(why) = &retention.error_message {
        text += "\n";
        text += &words::retention::ended_early(printable(why));
    }
    text
}

fn outcome(points: &[RetentionPoint], dry_run: bool) -> String {
    if points.is_empty() {
        return words::terminal::no_recovery_points().to_owned();
    }
    let rows = points.iter().map(|point| {
        [
            point.backup_id.to_string(),
            action(point.action).to_owned(),
            point.reason.clone(),
        ]
    });
    let table = output::table(
        [words::terminal::id(), "", words::terminal::reason()],
        &[],
        rows,
    );
    match dry_run {
        true => format!("{table}\n\n{}", words::failures::nothing_changed()),
        false => table,
    }
}

fn action(action: RetentionAction) -> &'static str {
    match action {
        RetentionAction::Keep => words::terminal::keep(),
        RetentionAction::Delete => words::terminal::delete(),
        RetentionAction::Merge => words::terminal::merge(),
        RetentionAction::Unknown => words::terminal::unknown(),
    }
}
