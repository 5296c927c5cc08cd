//! Finding VMs and adding them: in a folder of the hub's computer, or on a vCenter (contract 3.4).

use sendense_types::{
    AddedVms, AppError, DiscoveredVm, ErrorKind, Retry, VcenterCredential, Vm, VmSource,
};
use sendense_words as words;
use serde_json::{Value, json};

use super::{
    HubClient,
    request::{Effect, unseen},
    session::is_missing,
    wire,
};
use crate::Result;

/// Deployed hubs make ids of names, in columns of 64 characters: a VM with a longer name may be added, and cannot be
/// backed up (contract H6).
const LONGEST_NAME: usize = 35;

impl HubClient {
    /// The sign-ins for vCenters that the hub keeps and still uses, the default one first.
    ///
    /// # Errors
    /// `Unsupported` on hubs that know no vCenters.
    pub async fn vcenter_credentials(&self) -> Result<Vec<VcenterCredential>> {
        match self.get(self.v1(&["vmware-credentials"])?).await {
            Err(error) if is_missing(&error) => Err(AppError::new(
                ErrorKind::Unsupported,
                words::discovery::no_vcenters(),
                Retry::Never,
            )),
            answer => wire::vcenter_credentials(&answer?),
        }
    }

    /// Looks for VMs and adds none. On a vCenter that takes 14 to 20 seconds; a caller that no longer waits ends it.
    ///
    /// # Errors
    /// `Cut` when the hub gave no answer: deployed hubs cannot after 15 seconds (contract 3.4, section 12).
    pub async fn discover_vms(&self, source: &VmSource) -> Result<Vec<DiscoveredVm>> {
        let mut body = asked_of(source);
        // Said explicitly: deployed hubs add everything they find when told to create (contract H33).
        body["create_context"] = false.into();
        let url = self.v1(&["discovery", "discover-vms"])?;
        let answer = self.post(url, &body, effect_on(source)).await;
        let answer = answer.map_err(|error| match error.kind {
            ErrorKind::OutcomeUnknown => {
                AppError::new(ErrorKind::Cut, words::discovery::no_list(), Retry::Manual)
                    .with_hint(words::discovery::no_list_hint())
                    .with_details(error.details.unwrap_or_default())
            }
            _ => error,
        })?;
        let mut found = wire::discovered(&answer)?;
        if let VmSource::Vcenter { .. } = source {
            for vm in &mut found {
                if vm.name.chars().count() > LONGEST_NAME {
                    let problem = || words::discovery::name_too_long(LONGEST_NAME);
                    vm.problem.get_or_insert_with(problem);
                }
            }
        }
        Ok(found)
    }

    /// Adds VMs to those the hub knows. Those it knows already are brought up to date where the hub does that.
    ///
    /// # Errors
    /// `OutcomeUnknown` when the hub gave no answer and lists none of them.
    pub async fn add_vms(&self, source: &VmSource, names: &[String]) -> Result<AddedVms> {
        if names.is_empty() {
            return Ok(AddedVms::default());
        }
        let mut body = asked_of(source);
        body["vm_names"] = names.into();
        let url = self.v1(&["discovery", "add-vms"])?;
        let (processed, lost) = match self.post(url, &body, effect_on(source)).await {
            Ok(answer) => (wire::processed(&answer)?, None),
            // The hub looks for them again, and does not answer when that takes too long; it may have added them.
            Err(error) if error.kind == ErrorKind::OutcomeUnknown => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        // Hubs leave names out of their answer, so what counts is the list (contract 3.4).
        let known = self.vms().await;
        let known = known.map_err(|error| lost.clone().unwrap_or_else(|| unseen(&error)))?;
        let mut added = AddedVms::default();
        for name in names {
            let row = processed.iter().find(|row| row.vm_name == *name);
            let id = row.and_then(|row| row.context_id.as_ref());
            let refused = row.and_then(|row| row.error.clone());
            let is_it = |vm: &&Vm| match id {
                Some(id) => vm.context_id == *id,
                None => refused.is_none() && vm.vm_name == *name,
            };
            match known.iter().find(is_it) {
                Some(vm) => added.vms.push(vm.clone()),
                None => added.failed.push((name.clone(), refused)),
            }
        }
        match lost {
            Some(error) if added.vms.is_empty() => Err(error),
            _ => Ok(added),
        }
    }
}

fn asked_of(source: &VmSource) -> Value {
    match source {
        VmSource::Folder { folder } => json!({ "source": { "folder": folder } }),
        // Never the sign-in itself: a VM that is added with it can never be backed up (contract 3.4).
        VmSource::Vcenter { credential_id } => json!({ "credential_id": credential_id }),
    }
}

/// A folder is looked through in a moment. What takes a hub too long once takes it too long again.
fn effect_on(source: &VmSource) -> Effect {
    match source {
        VmSource::Folder { .. } => Effect::Repeatable,
        VmSource::Vcenter { .. } => Effect::Once,
    }
}
