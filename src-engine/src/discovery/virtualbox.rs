//! VirtualBox VMs: `.vbox` files, XML in a format that VirtualBox documents only by example.

use std::collections::HashMap;

use super::{DescribedDisk, Description, natural, xml::Element};
use crate::unclear::BadDescription;

/// Reads a machine.
pub(crate) fn parse(text: &str) -> Result<Description, BadDescription> {
    let document = Element::parse(text)?;
    let machine = document
        .at(&["Machine"])
        .ok_or(BadDescription::NotVirtualBox)?;
    let mut locations: HashMap<String, DescribedDisk> = HashMap::new();
    if let Some(disks) = machine.at(&["MediaRegistry", "HardDisks"]) {
        collect_locations(disks, &mut locations);
    }
    let hardware = machine.at(&["Hardware"]);
    // Snapshots have a hardware of their own, further down: theirs does not count.
    let controllers = hardware
        .and_then(|hardware| hardware.at(&["StorageControllers"]))
        .or_else(|| machine.at(&["StorageControllers"]));
    Ok(Description {
        id: machine
            .attribute("uuid")
            .map(|uuid| uuid.trim_matches(['{', '}']).to_owned()),
        name: machine.attribute("name").map(str::to_owned),
        num_cpu: hardware.map(|hardware| number(hardware, "CPU", "count").unwrap_or(1)),
        memory_mb: hardware.and_then(|hardware| number(hardware, "Memory", "RAMSize")),
        guest_os: machine.attribute("OSType").map(guest_os),
        // A machine whose state was saved will go on from it: its disks are in the middle of things.
        power_state: machine
            .attribute("stateFile")
            .map(|_| "suspended".to_owned()),
        disks: controllers.map_or_else(Vec::new, |controllers| {
            attached_disks(controllers, &locations)
        }),
    })
}

/// Where each image lies. A disk with snapshots is nested in the one it builds on.
fn collect_locations(disks: &Element, locations: &mut HashMap<String, DescribedDisk>) {
    for disk in disks.all("HardDisk") {
        if let (Some(uuid), Some(location)) = (disk.attribute("uuid"), disk.attribute("location")) {
            let described = DescribedDisk::File {
                path: location.to_owned(),
                // Its QCOW stands for all versions; what that is, its first bytes say.
                format: disk.attribute("format").map(|format| {
                    match format.to_ascii_lowercase().as_str() {
                        "qcow" => "qcow2".to_owned(),
                        _ => format.to_owned(),
                    }
                }),
            };
            locations.insert(uuid.to_owned(), described);
        }
        collect_locations(disk, locations);
    }
}

fn attached_disks(
    controllers: &Element,
    locations: &HashMap<String, DescribedDisk>,
) -> Vec<DescribedDisk> {
    let mut attached: Vec<(String, DescribedDisk)> = controllers
        .all("StorageController")
        .enumerate()
        .flat_map(|(number, controller)| {
            controller
                .all("AttachedDevice")
                .map(move |device| (number, device))
        })
        .filter(|(_, device)| device.attribute("type") == Some("HardDisk"))
        .filter_map(|(number, device)| {
            let uuid = device.at(&["Image"])?.attribute("uuid")?;
            let disk = locations
                .get(uuid)
                .cloned()
                .unwrap_or_else(|| DescribedDisk::Elsewhere(format!("the disk {uuid}")));
            let place = |name| device.attribute(name).unwrap_or("0");
            Some((
                format!("{number} {} {}", place("port"), place("device")),
                disk,
            ))
        })
        .collect();
    attached.sort_by(|(a, _), (b, _)| natural::compare(a, b));
    attached.into_iter().map(|(_, disk)| disk).collect()
}

fn number<T: std::str::FromStr>(hardware: &Element, element: &str, attribute: &str) -> Option<T> {
    hardware.at(&[element])?.attribute(attribute)?.parse().ok()
}

/// `Windows11_64`, `Ubuntu_64`, `MacOS_64`, …
fn guest_os(os_type: &str) -> String {
    let os_type = os_type.to_ascii_lowercase();
    let starts_with = |names: &[&str]| names.iter().any(|name| os_type.starts_with(name));
    if starts_with(&["windows", "win"]) {
        "windows"
    } else if starts_with(&["macos"]) {
        "macos"
    } else if starts_with(&[
        "freebsd",
        "openbsd",
        "netbsd",
        "solaris",
        "opensolaris",
        "dos",
        "os2",
        "other",
    ]) {
        "other"
    } else {
        "linux"
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = r#"<?xml version="1.0"?>
<VirtualBox xmlns="http://www.virtualbox.org/" version="1.19-linux">
  <Machine uuid="{7f2d1f5e-0000-4000-8000-000000000001}" name="Büro" OSType="Windows11_64" snapshotFolder="Snapshots">
    <MediaRegistry><HardDisks>
      <HardDisk uuid="{aa}" location="Büro.vdi" format="VDI" type="Normal">
        <HardDisk uuid="{bb}" location="Snapshots/{bb}.vdi" format="VDI"/>
      </HardDisk>
      <HardDisk uuid="{cc}" location="data.vmdk" format="VMDK" type="Normal"/>
    </HardDisks></MediaRegistry>
    <Snapshot uuid="{dd}" name="s"><Hardware><CPU count="9"/></Hardware></Snapshot>
    <Hardware>
      <CPU count="4"/><Memory RAMSize="8192"/>
      <StorageControllers>
        <StorageController name="SATA" type="AHCI">
          <AttachedDevice type="HardDisk" port="10" device="0"><Image uuid="{cc}"/></AttachedDevice>
          <AttachedDevice type="HardDisk" port="2" device="0"><Image uuid="{bb}"/></AttachedDevice>
          <AttachedDevice type="DVD" port="1" device="0"><Image uuid="{ee}"/></AttachedDevice>
          <AttachedDevice type="HardDisk" port="11" device="0"><Image uuid="{ff}"/></AttachedDevice>
        </StorageController>
      </StorageControllers>
    </Hardware>
  </Machine>
</VirtualBox>"#;

    #[test]
    fn a_machine_tells_name_size_system_and_its_disks_by_port() {
        assert_eq!(
            parse(MACHINE).unwrap(),
            Description {
                id: Some("7f2d1f5e-0000-4000-8000-000000000001".to_owned()),
                name: Some("Büro".to_owned()),
                num_cpu: Some(4),
                memory_mb: Some(8192),
                guest_os: Some("windows".to_owned()),
                power_state: None,
                disks: vec![
                    DescribedDisk::File {
                        path: "Snapshots/{bb}.vdi".to_owned(),
                        format: Some("VDI".to_owned()),
                    },
                    DescribedDisk::File {
                        path: "data.vmdk".to_owned(),
                        format: Some("VMDK".to_owned()),
                    },
                    DescribedDisk::Elsewhere("the disk {ff}".to_owned()),
                ],
            }
        );
    }

    #[test]
    fn a_saved_machine_is_suspended() {
        let saved = MACHINE.replace("OSType=", "stateFile=\"Snapshots/x.sav\" OSType=");
        assert_eq!(
            parse(&saved).unwrap().power_state.as_deref(),
            Some("suspended")
        );
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        assert!(parse("<VirtualBox/>").is_err());
        assert!(parse("").is_err());
    }
}
