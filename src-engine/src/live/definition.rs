//! What boots a live machine: a script for QEMU, or a domain for libvirt.
//!
//! A backup knows the VM's name, its processors, its memory and what it runs, where its description said so. All else is
//! assumed, and said.

use std::path::PathBuf;

use quick_xml::escape::escape;
use sendense_disk::Image;

use crate::store::{backups::Backup, vms::Vm};

/// Where nobody knows better.
const MEMORY_MB: u64 = 2048;
const PROCESSORS: u32 = 2;
/// Type of an EFI system partition, as a GPT has it.
const EFI_SYSTEM: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];

/// Who boots the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionKind {
    /// A script that runs QEMU.
    Qemu,
    /// A domain for `virsh define`.
    Libvirt,
}

impl DefinitionKind {
    /// The kind that is called so.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "qemu" => Some(Self::Qemu),
            "libvirt" => Some(Self::Libvirt),
            _ => None,
        }
    }

    /// What the definition is called.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Qemu => "start.sh",
            Self::Libvirt => "domain.xml",
        }
    }
}

/// A disk of it.
pub(super) struct OverlayDisk {
    pub(super) file: PathBuf,
}

/// What is known of it.
pub(super) struct Machine {
    name: String,
    processors: Option<u32>,
    memory_mb: Option<u64>,
    is_windows: bool,
    has_efi: bool,
    disks: Vec<OverlayDisk>,
}

/// Whether a disk has a partition that EFI firmware boots from; what cannot be read has none.
pub(super) fn is_efi(image: &Image) -> bool {
    let mut header = [0; 512];
    let mut entries = [0; 128 * 128];
    image.read_at(512, &mut header).is_ok()
        && header.starts_with(b"EFI PART")
        && image.read_at(1024, &mut entries).is_ok()
        && entries
            .chunks(128)
            .any(|entry| entry.starts_with(&EFI_SYSTEM))
}

impl Machine {
    pub(super) fn new(
        backup: &Backup,
        vm: Option<&Vm>,
        disks: Vec<OverlayDisk>,
        has_efi: bool,
    ) -> Self {
        Self {
            name: backup.vm_name.clone(),
            processors: vm.and_then(|vm| vm.cpu_count).filter(|n| *n > 0),
            memory_mb: vm.and_then(|vm| vm.memory_mb).filter(|n| *n > 0),
            is_windows: vm
                .and_then(|vm| vm.os_type.as_deref())
                .is_some_and(|os| os.to_ascii_lowercase().contains("win")),
            has_efi,
            disks,
        }
    }

    /// What nobody knows, a sentence each.
    pub(super) fn assumed(&self) -> Vec<String> {
        let mut assumed = Vec::new();
        if self.memory_mb.is_none() {
            assumed.push(format!("Its memory is not known: it gets {MEMORY_MB} MiB."));
        }
        if self.processors.is_none() {
            assumed.push(format!(
                "Its processors are not known: it gets {PROCESSORS}."
            ));
        }
        assumed.push(match self.has_efi {
            true => "It boots with EFI, because a disk has an EFI system partition.".to_owned(),
            false => {
                "It boots with a BIOS, because no disk has an EFI system partition.".to_owned()
            }
        });
        assumed.push(match self.is_windows {
            true => {
                "Its disks are on a SATA controller, which Windows has a driver for.".to_owned()
            }
            false => "Its disks are on virtio.".to_owned(),
        });
        assumed.push(
            "It has no network, where it might meet the machine that it is a copy of.".to_owned(),
        );
        assumed
    }

    /// The text of the definition.
    pub(super) fn definition(&self, kind: DefinitionKind) -> String {
        match kind {
            DefinitionKind::Qemu => self.script(),
            DefinitionKind::Libvirt => self.domain(),
        }
    }

    fn script(&self) -> String {
        let mut script =
            "#!/bin/sh\n# Boots the machine. What is given behind its name is passed on to QEMU.\n"
                .to_owned();
        self.assumed()
            .iter()
            .for_each(|sentence| line(&mut script, &format!("# {sentence}")));
        let (memory, processors) = (self.memory_mb(), self.processors());
        line(
            &mut script,
            "# Without KVM the machine is emulated, which is slow.",
        );
        line(&mut script, "accel=${QEMU_ACCEL:--accel kvm -accel tcg}");
        line(&mut script, "exec qemu-system-x86_64 \\");
        // A comma ends a value.
        let name = quoted(&format!("guest={}", self.name.replace(',', ",,")));
        line(&mut script, &format!("    -name {name} \\"));
        line(&mut script, "    -machine q35 $accel -cpu max \\");
        line(
            &mut script,
            &format!("    -m {memory} -smp {processors} -nic none \\"),
        );
        if self.has_efi {
            line(
                &mut script,
                "    -drive if=pflash,format=raw,readonly=on,file=\"${OVMF:-/usr/share/OVMF/OVMF_CODE.fd}\" \\",
            );
        }
        let bus = if self.is_windows { "ide" } else { "virtio" };
        for disk in &self.disks {
            let file = disk.file.to_string_lossy().replace(',', ",,");
            let drive = quoted(&format!("file={file},format=qcow2,if={bus},discard=unmap"));
            line(&mut script, &format!("    -drive {drive} \\"));
        }
        line(&mut script, "    \"$@\"");
        script
    }

