//! Retention rules: which recovery points of a VM are kept, and what has to be done to remove the others.
//!
//! Rules only: nothing here touches a file or the database, so a dry run and a real one decide alike.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    chain::{Chain, Chains},
    store::{backups::Backup, retention::Policy},
};

/// What becomes of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Kept, because of these rules.
    Kept(Vec<&'static str>),
    /// Expired, but this kept one builds on it.
    NeededBy(String),
    /// Expired; what it holds goes into this kept one, which builds on it.
    MergedInto(String),
    /// Expired.
    Deleted,
}

/// One thing to do. After each of them every kept recovery point can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Delete these, youngest first; nothing that stays builds on them.
    Delete(Vec<String>),
    /// Make `into` build on what the oldest of `expired` builds on, then delete those.
    Merge {
        /// Oldest first, each building on the one before.
        expired: Vec<String>,
        /// The one that is kept.
        into: String,
    },
}

/// What retention does with the recovery points of a VM in one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By backup id, oldest first.
    pub fates: Vec<(String, Fate)>,
    /// In the order in which they have to be done.
    pub steps: Vec<Step>,
}

/// Decides about the finished backups of one VM in one repository.
pub(crate) fn plan(points: &[Backup], policy: Policy, zone: &TimeZone) -> Plan {
    let chains = Chains::of(points);
    let newest_first = chains.newest_first();
    let reasons = reasons_to_keep(&newest_first, policy, zone);
    let is_kept = |backup: &Backup| {
        reasons
            .get(backup.backup_id.as_str())
            .is_some_and(|reasons| !reasons.is_empty())
    };
    let mut fates: BTreeMap<&str, Fate> = BTreeMap::new();
    let mut steps = Vec::new();
    for chain in chains.chains() {
        decide_chain(&chain, &is_kept, &mut fates, &mut steps);
    }
    Plan {
        fates: newest_first
            .iter()
            .rev()
            .map(|backup| {
                let id = backup.backup_id.as_str();
                let kept = || Fate::Kept(reasons.get(id).cloned().unwrap_or_default());
                (id.to_owned(), fates.remove(id).unwrap_or_else(kept))
            })
            .collect(),
        steps,
    }
}

/// The day, week or month of a time; equal numbers are the same one.
type PeriodOf<'z> = dyn Fn(Timestamp) -> (i16, i8, i8) + 'z;

fn reasons_to_keep<'b>(
    points: &[&'b Backup],
    policy: Policy,
    zone: &TimeZone,
) -> BTreeMap<&'b str, Vec<&'static str>> {
    let mut reasons: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for (backup, number) in points.iter().zip(0_u32..) {
        let reasons = reasons.entry(&backup.backup_id).or_default();
        // The newest is what the next incremental backup builds on, and the last line of defence.
        if number == 0 || number < policy.keep_last {
            reasons.push("last");
        }
        if backup.is_pinned {
            reasons.push("pinned");
        }
    }
    let day = |time: Timestamp| {
        let date = time.to_zoned_datetime(zone.clone()).date();
        (date.year(), date.month(), date.day())
    };
    let week = |time: Timestamp| {
        let week = time.to_zoned_datetime(zone.clone()).date().iso_week_date();
        (week.year(), week.week(), 0)
    };
    let month = |time: Timestamp| {
        let date = time.to_zoned_datetime(zone.clone()).date();
        (date.year(), date.month(), 0)
    };
    let rules: [(&'static str, u32, &PeriodOf<'_>); 3] = [
        ("daily", policy.keep_daily, &day),
        ("weekly", policy.keep_weekly, &week),
        ("monthly", policy.keep_monthly, &month),
    ];
    for (rule, n_periods, period_of) in rules {
        let mut seen = Vec::new();
        for backup in points {
            let period = period_of(backup.created_at);
            // A clock that was put back may bring a period up twice.
            if seen.contains(&period) {
                continue;
            }
            if seen.len() as u64 >= u64::from(n_periods) {
                break;
            }
            seen.push(period);
            reasons.entry(&backup.backup_id).or_default().push(rule);
        }
    }
    reasons
}

