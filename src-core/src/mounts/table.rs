//! The mounts that are known, and their deadlines in order. No hub, no clock: moments are passed in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sendense_types::{MountId, OpenMount, Opener};
use tokio::time::Instant;

use super::plan::{Deed, Upkeep};
use crate::session::Generation;

/// The mounts of one hub.
#[derive(Default)]
pub(super) struct Table {
    /// When the hub's list was read last, which connection it was read by.
    pub(super) generation: Generation,
    known: BTreeMap<MountId, Known>,
    /// When each open mount has to be thought of next, at most once each.
    deadlines: BTreeSet<(Instant, MountId)>,
    /// The mount that replaced one that is gone.
    successors: HashMap<MountId, MountId>,
    /// Those whose folder is another one than the record says.
    moved: BTreeSet<MountId>,
    /// Whether the hub's list was read into it.
    is_read: bool,
}

/// What is known of one mount.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) mount: OpenMount,
    pub(super) upkeep: Upkeep,
    /// Its place among the deadlines.
    deadline: Option<Instant>,
}

impl Known {
    /// A mount that nothing has been planned for yet.
    pub(super) fn new(mount: OpenMount, upkeep: Upkeep) -> Self {
        Self {
            mount,
            upkeep,
            deadline: None,
        }
    }
}

impl Table {
    /// What is known of a mount.
    pub(super) fn get(&self, id: &MountId) -> Option<&Known> {
        self.known.get(id)
    }

    /// Whether this mount is known, or was until it was replaced.
    pub(super) fn knows(&self, id: &MountId) -> bool {
        self.known.contains_key(id) || self.successors.contains_key(id)
    }

    /// Those that this app has mounted, and that are open.
    pub(super) fn ours(&self) -> Vec<MountId> {
        let ours = self
            .iter()
            .map(|known| &known.mount)
            .filter(|mount| mount.opened_by == Opener::Window && mount.is_open);
        ours.map(|mount| mount.mount_id.clone()).collect()
    }

    /// All that are known, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    /// All that are known, as they are shown.
    pub(super) fn shown(&self) -> Vec<OpenMount> {
        self.iter().map(|known| known.mount.clone()).collect()
    }

    /// Takes in a mount, known already or not.
    pub(super) fn put(&mut self, known: Known, now: Instant) {
        let id = known.mount.mount_id.clone();
        self.remove(&id);
        self.known.insert(id.clone(), known);
        self.plan(&id, Some(now));
    }

    /// Takes in what the record says has ended, newest last: a mount that ended while the app was closed, or asked another
    /// hub, can be remounted like one whose end was seen. Only together with the first list of the hub: later ends are
    /// seen, and a mount that is being closed must not come back. A disk that is there again is not offered twice.
    pub(super) fn recall_ended(
        &mut self,
        ended: impl DoubleEndedIterator<Item = OpenMount>,
        now: Instant,
    ) {
        if std::mem::replace(&mut self.is_read, true) {
            return;
        }
        for mount in ended.rev() {
            let disk = |mount: &OpenMount| (mount.backup_id.clone(), mount.disk_index);
            if !self.iter().any(|known| disk(&known.mount) == disk(&mount)) {
                self.put(Known::new(mount, Upkeep::new(None, now)), now);
            }
        }
    }

    /// Forgets a mount.
    pub(super) fn remove(&mut self, id: &MountId) {
        self.plan(id, None);
        self.known.remove(id);
    }

    /// Changes what is known of a mount and plans it again at once; `None` where it is not known.
    pub(super) fn change<T>(
        &mut self,
        id: &MountId,
        now: Instant,
        change: impl FnOnce(&mut Known) -> T,
    ) -> Option<T> {
        let changed = change(self.known.get_mut(id)?);
        self.plan(id, Some(now));
        Some(changed)
    }

    /// All are thought of again: the rules have changed.
    pub(super) fn plan_anew(&mut self, now: Instant) {
        let ids: Vec<MountId> = self.known.keys().cloned().collect();
        for id in ids {
            self.plan(&id, Some(now));
        }
    }

