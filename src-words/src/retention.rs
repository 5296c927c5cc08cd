//! What a retention keeps and removes.

words! {
    title(vm) = "Retention for {vm}";
    kept = "What is kept";
    keep_all = "Keep everything";
    keep_all_hint = "Nothing is deleted automatically";
    keep_some = "Keep only some";
    keep_some_hint = "Old recovery points are removed after each backup";
    last = "Last";
    daily = "Daily";
    weekly = "Weekly";
    monthly = "Monthly";
    hint = "A recovery point is kept if any of these rules keeps it, if it is pinned, or if it is the newest. The others are merged or deleted in a way that leaves these restorable.";
    keeps_nothing = "This would keep nothing. Enter a number in at least one field.";
    ended_early(why) = "The last run stopped early: {why}";

    looking = "Checking what would be removed…";
    none_yet = "There are no recovery points yet.";
    all_stay(count) = "Nothing would be removed now: {count} recovery point stays." | "Nothing would be removed now: {count} recovery points stay.";
    going_now(count, going) = "Would be removed now: {going} of {count} recovery point" | "Would be removed now: {going} of {count} recovery points";
    going = "What would be removed";
    merged = "Merge into the next one";

    save_and_delete = "Save and remove them now";
    deleting = "Deleting…";
    deleted(count) = "{count} recovery point removed." | "{count} recovery points removed.";
    holds_next = "This applies from the next backup on.";

    rule_last(count) = "the last {count}";
    rule_daily(count) = "{count} daily";
    rule_weekly(count) = "{count} weekly";
    rule_monthly(count) = "{count} monthly";
}

/// What a retention keeps, as "the last 7, 14 daily, 8 weekly, 12 monthly"; a rule that keeps nothing is left out.
pub fn rules(last: u32, daily: u32, weekly: u32, monthly: u32) -> String {
    let rules = [
        (last, rule_last(last)),
        (daily, rule_daily(daily)),
        (weekly, rule_weekly(weekly)),
        (monthly, rule_monthly(monthly)),
    ];
    let kept = rules.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = kept.map(|(_, rule)| rule).collect();
    words.join(", ")
}
