//! The folders on the way to the last thing looked up: without them, opening every file in a folder would read that
//! folder, and all those above it, once per file.

/// In names and in folders: some megabytes.
const MAX_NAMES: usize = 100_000;
const MAX_FOLDERS: usize = 32;

/// Folders by what their filesystem knows them by, newest at the end.
pub(crate) struct Kept<K, F>(Vec<(K, F)>);

impl<K: PartialEq, F> Kept<K, F> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes a folder the newest; `false` where it is not kept.
    pub(crate) fn renew(&mut self, key: &K) -> bool {
        let place = self.0.iter().position(|(known, _)| known == key);
        if let Some(place) = place {
            let folder = self.0.remove(place);
            self.0.push(folder);
        }
        place.is_some()
    }

    /// Adds the newest. The oldest go first; the newest stays, however large it is.
    pub(crate) fn add(&mut self, key: K, folder: F, n_names_of: impl Fn(&F) -> usize) {
        self.0.push((key, folder));
        let mut n_kept = 0_usize;
        let mut n_names = 0_usize;
        for (_, folder) in self.0.iter().rev().take(MAX_FOLDERS) {
            n_names = n_names_of(folder).saturating_add(n_names);
            if n_kept > 0 && n_names > MAX_NAMES {
                break;
            }
            n_kept = n_kept.saturating_add(1);
        }
        let n_dropped = self.0.len().saturating_sub(n_kept);
        self.0.drain(..n_dropped);
    }

    pub(crate) fn newest(&self) -> Option<&F> {
        self.0.last().map(|(_, folder)| folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_folders_stay_as_far_as_there_is_room() {
        let mut kept = Kept::new();
        for number in 0..MAX_FOLDERS {
            kept.add(number, 10, |n_names| *n_names);
        }
        assert!(kept.renew(&0));
        kept.add(100, 10, |n_names| *n_names);
        assert!(kept.renew(&0) && !kept.renew(&1));
        kept.add(101, 2 * MAX_NAMES, |n_names| *n_names);
        assert_eq!(kept.newest(), Some(&(2 * MAX_NAMES)));
        assert!(!kept.renew(&0));
    }
}
