//! VMs: the list, and their disks (contract 3.3).

use sendense_types::{AppError, ErrorKind, Retry, Vm, VmDisk};
use sendense_words as words;

use super::{HubClient, session::is_missing, wire};
use crate::Result;

impl HubClient {
    /// All VMs the hub knows, by name.
    pub async fn vms(&self) -> Result<Vec<Vm>> {
        let answer = self.get(self.v1(&["vm-contexts"])?).await?;
        self.hear_zone(wire::times_of_vms(&answer));
        wire::vms(&answer)
    }

    /// The VM with that id or name. Ids come first, then names as they are, then names but for case.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Conflict` when the name means several (contract H32).
    pub async fn find_vm(&self, id_or_name: &str) -> Result<Vm> {
        let vms = self.vms().await?;
        let lower = id_or_name.to_lowercase();
        let matches: [&dyn Fn(&Vm) -> bool; 3] = [
            &|vm| vm.context_id.as_str() == id_or_name,
            &|vm| vm.vm_name == id_or_name,
            &|vm| vm.vm_name.to_lowercase() == lower,
        ];
        for is_meant in matches {
            let mut found = vms.iter().filter(|vm| is_meant(vm));
            let (Some(vm), another) = (found.next(), found.next()) else {
                continue;
            };
            return match another {
                None => Ok(vm.clone()),
                Some(other) => Err(AppError::new(
                    ErrorKind::Conflict,
                    words::failures::several_vms(id_or_name),
                    Retry::Never,
                )
                .with_hint(words::failures::name_by_id(
                    &vm.context_id,
                    &other.context_id,
                ))),
            };
        }
        Err(AppError::new(
            ErrorKind::NotFound,
            words::failures::no_vm_called(id_or_name),
            Retry::Never,
        )
        .with_hint(words::failures::list_vms()))
    }

    /// The disks of a VM in backup order: by id as deployed hubs want it, by name as documented (contract D12).
    pub async fn vm_disks(&self, vm: &Vm) -> Result<Vec<VmDisk>> {
        let by_id = self.v1(&["vm-contexts", vm.context_id.as_str(), "disks"])?;
        match self.get(by_id).await {
            Err(error) if is_missing(&error) => {}
            answer => {
                let disks = wire::vm_disks(&answer?)?;
                if !disks.is_empty() {
                    return Ok(disks);
                }
            }
        }
        let by_name = self.v1(&["vm-contexts", &vm.vm_name, "disks"])?;
        wire::vm_disks(&self.get(by_name).await?)
    }
}
