//! libvirt domain XML, as `virsh dumpxml` writes it and `/etc/libvirt/qemu` keeps it.
//! Format: libvirt.org, "Domain XML format".

use super::{DescribedDisk, Description, xml::Element};
use crate::unclear::NotXml;

/// Reads a domain; `None` for XML files that are something else.
pub(crate) fn parse(text: &str) -> Result<Option<Description>, NotXml> {
    // Other XML files, sound or not, are none of our business.
    if !text.contains("<domain") {
        return Ok(None);
    }
    let domain = Element::parse(text)?;
    if domain.name != "domain" {
        return Ok(None);
    }
    let disks = domain
        .at(&["devices"])
        .into_iter()
        .flat_map(|devices| devices.all("disk"))
        // Without the attribute it is a disk.
        .filter(|disk| {
            disk.attribute("device")
                .is_none_or(|device| device == "disk")
        })
        .filter_map(described_disk)
        .collect();
    Ok(Some(Description {
        id: domain.text_at(&["uuid"]).map(str::to_owned),
        name: domain.text_at(&["name"]).map(str::to_owned),
        num_cpu: domain.text_at(&["vcpu"]).and_then(|text| text.parse().ok()),
        memory_mb: domain.at(&["memory"]).and_then(memory_mb),
        guest_os: guest_os(&domain),
        // Only a running domain has a number.
        power_state: domain.attribute("id").map(|_| "poweredOn".to_owned()),
        disks,
    }))
}

/// `None` where the drive is empty.
fn described_disk(disk: &Element) -> Option<DescribedDisk> {
    let source = disk.at(&["source"])?;
    if let Some(file) = source.attribute("file") {
        let driver = disk.at(&["driver"]);
        return Some(DescribedDisk::File {
            path: file.to_owned(),
            format: driver
                .and_then(|driver| driver.attribute("type"))
                .map(str::to_owned),
        });
    }
    let what = |kind: &str, name: Option<&str>| {
        DescribedDisk::Elsewhere(match name {
            Some(name) => format!("{kind} {name}"),
            None => kind.to_owned(),
        })
    };
    Some(match disk.attribute("type") {
        Some("block") => what("the block device", source.attribute("dev")),
        Some("network") => what("the network disk", source.attribute("name")),
        Some("volume") => what("the storage pool volume", source.attribute("volume")),
        _ => what(
            "the disk",
            disk.at(&["target"])
                .and_then(|target| target.attribute("dev")),
        ),
    })
}

/// libvirt counts in KiB unless it says otherwise.
fn memory_mb(memory: &Element) -> Option<u64> {
    let amount: u64 = memory.text.parse().ok()?;
    let unit_bytes: u64 = match memory.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1024,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    };
    Some(amount.checked_mul(unit_bytes)? >> 20)
}

/// libosinfo names systems by an address such as `http://microsoft.com/win/10`.
fn guest_os(domain: &Element) -> Option<String> {
    let id = domain
        .at(&["metadata", "libosinfo", "os"])?
        .attribute("id")?;
    Some(
        match id {
            id if id.contains("microsoft.com") => "windows",
            id if id.contains("apple.com") => "macos",
            id if id.contains("bsd.org") || id.contains("oracle.com/solaris") => "other",
            _ => "linux",
        }
        .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_tells_name_size_system_and_disks() {
        let parsed = parse(
            "<domain type='kvm' id='3'>
               <name>web &amp; db</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
               <metadata><libosinfo:libosinfo xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>
                 <libosinfo:os id='http://microsoft.com/win/2k22'/></libosinfo:libosinfo></metadata>
               <memory unit='KiB'>4194304</memory><vcpu placement='static'>2</vcpu>
               <devices>
                 <disk type='file' device='cdrom'><source file='/iso/win.iso'/></disk>
                 <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/images/web.qcow2'/><target dev='vda'/></disk>
                 <disk type='block' device='disk'><source dev='/dev/vg/data'/><target dev='vdb'/></disk>
                 <disk type='file'><source file='second.raw'/></disk>
                 <disk type='file' device='disk'><target dev='vdd'/></disk>
               </devices>
             </domain>",
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            parsed,
            Description {
                id: Some("4dea22b3-1d52-d8f3-2516-782e98ab3fa0".to_owned()),
                name: Some("web & db".to_owned()),
                num_cpu: Some(2),
                memory_mb: Some(4096),
                guest_os: Some("windows".to_owned()),
                power_state: Some("poweredOn".to_owned()),
                disks: vec![
                    DescribedDisk::File {
                        path: "/images/web.qcow2".to_owned(),
                        format: Some("raw".to_owned()),
                    },
                    DescribedDisk::Elsewhere("the block device /dev/vg/data".to_owned()),
                    DescribedDisk::File {
                        path: "second.raw".to_owned(),
                        format: None,
                    },
                ],
            }
        );
    }

    #[test]
    fn other_xml_files_are_no_domains() {
        for text in [
            "<network><name>default</name></network>",
            "<domainsnapshot><name>s</name></domainsnapshot>",
            "not xml at all",
        ] {
            assert_eq!(parse(text).unwrap(), None, "{text}");
        }
        assert!(parse("<domain><name>cut").is_err());
    }

    #[test]
    fn memory_is_read_in_every_unit_and_never_overflows() {
        let memory = |text: &str| {
            parse(&format!("<domain>{text}</domain>"))
                .unwrap()
                .unwrap()
                .memory_mb
        };
        assert_eq!(memory("<memory>1048576</memory>"), Some(1024));
        assert_eq!(memory("<memory unit='GiB'>8</memory>"), Some(8192));
        assert_eq!(memory("<memory unit='MB'>2000</memory>"), Some(1907));
        assert_eq!(memory("<memory unit='parsec'>8</memory>"), None);
        assert_eq!(
            memory("<memory unit='TiB'>18446744073709551615</memory>"),
            None
        );
    }
}
