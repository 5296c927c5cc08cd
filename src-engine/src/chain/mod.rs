//! What builds on what: the one model of the chains that recovery points form.
//!
//! Recorded parents decide this, never times: if the clock was set back, a child looks older than what it builds on.
//! Nothing here touches a file or the database.

mod restorable;

use std::{cmp::Reverse, collections::HashMap, iter};

use jiff::Timestamp;

pub use self::restorable::problems;
use crate::store::backups::{Backup, BackupType};

/// The chains of backups of one VM in one repository.
pub struct Chains<'b> {
    points: &'b [Backup],
    /// Places in `points`.
    by_id: HashMap<&'b str, usize>,
}

/// A full backup and all that builds on it, oldest first.
pub struct Chain<'b> {
    /// In order.
    pub links: Vec<&'b Backup>,
    /// Each builds on the one before it. Where two build on one, or what the first builds on is not known, they are
    /// no line, and nothing can be said about the room between them.
    pub is_line: bool,
}

impl<'b> Chains<'b> {
    /// Of backups as they are listed: by time, newest first, and of one time the one that was started last.
    pub fn of(points: &'b [Backup]) -> Self {
        let ids = points.iter().map(|point| point.backup_id.as_str());
        Self {
            points,
            by_id: ids.zip(0..).collect(),
        }
    }

    /// All of them, in the order in which they were given.
    pub fn points(&self) -> &'b [Backup] {
        self.points
    }

    /// A point and what it builds on, one after another, as far as that is on record.
    pub fn lineage(&self, point: &'b Backup) -> impl Iterator<Item = &'b Backup> {
        let parent_of = |point: &&'b Backup| {
            let parent = point.parent_backup_id.as_deref()?;
            self.points.get(*self.by_id.get(parent)?)
        };
        // No chain is longer than there are points, whatever the rows say.
        iter::successors(Some(point), parent_of).take(self.points.len())
    }

    /// What a point or one that it builds on names as its parent, where that is not on record.
    pub fn unknown_parent(&self, point: &'b Backup) -> Option<&'b str> {
        let first = self.lineage(point).last()?;
        let parent = first.parent_backup_id.as_deref()?;
        (!self.by_id.contains_key(parent)).then_some(parent)
    }

    /// Counted from the full backup, which is 1.
    pub fn sequence(&self, point: &'b Backup) -> usize {
        self.lineage(point).count()
    }

    /// Newest first; none comes after what it builds on.
    pub fn newest_first(&self) -> Vec<&'b Backup> {
        let mut points: Vec<_> = self.points.iter().collect();
        points.sort_by_cached_key(|point| Reverse(self.age(point)));
        points
    }

    /// The newest point: the one to build on, because nothing builds on it yet.
    pub fn tip(&self) -> Option<&'b Backup> {
        self.points.iter().max_by_key(|point| self.age(point))
    }

    /// What cannot be restored without a point, youngest first.
    pub fn dependents(&self, backup_id: &str) -> Vec<&'b Backup> {
        let needs = |point: &&'b Backup| {
            let mut below = self.lineage(point).skip(1);
            below.any(|older| older.backup_id == backup_id)
        };
        self.newest_first().into_iter().filter(needs).collect()
    }

    /// The chains, the one that begins with the oldest point first.
    pub fn chains(&self) -> Vec<Chain<'b>> {
        let mut families: Vec<(&str, Vec<&'b Backup>)> = Vec::new();
        for point in self.newest_first().into_iter().rev() {
            let first = self.lineage(point).last().unwrap_or(point);
            let first = first.backup_id.as_str();
            match families.iter_mut().find(|(known, _)| *known == first) {
                Some((_, links)) => links.push(point),
                None => families.push((first, vec![point])),
            }
        }
        let chains = families.into_iter().map(|(_, links)| Chain {
            // An incremental one without its parent on record may build on anything.
            is_line: links[0].backup_type == BackupType::Full
                && (1..)
                    .zip(&links)
                    .all(|(place, link)| self.sequence(link) == place),
            links,
        });
        chains.collect()
    }

    /// How new a point is: newer than anything that it builds on.
    fn age(&self, point: &'b Backup) -> (Option<(Timestamp, Reverse<usize>)>, usize) {
        let listed = self.lineage(point).map(|older| {
            let place = self.by_id.get(older.backup_id.as_str());
            (older.created_at, Reverse(place.copied().unwrap_or(0)))
        });
        (listed.max(), self.sequence(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(id: &str, parent: Option<&str>, day: u8) -> Backup {
        Backup::point(id, parent, &format!("2026-11-{day:02}T22:00:00Z"))
    }

    fn ids<'b>(points: impl IntoIterator<Item = &'b Backup>) -> Vec<&'b str> {
        let points = points.into_iter();
        points.map(|point| point.backup_id.as_str()).collect()
    }

    /// The clock was put back after the second backup.
    fn put_back() -> [Backup; 3] {
        [
            point("second", Some("first"), 11),
            point("first", None, 10),
            point("third", Some("second"), 3),
        ]
    }

    #[test]
    fn the_tip_is_what_nothing_builds_on_whatever_the_clock_said() {
        let points = put_back();
        let chains = Chains::of(&points);
        assert_eq!(chains.tip().unwrap().backup_id, "third");
        assert_eq!(ids(chains.newest_first()), ["third", "second", "first"]);
        assert_eq!(chains.sequence(&points[2]), 3);
        assert!(Chains::of(&[]).tip().is_none());
    }

    #[test]
    fn of_two_chains_the_newer_has_the_tip() {
        let points = [point("new", None, 5), point("old", None, 4)];
        assert_eq!(Chains::of(&points).tip().unwrap().backup_id, "new");
    }

    #[test]
    fn of_two_in_the_same_moment_the_tip_is_the_first_of_the_list() {
        let points = [point("later", None, 4), point("earlier", None, 4)];
        let chains = Chains::of(&points);
        assert_eq!(chains.tip().unwrap().backup_id, "later");
        assert_eq!(ids(chains.newest_first()), ["later", "earlier"]);
    }

    #[test]
    fn a_full_one_of_the_same_moment_is_newer_than_the_chain_before_it() {
        let points = [
            point("full", None, 4),
            point("b", Some("a"), 4),
            point("a", None, 4),
        ];
        assert_eq!(Chains::of(&points).tip().unwrap().backup_id, "full");
    }

    #[test]
    fn dependents_are_all_that_is_above_youngest_first() {
        let points = put_back();
        let chains = Chains::of(&points);
        assert_eq!(ids(chains.dependents("first")), ["third", "second"]);
        assert_eq!(ids(chains.dependents("third")), [""; 0]);
    }

    #[test]
    fn chains_go_by_what_builds_on_what_and_not_by_time() {
        let points = put_back();
        let chains = Chains::of(&points).chains();
        assert_eq!((chains.len(), chains[0].is_line), (1, true));
        assert_eq!(
            ids(chains[0].links.iter().copied()),
            ["first", "second", "third"]
        );
    }

    #[test]
    fn a_fork_a_circle_and_an_unknown_parent_are_no_line() {
        let fork = [
            point("b", Some("a"), 3),
            point("c", Some("a"), 2),
            point("a", None, 1),
        ];
        let circle = [point("b", Some("a"), 2), point("a", Some("b"), 1)];
        let unknown = [point("b", Some("gone"), 2)];
        for points in [&fork[..], &circle[..], &unknown[..]] {
            let chains = Chains::of(points).chains();
            assert!(chains.iter().all(|chain| !chain.is_line), "{points:?}");
        }
    }
}
