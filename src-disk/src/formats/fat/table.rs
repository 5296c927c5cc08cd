//! The file allocation table: from the first cluster of a chain to where its content is.

use super::boot::{Boot, Width};
use crate::{Error, Result, Slice};

/// The table is read in pieces of this size.
const WINDOW_BYTES: u64 = 4096;

/// What the table says about a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Next(u32),
    End,
    Free,
    Bad,
    /// A number that no cluster of this volume has.
    Nowhere(u32),
}

/// Clusters in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first of them is this one of the chain, counted from 0.
    pub(crate) index: u32,
    pub(crate) cluster: u32,
    pub(crate) n_clusters: u32,
}

impl Run {
    /// The cluster behind its last one.
    fn end(&self) -> u32 {
        self.cluster.saturating_add(self.n_clusters)
    }
}

/// A chain of clusters, as far as it was followed.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    first: u32,
    runs: Vec<Run>,
    n_clusters: u32,
    /// Why it goes no further: `None` at its end.
    stop: Option<String>,
    is_whole: bool,
}

impl Chain {
    pub(crate) fn new(first: u32) -> Self {
        Self {
            first,
            runs: Vec::new(),
            n_clusters: 0,
            stop: None,
            is_whole: false,
        }
    }

    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// Clusters that were found.
    pub(crate) fn n_clusters(&self) -> u32 {
        self.n_clusters
    }

    /// What is wrong at its end, if anything is.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.stop.as_deref()
    }

    /// The run that holds a cluster of the chain.
    pub(crate) fn run_of(&self, index: u32) -> Option<Run> {
        let after = self.runs.partition_point(|run| run.index <= index);
        let run = *self.runs.get(after.checked_sub(1)?)?;
        (index.checked_sub(run.index)? < run.n_clusters).then_some(run)
    }

    fn push(&mut self, cluster: u32) {
        match self.runs.last_mut() {
            Some(run) if run.end() == cluster => run.n_clusters = run.n_clusters.saturating_add(1),
            _ => self.runs.push(Run {
                index: self.n_clusters,
                cluster,
                n_clusters: 1,
            }),
        }
        self.n_clusters = self.n_clusters.saturating_add(1);
    }

    fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.end().saturating_sub(1))
    }

    fn end(&mut self, damage: Option<String>) {
        self.stop = damage;
        self.is_whole = true;
    }
}

/// The table of a volume, with the piece of it that was read last.
pub(crate) struct Table {
    window: Vec<u8>,
    window_at: u64,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            window: Vec::new(),
            window_at: 0,
        }
    }

    /// Follows a chain until it has that many clusters, or ends.
    pub(crate) fn follow(
        &mut self,
        slice: &mut Slice,
        boot: &Boot,
        chain: &mut Chain,
        n_clusters: u32,
    ) -> Result<()> {
        while !chain.is_whole && chain.n_clusters < n_clusters {
            let link = match chain.last() {
                None if boot.has(chain.first) => Link::Next(chain.first),
                None => Link::Nowhere(chain.first),
                Some(cluster) => self.link(slice, boot, cluster)?,
            };
            match link {
                // More clusters than there are: some of them came twice.
                Link::Next(_) if chain.n_clusters >= boot.n_clusters => {
                    chain.end(Some("its clusters run in a circle".to_owned()));
                }
                Link::Next(cluster) => chain.push(cluster),
                Link::End => chain.end(None),
                Link::Free => chain.end(Some("its chain leads to a free cluster".to_owned())),
                Link::Bad => chain.end(Some("its chain leads to a bad cluster".to_owned())),
                Link::Nowhere(number) => chain.end(Some(format!(
                    "its chain leads to cluster {number}, which this volume does not have"
                ))),
            }
        }
        Ok(())
    }

    fn link(&mut self, slice: &mut Slice, boot: &Boot, cluster: u32) -> Result<Link> {
        let link = self.link_in(slice, boot, boot.active, cluster)?;
        // Damage in one table, and a sound link in its copy. A free cluster is no such case: the table
        // may be newer than the copy.
        if matches!(link, Link::Nowhere(_)) && boot.is_mirrored {
            for copy in 1..boot.n_fats {
                let other = self.link_in(slice, boot, copy, cluster)?;
                if matches!(other, Link::Next(_) | Link::End) {
                    return Ok(other);
                }
            }
        }
        Ok(link)
    }

    fn link_in(&mut self, slice: &mut Slice, boot: &Boot, fat: u64, cluster: u32) -> Result<Link> {
        let number = u64::from(cluster);
        let (offset, width) = match boot.width {
            Width::Twelve => (number * 3 / 2, 2),
            Width::Sixteen => (number * 2, 2),
            Width::ThirtyTwo => (number * 4, 4),
        };
        let fat_start = fat
            .saturating_mul(boot.fat_bytes)
            .saturating_add(boot.fat_start);
        let raw = self.number(slice, fat_start.saturating_add(offset), width)?;
        let (value, limit) = match boot.width {
            Width::Twelve if cluster % 2 == 1 => (raw >> 4, 0xFF7),
            Width::Twelve => (raw & 0xFFF, 0xFF7),
            Width::Sixteen => (raw, 0xFFF7),
            Width::ThirtyTwo => (raw & 0x0FFF_FFFF, 0x0FFF_FFF7),
        };
        Ok(match value {
            0 => Link::Free,
            next if boot.has(next) => Link::Next(next),
            end if end > limit => Link::End,
            bad if bad == limit => Link::Bad,
            nowhere => Link::Nowhere(nowhere),
        })
    }

    /// A number of the table, little-endian.
    fn number(&mut self, slice: &mut Slice, at: u64, width: usize) -> Result<u32> {
        let within = |start: u64, len: usize| -> Option<usize> {
            let within = usize::try_from(at.checked_sub(start)?).ok()?;
            (within.checked_add(width)? <= len).then_some(within)
        };
        let found = match within(self.window_at, self.window.len()) {
            Some(found) => found,
            None => {
                let left = slice.len_bytes().saturating_sub(at).min(WINDOW_BYTES);
                let len = usize::try_from(left).unwrap_or(0);
                if len < width {
                    return Err(Error::Corrupt {
                        what: "its file allocation table lies beyond its end".to_owned(),
                        offset: Some(at),
                    });
                }
                self.window.resize(len, 0);
                // A failed read must not leave bytes that count as read.
                self.window_at = u64::MAX;
                slice.read_at(at, &mut self.window)?;
                self.window_at = at;
                0
            }
        };
        let bytes = self
            .window
            .get(found..)
            .and_then(|rest| rest.get(..width))
            .unwrap_or(&[]);
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }
}