fn decide_chain<'b>(
    chain: &Chain<'b>,
    is_kept: &impl Fn(&Backup) -> bool,
    fates: &mut BTreeMap<&'b str, Fate>,
    steps: &mut Vec<Step>,
) {
    let links = &chain.links;
    let id = |position: usize| links[position].backup_id.clone();
    let n_needed = match links.iter().rposition(|link| is_kept(link)) {
        Some(last_kept) => last_kept + 1,
        None => 0,
    };
    if !chain.is_line && n_needed > 0 {
        for link in links.iter().filter(|link| !is_kept(link)) {
            fates.insert(&link.backup_id, Fate::NeededBy(id(n_needed - 1)));
        }
        return;
    }
    if n_needed < links.len() {
        for link in &links[n_needed..] {
            fates.insert(&link.backup_id, Fate::Deleted);
        }
        let youngest_first = (n_needed..links.len()).rev().map(id).collect();
        steps.push(Step::Delete(youngest_first));
    }
    let mut expired: Vec<usize> = Vec::new();
    for position in 0..n_needed {
        if !is_kept(links[position]) {
            expired.push(position);
            continue;
        }
        // The full backup stays as long as anything builds on it.
        let (full, merged): (Vec<usize>, Vec<usize>) =
            expired.drain(..).partition(|position| *position == 0);
        for position in full {
            fates.insert(&links[position].backup_id, Fate::NeededBy(id(n_needed - 1)));
        }
        if merged.is_empty() {
            continue;
        }
        for merged in &merged {
            fates.insert(&links[*merged].backup_id, Fate::MergedInto(id(position)));
        }
        steps.push(Step::Merge {
            expired: merged.into_iter().map(id).collect(),
            into: id(position),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newest first: a full backup and incremental ones, one a day.
    fn chain_of(n_points: usize) -> Vec<Backup> {
        let ids: Vec<String> = (0..n_points).map(|number| format!("b{number}")).collect();
        let mut points: Vec<Backup> = (0..n_points)
            .map(|number| {
                let parent = number.checked_sub(1).map(|parent| ids[parent].as_str());
                let day = number + 1;
                Backup::point(&ids[number], parent, &format!("2026-11-{day:02}T22:00:00Z"))
            })
            .collect();
        points.reverse();
        points
    }

    fn planned(points: &[Backup], policy: Policy) -> Plan {
        plan(points, policy, &TimeZone::UTC)
    }

    fn last(keep_last: u32) -> Policy {
        Policy {
            keep_last,
            ..Policy::default()
        }
    }

    fn kept(plan: &Plan) -> Vec<&str> {
        plan.fates
            .iter()
            .filter(|(_, fate)| matches!(fate, Fate::Kept(_)))
            .map(|(id, _)| id.as_str())
            .collect()
    }

    #[test]
    fn expired_incrementals_between_kept_ones_are_merged_and_the_full_stays() {
        let plan = planned(&chain_of(5), last(2));
        assert_eq!(kept(&plan), ["b3", "b4"]);
        assert_eq!(
            plan.steps,
            [Step::Merge {
                expired: vec!["b1".to_owned(), "b2".to_owned()],
                into: "b3".to_owned()
            }]
        );
        assert_eq!(plan.fates[0].1, Fate::NeededBy("b4".to_owned()));
        assert_eq!(plan.fates[1].1, Fate::MergedInto("b3".to_owned()));
    }

    #[test]
    fn a_chain_of_which_nothing_is_kept_goes_youngest_first() {
        let mut points = vec![Backup::point("new", None, "2026-11-20T10:00:00Z")];
        points.extend(chain_of(3));
        let plan = planned(&points, last(1));
        assert_eq!(kept(&plan), ["new"]);
        let ids = ["b2", "b1", "b0"].map(str::to_owned);
        assert_eq!(plan.steps, [Step::Delete(ids.to_vec())]);
    }

    #[test]
    fn the_newest_point_of_each_day_week_and_month_is_kept() {
        let points = [
            Backup::point("e", None, "2026-11-24T10:00:00Z"),
            Backup::point("d", None, "2026-11-24T08:00:00Z"),
            Backup::point("c", None, "2026-11-23T08:00:00Z"),
            Backup::point("b", None, "2026-11-20T08:00:00Z"),
            Backup::point("a", None, "2026-10-31T08:00:00Z"),
        ];
        let policy = Policy {
            keep_daily: 2,
            keep_weekly: 2,
            keep_monthly: 2,
            ..Policy::default()
        };
        let plan = planned(&points, policy);
        assert_eq!(kept(&plan), ["a", "b", "c", "e"]);
        let reasons = |id: &str| plan.fates.iter().find(|(found, _)| found == id).unwrap();
        assert_eq!(reasons("a").1, Fate::Kept(vec!["monthly"]));
        assert_eq!(reasons("b").1, Fate::Kept(vec!["weekly"]), "another week");
        assert_eq!(reasons("c").1, Fate::Kept(vec!["daily"]));
    }

    #[test]
    fn a_day_is_one_of_the_hubs_time_zone() {
        let points = [
            Backup::point("late", None, "2026-11-24T23:30:00Z"),
            Backup::point("early", None, "2026-11-24T00:30:00Z"),
        ];
        let policy = Policy {
            keep_daily: 2,
            ..Policy::default()
        };
        assert_eq!(kept(&planned(&points, policy)), ["late"]);
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(kept(&plan(&points, policy, &east)), ["early", "late"]);
    }

    #[test]
    fn pinned_points_and_the_newest_are_always_kept() {
        let mut points = chain_of(4);
        points[2].is_pinned = true;
        let plan = planned(&points, Policy::default());
        assert_eq!(kept(&plan), ["b1", "b3"]);
    }

    #[test]
    fn the_newest_is_what_was_made_last_though_the_clock_was_put_back() {
        let mut points = chain_of(3);
        points.push(Backup::point("last", Some("b2"), "2026-10-01T22:00:00Z"));
        let plan = planned(&points, last(1));
        assert_eq!(kept(&plan), ["last"]);
        assert_eq!(
            plan.steps,
            [Step::Merge {
                expired: vec!["b1".to_owned(), "b2".to_owned()],
                into: "last".to_owned()
            }]
        );
    }

    #[test]
    fn nothing_is_done_to_points_that_are_no_line() {
        let mut points = vec![
            Backup::point("twig", Some("b1"), "2026-11-20T10:00:00Z"),
            Backup::point("other", Some("b1"), "2026-11-19T10:00:00Z"),
        ];
        points.extend(chain_of(3));
        assert_eq!(planned(&points, last(1)).steps, []);
    }

    proptest::proptest! {
        /// Whatever is kept: what it builds on is kept, merged into it or needed, never deleted.
        #[test]
        fn nothing_that_a_kept_point_builds_on_is_deleted(
            n_points in 1_usize..20,
            keep_last in 0_u32..5,
            pins in proptest::collection::vec(0_usize..20, 0..4),
        ) {
            let mut points = chain_of(n_points);
            for pin in pins {
                if let Some(point) = points.get_mut(pin) {
                    point.is_pinned = true;
                }
            }
            let plan = planned(&points, last(keep_last));
            let newest_kept = plan
                .fates
                .iter()
                .rposition(|(_, fate)| matches!(fate, Fate::Kept(_)))
                .unwrap();
            for (id, fate) in &plan.fates[..newest_kept] {
                proptest::prop_assert_ne!(fate, &Fate::Deleted, "{}", id);
            }
            proptest::prop_assert!(plan.fates[0].1 != Fate::Deleted, "the full backup");
        }
    }
}
