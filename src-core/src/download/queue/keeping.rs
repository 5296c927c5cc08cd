//! What of the queue outlives the app: downloads that are not done are on record, and paused at the next start.

use std::collections::{BTreeMap, BTreeSet};

use sendense_types::{Download, DownloadId, DownloadState, HubId};

use super::{Inner, Job, Queue, Source, shown};
use crate::download::record::Unfinished;
use crate::download::{Destination, Existing};

impl Inner {
    /// Takes on what was not done when the app ended, of the hubs of which that is not known yet.
    async fn recall(&self, recorded: &mut BTreeSet<HubId>) {
        let saved = self.session.state().hubs.into_iter().map(|hub| hub.id);
        for hub in saved.chain([HubId::this_computer()]) {
            if !recorded.insert(hub.clone()) {
                continue;
            }
            for row in self.record.of(&hub).await {
                let download = self.queue().take_on(&hub, row);
                self.publish(&download);
            }
        }
    }

    /// Reads what is on record.
    pub(super) async fn read_record(&self) {
        let mut recorded = self.recorded.lock().await;
        self.recall(&mut recorded).await;
    }

    /// Puts what is not done on record, after reading what was.
    pub(super) async fn write_record(&self) {
        let mut recorded = self.recorded.lock().await;
        self.recall(&mut recorded).await;
        let mut rows: BTreeMap<HubId, Vec<Unfinished>> = BTreeMap::new();
        for job in self.queue().jobs.values() {
            if let Some(row) = job.unfinished() {
                rows.entry(job.source.hub.clone()).or_default().push(row);
            }
        }
        recorded.extend(rows.keys().cloned());
        for hub in recorded.iter() {
            let rows = rows.remove(hub).unwrap_or_default();
            self.record.replace(hub, rows).await;
        }
    }
}

impl Job {
    /// What is to be recorded of it; nothing where nobody could go on with it.
    fn unfinished(&self) -> Option<Unfinished> {
        let download = &self.download;
        if matches!(
            download.state,
            DownloadState::Done { .. } | DownloadState::Cancelled
        ) {
            return None;
        }
        Some(Unfinished {
            backup_id: self.source.backup_id.clone()?,
            disk_index: self.source.disk_index?,
            mount_id: download.mount_id.clone(),
            vm_name: download.vm_name.clone(),
            path: download.path.clone(),
            kind: download.kind,
            place: self.destination.path.clone(),
            replaces: self.destination.existing == Existing::Replace,
            progress: download.progress.clone(),
        })
    }
}

impl Queue {
    /// Takes on a download of the last start.
    fn take_on(&mut self, hub: &HubId, row: Unfinished) -> Download {
        let (name, folder) = shown(&row.place);
        self.last_id += 1;
        let download = Download {
            download_id: DownloadId(self.last_id),
            name,
            folder,
            mount_id: row.mount_id,
            path: row.path,
            vm_name: row.vm_name.clone(),
            kind: row.kind,
            size_bytes: None,
            modified_time: None,
            state: DownloadState::Paused,
            progress: row.progress,
        };
        let job = Job {
            download: download.clone(),
            destination: Destination {
                path: row.place,
                existing: match row.replaces {
                    true => Existing::Replace,
                    false => Existing::Keep,
                },
            },
            source: Source {
                hub: hub.clone(),
                backup_id: Some(row.backup_id),
                disk_index: Some(row.disk_index),
                vm_name: row.vm_name,
            },
            hold: None,
            failed: Vec::new(),
        };
        self.jobs.insert(download.download_id, job);
        download
    }
}
