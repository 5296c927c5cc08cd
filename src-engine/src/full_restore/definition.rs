//! Machine definitions: a machine that runs from the restored disks, made from what the backup knows of the VM.
//!
//! A backup knows the name of a VM, how many processors and how much memory it has, and what it calls its system; what
//! its disks were attached to it does not know. They are attached by SATA, which every system of the last fifteen years
//! starts from without further drivers. Whether it starts by UEFI is seen on its first disk.

use std::fmt::Write;

use quick_xml::escape::escape;
use sendense_types::{ImageFormat, MachineDefinition};
use uuid::Uuid;

use super::{
    format::{vdi, vmdk},
    layout::Identity,
};

/// What most machines have, where the backup does not know it.
const CPUS: u32 = 2;
const MEMORY_MB: u64 = 2048;
/// So many disks a controller of VirtualBox takes, and one of VMware.
const VIRTUALBOX_PORTS: usize = 30;
const VMWARE_PORTS: usize = 30;

/// How a machine finds its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firmware {
    /// By the first sector of its first disk.
    Bios,
    /// By a file in a partition that is there for it.
    Uefi,
}

/// A machine to be described.
#[derive(Clone, Debug)]
pub(crate) struct Machine<'m> {
    pub(crate) name: &'m str,
    pub(crate) id: Uuid,
    pub(crate) cpu_count: Option<u32>,
    pub(crate) memory_mb: Option<u64>,
    pub(crate) os_type: Option<&'m str>,
    pub(crate) firmware: Firmware,
    pub(crate) format: ImageFormat,
    /// In order; their files lie beside the definition.
    pub(crate) disks: Vec<&'m Identity>,
    /// The folder that all of it lies in.
    pub(crate) folder: &'m str,
}

