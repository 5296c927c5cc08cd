//! Machine definitions: well-formed whatever the VM is called, and of the disks beside them.

use std::fs;

use sendense_tests::tool;

use super::{Kept, assert_restored, names};

/// A VM that its description calls so.
fn called(name: &str) -> Kept {
    let kept = Kept::new(1 << 20);
    let folder = kept.path("named");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("disk.raw"), vec![9; 1 << 20]).unwrap();
    let name = name
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\n', "&#10;");
    let xml = format!(
        "<domain type='kvm'><name>{name}</name><memory unit='MiB'>3072</memory><vcpu>3</vcpu>\
         <os><type>hvm</type></os><devices><disk type='file' device='disk'><driver type='raw'/>\
         <source file='disk.raw'/><target dev='vda'/></disk></devices></domain>"
    );
    fs::write(folder.join("machine.xml"), xml).unwrap();
    kept.run(&["vm", "discover", "named"]);
    kept
}

const HOSTILE: [&str; 6] = [
    "plain",
    "Löwe & <Sohn> \"x\" 'y' ]]> \u{1f981}",
    "../../up",
    "quote\" # | |22 = end",
    "line\nbreak",
    "-rf",
];

#[test]
fn full_restore_definitions_are_well_formed_and_name_the_machine_and_its_disks() {
    for name in HOSTILE {
        let kept = called(name);
        let vms = kept.run(&["vm", "list"]);
        let vm = vms["vm_contexts"]
            .as_array()
            .unwrap()
            .iter()
            .find(|vm| vm["memory_mb"] == 3072)
            .unwrap_or_else(|| panic!("{name}: {vms}"));
        let shown_name = vm["vm_name"].as_str().unwrap();
        let id = vm["context_id"].as_str().unwrap();
        let backup = kept.run(&["backup", "start", id, "--wait"]);
        let backup = backup["backup_id"].as_str().unwrap();
        let restore = |format: &str, definition: &str| {
            let target = kept.target(definition);
            let folder = target.to_str().unwrap();
            let args = ["restore", "vm", backup, "-o", folder, "--format", format];
            let outcome = kept.command(&args).args(["--definition", definition]);
            outcome.run();
            let all = names(&target);
            assert_eq!(all.len(), 2, "{all:?}");
            let image = all.iter().find(|name| name.ends_with(format)).unwrap();
            let definition = all.iter().find(|name| *name != image).unwrap();
            assert_restored(&target.join(image), format, &kept.path("named/disk.raw"));
            (target.clone(), image.clone(), target.join(definition))
        };
        let xml_says = |file: &std::path::Path, path: &str| {
            let script = "import sys, xml.etree.ElementTree as tree\n\
                 root = tree.parse(sys.argv[1]).getroot()\n\
                 path, _, attribute = sys.argv[2].partition('@')\n\
                 found = root if path == '.' else root.find(path)\n\
                 print(found.get(attribute) if attribute else found.text)";
            let said = tool("python3").args(["-c", script]).arg(file).arg(path);
            said.run().text().trim_end_matches('\n').to_owned()
        };

        let (folder, image, xml) = restore("qcow2", "libvirt");
        let plain_name = shown_name.replace('\n', " ").replace('/', "-");
        assert_eq!(xml_says(&xml, "name"), plain_name.trim());
        assert_eq!(xml_says(&xml, "vcpu"), "3");
        assert_eq!(xml_says(&xml, "memory"), "3072");
        let source = xml_says(&xml, "devices/disk/source@file");
        assert_eq!(source, folder.join(&image).to_str().unwrap());

        let (_, image, vbox) = restore("vdi", "virtualbox");
        let machine = "{http://www.virtualbox.org/}Machine";
        let medium = "{http://www.virtualbox.org/}MediaRegistry/{http://www.virtualbox.org/}HardDisks/\
                      {http://www.virtualbox.org/}HardDisk";
        let said = xml_says(&vbox, &format!("{machine}@name"));
        assert_eq!(said, shown_name.replace('\n', " ").trim());
        assert_eq!(
            xml_says(&vbox, &format!("{machine}/{medium}@location")),
            image
        );
        // VirtualBox knows the disk by the id in its header.
        let id = xml_says(&vbox, &format!("{machine}/{medium}@uuid"));
        let bytes = fs::read(vbox.with_file_name(&image)).unwrap();
        let head = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let hex: String = head
            .iter()
            .map(|at| format!("{:02x}", bytes[0x188 + at]))
            .collect();
        assert_eq!(id.replace(['{', '}', '-'], ""), hex);

        let (_, image, vmx) = restore("vmdk", "vmware");
        let text = fs::read_to_string(&vmx).unwrap();
        for line in text.lines() {
            let (key, value) = line.split_once(" = ").unwrap();
            assert!(!key.contains([' ', '"']), "{line}");
            let inside = value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            assert!(!inside.unwrap().contains('"'), "{line}");
        }
        let expected = format!("sata0:0.fileName = \"{image}\"");
        assert!(text.lines().any(|line| line == expected), "{text}");
        assert!(text.contains("memsize = \"3072\"\n") && text.contains("numvcpus = \"3\"\n"));
    }
}