    /// What has to be done now, which then counts as done.
    pub(super) fn due(&mut self, now: Instant, keeps_open: bool) -> Vec<(MountId, Deed)> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let due: Vec<MountId> = due.map(|(_, id)| id.clone()).collect();
        let mut deeds = Vec::new();
        for id in due {
            let Some(known) = self.known.get_mut(&id) else {
                continue;
            };
            let (todo, next) = known.upkeep.due(now, keeps_open, known.mount.opened_by);
            // One that could not be closed still has an end.
            let next = if todo.contains(&Deed::Close) {
                Some(now)
            } else {
                next
            };
            self.plan(&id, next);
            deeds.extend(todo.into_iter().map(|deed| (id.clone(), deed)));
        }
        deeds
    }

    /// Somebody has gone to another folder of a mount.
    pub(super) fn note_move(&mut self, id: &MountId) {
        self.moved.insert(id.clone());
    }

    /// The folders that the record does not say yet, which then count as recorded.
    pub(super) fn take_moved(&mut self) -> Vec<(MountId, String)> {
        let moved = std::mem::take(&mut self.moved).into_iter();
        moved
            .filter_map(|id| {
                let folder = self.known.get(&id)?.mount.folder.clone();
                Some((id, folder))
            })
            .collect()
    }

    /// When something has to be done next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// This mount is replaced by that one.
    pub(super) fn succeed(&mut self, old: &MountId, new: MountId) {
        self.remove(old);
        self.successors.insert(old.clone(), new);
    }

    /// The mount that replaced this one when it ended; itself if it did not end.
    pub(super) fn current_id(&self, id: &MountId) -> MountId {
        let mut current = id;
        // Each remount adds one step, and none leads back.
        while let Some(successor) = self.successors.get(current) {
            current = successor;
        }
        current.clone()
    }

    /// Moves a mount to its place among the deadlines; only open ones have one.
    fn plan(&mut self, id: &MountId, at: Option<Instant>) {
        let Some(known) = self.known.get_mut(id) else {
            return;
        };
        let at = at.filter(|_| known.mount.is_open);
        if let Some(before) = std::mem::replace(&mut known.deadline, at) {
            self.deadlines.remove(&(before, id.clone()));
        }
        self.deadlines.extend(at.map(|at| (at, id.clone())));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mounts::told;

    const MINUTE: Duration = Duration::from_secs(60);

    fn put(table: &mut Table, id: &str, lasts: Duration, now: Instant) {
        let mut mount = told::met(&MountId::new(id));
        (mount.is_open, mount.opened_by) = (true, Opener::Window);
        table.put(Known::new(mount, Upkeep::new(Some(lasts), now)), now);
    }

    /// Jumps from deadline to deadline and tells what was due at which minute.
    fn run(table: &mut Table, began: Instant, minutes: u64) -> Vec<(u64, String, Deed)> {
        let mut history = Vec::new();
        let mut steps = 0;
        while let Some(now) = table.next() {
            let minute = now.duration_since(began).as_secs() / 60;
            if minute > minutes {
                break;
            }
            steps += 1;
            assert!(steps < 1000, "time does not go on: {history:?}");
            let due = table.due(now, true);
            history.extend(
                due.into_iter()
                    .map(|(id, deed)| (minute, id.to_string(), deed)),
            );
        }
        history
    }

    #[test]
    fn deadlines_of_many_mounts_come_in_order() {
        let (mut table, began) = (Table::default(), Instant::now());
        put(&mut table, "late", MINUTE * 40, began);
        put(&mut table, "soon", MINUTE * 20, began);
        let history = run(&mut table, began, 39);
        let warnings: Vec<(u64, &str)> = history
            .iter()
            .filter(|(_, _, deed)| matches!(deed, Deed::Warn { .. }))
            .map(|(minute, id, _)| (*minute, id.as_str()))
            .collect();
        assert_eq!(
            warnings,
            [(10, "soon"), (18, "soon"), (30, "late"), (38, "late")]
        );
    }

    #[test]
    fn only_what_is_due_is_thought_of() {
        let (mut table, began) = (Table::default(), Instant::now());
        for n in 1..=1000 {
            put(&mut table, &format!("m{n}"), MINUTE * (10 + n), began);
        }
        assert_eq!(table.due(began, true), [], "all are planned now");
        assert_eq!(table.deadlines.len(), 1000);
        let first = table.next().unwrap();
        assert_eq!(first, began + MINUTE);
        let due = table.due(first, true);
        assert_eq!(due, [(MountId::new("m1"), Deed::Warn { minutes: 10 })]);
        assert_eq!(table.deadlines.len(), 1000, "one moved, none was lost");
    }

    #[test]
    fn what_is_forgotten_or_gone_has_no_deadline() {
        let (mut table, now) = (Table::default(), Instant::now());
        put(&mut table, "a", MINUTE, now);
        put(&mut table, "a", MINUTE, now);
        put(&mut table, "b", MINUTE, now);
        assert_eq!(table.deadlines.len(), 2);
        table.remove(&MountId::new("a"));
        table.change(&MountId::new("b"), now, |known| known.mount.is_open = false);
        assert_eq!(table.next(), None);
        let unknown = table.change(&MountId::new("c"), now, |_| ());
        assert_eq!(unknown, None);
    }

    #[test]
    fn a_mount_that_could_not_be_closed_still_has_an_end() {
        let (mut table, now) = (Table::default(), Instant::now());
        put(&mut table, "a", MINUTE * 60, now);
        table.change(&MountId::new("a"), now, |known| {
            known.upkeep.close_at = Some(now);
        });
        assert_eq!(table.due(now, true), [(MountId::new("a"), Deed::Close)]);
        let history = run(&mut table, now, 60);
        assert!(
            history.contains(&(60, "a".to_owned(), Deed::Look)),
            "{history:?}"
        );
    }

    #[test]
    fn a_mount_goes_on_where_its_successors_lead() {
        let (mut table, now) = (Table::default(), Instant::now());
        put(&mut table, "a", MINUTE, now);
        table.succeed(&MountId::new("a"), MountId::new("b"));
        table.succeed(&MountId::new("b"), MountId::new("c"));
        assert_eq!(table.current_id(&MountId::new("a")), MountId::new("c"));
        assert!(table.get(&MountId::new("a")).is_none());
    }
}