impl Machine<'_> {
    /// What is written into the file; empty for none.
    pub(crate) fn described(&self, definition: MachineDefinition) -> String {
        match definition {
            MachineDefinition::None => String::new(),
            MachineDefinition::Libvirt => self.libvirt(),
            MachineDefinition::Virtualbox => self.virtualbox(),
            MachineDefinition::Vmware => self.vmware(),
        }
    }

    fn cpus(&self) -> u32 {
        self.cpu_count.filter(|cpus| *cpus > 0).unwrap_or(CPUS)
    }

    fn memory_mb(&self) -> u64 {
        self.memory_mb
            .filter(|memory| *memory > 0)
            .unwrap_or(MEMORY_MB)
    }

    fn is_windows(&self) -> bool {
        let os_type = self.os_type.unwrap_or_default().to_lowercase();
        os_type.contains("win") && !os_type.contains("darwin")
    }

    /// <https://libvirt.org/formatdomain.html>
    fn libvirt(&self) -> String {
        let name = one_line(self.name).replace('/', "-");
        let firmware = match self.firmware {
            Firmware::Bios => "",
            Firmware::Uefi => " firmware='efi'",
        };
        let clock = match self.is_windows() {
            true => "localtime",
            false => "utc",
        };
        let mut disks = String::new();
        for (number, disk) in self.disks.iter().enumerate() {
            let path = format!("{}/{}", self.folder.trim_end_matches('/'), disk.file_name);
            let _ = write!(
                disks,
                "    <disk type='file' device='disk'>\n      \
                   <driver name='qemu' type='{}'/>\n      \
                   <source file='{}'/>\n      \
                   <target dev='{}' bus='sata'/>\n      \
                   <boot order='{}'/>\n    \
                 </disk>\n",
                self.format.as_str(),
                xml(&path),
                device(number),
                number + 1,
            );
        }
        format!(
            "<domain type='kvm'>\n  \
               <name>{}</name>\n  \
               <uuid>{}</uuid>\n  \
               <memory unit='MiB'>{}</memory>\n  \
               <vcpu>{}</vcpu>\n  \
               <os{firmware}>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n  \
               <features>\n    <acpi/>\n    <apic/>\n  </features>\n  \
               <cpu mode='host-passthrough'/>\n  \
               <clock offset='{clock}'/>\n  \
               <devices>\n{disks}    \
                 <interface type='network'>\n      <source network='default'/>\n      <model type='e1000e'/>\n    </interface>\n    \
                 <serial type='pty'/>\n    \
                 <input type='tablet' bus='usb'/>\n    \
                 <graphics type='vnc' autoport='yes'/>\n    \
                 <video>\n      <model type='vga'/>\n    </video>\n  \
               </devices>\n\
             </domain>\n",
            xml(&name),
            self.id,
            self.memory_mb(),
            self.cpus(),
        )
    }

    /// As VirtualBox 7 writes it.
    fn virtualbox(&self) -> String {
        let firmware = match self.firmware {
            Firmware::Bios => "BIOS",
            Firmware::Uefi => "EFI",
        };
        let system = match (self.is_windows(), self.os_type) {
            (true, _) => "WindowsNT_64",
            (false, None) => "Other_64",
            (false, Some(_)) => "Linux_64",
        };
        let (kind, purpose) = match self.format {
            ImageFormat::Vdi => ("VDI", vdi::MEDIUM),
            _ => ("VMDK", vmdk::MEDIUM),
        };
        let disks = &self.disks[..self.disks.len().min(VIRTUALBOX_PORTS)];
        let mut media = String::new();
        let mut attached = String::new();
        for (number, disk) in disks.iter().enumerate() {
            let id = disk.id(purpose);
            let _ = writeln!(
                media,
                "        <HardDisk uuid=\"{{{id}}}\" location=\"{}\" format=\"{kind}\" type=\"Normal\"/>",
                xml(&disk.file_name)
            );
            let _ = writeln!(
                attached,
                "        <AttachedDevice type=\"HardDisk\" hotpluggable=\"false\" port=\"{number}\" device=\"0\">\n          \
                   <Image uuid=\"{{{id}}}\"/>\n        \
                 </AttachedDevice>"
            );
        }
        format!(
            "<?xml version=\"1.0\"?>\n\
             <VirtualBox xmlns=\"http://www.virtualbox.org/\" version=\"1.16-linux\">\n  \
               <Machine uuid=\"{{{}}}\" name=\"{}\" OSType=\"{system}\" snapshotFolder=\"Snapshots\">\n    \
                 <MediaRegistry>\n      <HardDisks>\n{media}      </HardDisks>\n    </MediaRegistry>\n    \
                 <Hardware>\n      \
                   <CPU count=\"{}\">\n        <PAE enabled=\"true\"/>\n        <LongMode enabled=\"true\"/>\n      </CPU>\n      \
                   <Memory RAMSize=\"{}\"/>\n      \
                   <Firmware type=\"{firmware}\"/>\n      \
                   <Boot>\n        <Order position=\"1\" device=\"HardDisk\"/>\n      </Boot>\n      \
                   <Display controller=\"VMSVGA\" VRAMSize=\"16\"/>\n      \
                   <BIOS>\n        <IOAPIC enabled=\"true\"/>\n      </BIOS>\n      \
                   <Network>\n        \
                     <Adapter slot=\"0\" enabled=\"true\" type=\"82540EM\">\n          <NAT/>\n        </Adapter>\n      \
                   </Network>\n    \
                 </Hardware>\n    \
                 <StorageControllers>\n      \
                   <StorageController name=\"SATA\" type=\"AHCI\" PortCount=\"{}\" useHostIOCache=\"false\" Bootable=\"true\">\n\
             {attached}      </StorageController>\n    \
                 </StorageControllers>\n  \
               </Machine>\n\
             </VirtualBox>\n",
            self.id,
            xml(&one_line(self.name)),
            self.cpus(),
            self.memory_mb(),
            disks.len().max(1),
        )
    }

    /// As VMware Workstation writes it.
    fn vmware(&self) -> String {
        let firmware = match self.firmware {
            Firmware::Bios => "bios",
            Firmware::Uefi => "efi",
        };
        // Its own description may have been one of VMware's, whose words these are.
        let known = self.os_type.filter(|os_type| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !os_type.is_empty() && os_type.chars().all(is_plain)
        });
        let system = match (known, self.is_windows()) {
            (Some(known), _) if known.ends_with("-64") => known,
            (_, true) => "windows9-64",
            (_, false) => "other5xlinux-64",
        };
        let memory_mb = self.memory_mb().next_multiple_of(4);
        let mut text = String::new();
        let mut put = |key: &str, value: &str| {
            let _ = writeln!(text, "{key} = \"{}\"", vmx(value));
        };
        put(".encoding", "UTF-8");
        put("config.version", "8");
        put("virtualHW.version", "10");
        put("displayName", &one_line(self.name));
        put("guestOS", system);
        put("firmware", firmware);
        put("numvcpus", &self.cpus().to_string());
        put("memsize", &memory_mb.to_string());
        put("uuid.bios", &vmware_id(self.id));
        put("pciBridge0.present", "TRUE");
        for (number, function) in [(4, "8"), (5, "8"), (6, "8"), (7, "8")] {
            put(&format!("pciBridge{number}.present"), "TRUE");
            put(&format!("pciBridge{number}.virtualDev"), "pcieRootPort");
            put(&format!("pciBridge{number}.functions"), function);
        }
        put("vmci0.present", "TRUE");
        put("ethernet0.present", "TRUE");
        put("ethernet0.connectionType", "nat");
        put("ethernet0.virtualDev", "e1000");
        put("ethernet0.addressType", "generated");
        for (number, disk) in self.disks.iter().enumerate() {
            let (controller, port) = (number / VMWARE_PORTS, number % VMWARE_PORTS);
            if port == 0 {
                put(&format!("sata{controller}.present"), "TRUE");
            }
            put(&format!("sata{controller}:{port}.present"), "TRUE");
            put(
                &format!("sata{controller}:{port}.fileName"),
                &disk.file_name,
            );
        }
        text
    }
}

/// `sda`, `sdb`, … `sdz`, `sdaa`, …
fn device(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            break;
        }
        number -= 1;
    }
    format!("sd{}", letters.iter().rev().collect::<String>())
}

/// `56 4d ... -...`: two halves of eight bytes.
fn vmware_id(id: Uuid) -> String {
    let bytes = id.as_bytes().map(|byte| format!("{byte:02x}"));
    format!("{}-{}", bytes[..8].join(" "), bytes[8..].join(" "))
}

/// A name on one line, without what no text may hold.
fn one_line(name: &str) -> String {
    let visible = name.chars().map(|character| match character {
        character if character.is_control() => ' ',
        '\u{fffe}' | '\u{ffff}' => ' ',
        character => character,
    });
    let line: String = visible.collect();
    match line.trim() {
        "" => "vm".to_owned(),
        line => line.to_owned(),
    }
}

fn xml(text: &str) -> String {
    escape(text).into_owned()
}

/// What would end a value, or begin an escape, is written as its number.
fn vmx(value: &str) -> String {
    let mut escaped = String::new();
    for character in value.chars() {
        match character {
            '"' | '|' | '#' => {
                let _ = write!(escaped, "|{:02X}", u32::from(character));
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