    fn domain(&self) -> String {
        let mut domain = "<domain type='kvm'>\n".to_owned();
        self.assumed().iter().for_each(|sentence| {
            line(&mut domain, &format!("  <!-- {sentence} -->"));
        });
        line(
            &mut domain,
            &format!("  <name>{} (live)</name>", escaped(&self.name)),
        );
        line(
            &mut domain,
            &format!("  <memory unit='MiB'>{}</memory>", self.memory_mb()),
        );
        line(
            &mut domain,
            &format!("  <vcpu>{}</vcpu>", self.processors()),
        );
        line(
            &mut domain,
            match self.has_efi {
                true => "  <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os>",
                false => "  <os><type arch='x86_64' machine='q35'>hvm</type></os>",
            },
        );
        line(&mut domain, "  <features><acpi/></features>");
        line(&mut domain, "  <cpu mode='host-passthrough'/>");
        line(&mut domain, "  <devices>");
        let (bus, prefix) = if self.is_windows {
            ("sata", "sd")
        } else {
            ("virtio", "vd")
        };
        for (disk, letters) in self.disks.iter().zip(letters()) {
            line(&mut domain, "    <disk type='file' device='disk'>");
            line(
                &mut domain,
                "      <driver name='qemu' type='qcow2' discard='unmap'/>",
            );
            let file = disk.file.to_string_lossy();
            line(
                &mut domain,
                &format!("      <source file='{}'/>", escaped(&file)),
            );
            line(
                &mut domain,
                &format!("      <target dev='{prefix}{letters}' bus='{bus}'/>"),
            );
            line(&mut domain, "    </disk>");
        }
        line(
            &mut domain,
            "    <serial type='pty'/>\n    <console type='pty'/>",
        );
        line(
            &mut domain,
            "    <graphics type='vnc' listen='127.0.0.1'/>\n    <video/>",
        );
        line(&mut domain, "  </devices>\n</domain>");
        domain
    }

    fn memory_mb(&self) -> u64 {
        self.memory_mb.unwrap_or(MEMORY_MB)
    }

    fn processors(&self) -> u32 {
        self.processors.unwrap_or(PROCESSORS)
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// `a` to `z`, `aa` and so on.
fn letters() -> impl Iterator<Item = String> {
    let letter = || ('a'..='z').map(String::from);
    letter().chain(
        letter().flat_map(move |first| letter().map(move |second| format!("{first}{second}"))),
    )
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Text or the value of an attribute in XML; what XML cannot say at all is left out.
fn escaped(text: &str) -> String {
    let sayable = text.chars().filter_map(|character| match character {
        '\n' | '\t' => Some(' '),
        character => (!character.is_control()).then_some(character),
    });
    escape(sayable.collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str, file: &str) -> Machine {
        Machine {
            name: name.to_owned(),
            processors: None,
            memory_mb: Some(4096),
            is_windows: false,
            has_efi: false,
            disks: vec![OverlayDisk { file: file.into() }],
        }
    }

    #[test]
    fn names_that_mean_something_to_a_shell_qemu_or_xml_stay_names() {
        let machine = machine("it's <web>, & \"$(db)\"", "/o'ne,two/&/disk0.qcow2");
        let script = machine.script();
        assert!(
            script.contains(r#"-name 'guest=it'\''s <web>,, & "$(db)"' \"#),
            "{script}"
        );
        let drive =
            r"-drive 'file=/o'\''ne,,two/&/disk0.qcow2,format=qcow2,if=virtio,discard=unmap' \";
        assert!(script.contains(drive), "{script}");
        let domain = machine.domain();
        let name = "<name>it&apos;s &lt;web&gt;, &amp; &quot;$(db)&quot; (live)</name>";
        assert!(domain.contains(name), "{domain}");
        let source = "<source file='/o&apos;ne,two/&amp;/disk0.qcow2'/>";
        assert!(domain.contains(source), "{domain}");
    }

    #[test]
    fn what_is_known_is_used_and_the_rest_is_said() {
        let mut one = machine("web", "/d");
        assert!(one.script().contains("-m 4096 -smp 2"));
        assert!(
            one.assumed()
                .iter()
                .any(|what| what.contains("processors are not known"))
        );
        assert!(
            !one.assumed()
                .iter()
                .any(|what| what.contains("memory is not known"))
        );
        assert!(one.script().contains("boots with a BIOS"));
        one.has_efi = true;
        one.is_windows = true;
        assert!(one.script().contains("OVMF") && one.script().contains("if=ide"));
        assert!(one.domain().contains("<os firmware='efi'>"));
        assert!(one.domain().contains("<target dev='sda' bus='sata'/>"));
        assert_eq!(letters().nth(26).as_deref(), Some("aa"));
    }
}
