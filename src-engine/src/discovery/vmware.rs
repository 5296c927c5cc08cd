//! VMware VMs: `.vmx` files, lines of `key = "value"`.

use super::{DescribedDisk, Description, natural};

/// Reads a machine. Lines that cannot be understood are passed over, as VMware does.
pub(crate) fn parse(text: &str) -> Description {
    let settings: Vec<(String, String)> = text.lines().filter_map(setting).collect();
    // The last one counts.
    let value = |key: &str| {
        settings
            .iter()
            .rev()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let is_true = |key: &str| value(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut drives: Vec<&str> = settings
        .iter()
        .filter_map(|(key, _)| key.strip_suffix(".filename"))
        .filter(|drive| is_drive(drive) && is_true(&format!("{drive}.present")))
        .filter(|drive| {
            value(&format!("{drive}.devicetype"))
                .is_none_or(|kind| kind.to_ascii_lowercase().contains("disk"))
        })
        .collect();
    drives.sort_by(|a, b| natural::compare(a, b));
    drives.dedup();
    Description {
        id: value("uuid.bios").map(str::to_owned),
        name: value("displayname").map(str::to_owned),
        num_cpu: Some(
            value("numvcpus")
                .and_then(|value| value.parse().ok())
                .unwrap_or(1),
        ),
        memory_mb: value("memsize").and_then(|value| value.parse().ok()),
        guest_os: value("guestos").map(guest_os),
        power_state: None,
        disks: drives
            .into_iter()
            .filter_map(|drive| value(&format!("{drive}.filename")))
            .map(vmdk)
            .collect(),
    }
}

/// VMware knows no other format.
fn vmdk(path: &str) -> DescribedDisk {
    DescribedDisk::File {
        path: path.to_owned(),
        format: Some("vmdk".to_owned()),
    }
}

/// `key = "value"`, the key in lower case because VMware does not mind either.
fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    let value = value.trim();
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    Some((key.trim().to_ascii_lowercase(), unescape(value)))
}

/// `|22` is a quotation mark: a bar and the character's number in hexadecimal.
fn unescape(value: &str) -> String {
    let mut parts = value.split('|');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .split_at_checked(2)
            .and_then(|(code, rest)| Some((u8::from_str_radix(code, 16).ok()?, rest)));
        match code {
            Some((code, rest)) => {
                text.push(char::from(code));
                text.push_str(rest);
            }
            None => {
                text.push('|');
                text.push_str(part);
            }
        }
    }
    text
}

/// `scsi0:0`, `ide1:0`, `sata0:3`, `nvme0:0`: a bus, a controller, a unit.
fn is_drive(key: &str) -> bool {
    ["scsi", "ide", "sata", "nvme"].iter().any(|bus| {
        key.strip_prefix(bus)
            .and_then(|place| place.split_once(':'))
            .is_some_and(|(controller, unit)| {
                controller.parse::<u8>().is_ok() && unit.parse::<u8>().is_ok()
            })
    })
}

/// `windows2019srv-64`, `ubuntu-64`, `darwin20-64`, …
fn guest_os(guest_os: &str) -> String {
    let guest_os = guest_os.to_ascii_lowercase();
    if guest_os.starts_with("win") {
        "windows"
    } else if guest_os.starts_with("darwin") {
        "macos"
    } else if guest_os.starts_with("freebsd") || guest_os.starts_with("other") {
        "other"
    } else {
        "linux"
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_machine_tells_name_size_system_and_its_disks_in_order() {
        let parsed = parse(
            "#!/usr/bin/vmware\r
.encoding = \"UTF-8\"\r
displayName = \"Say |22hi|22\"\r
guestOS = \"windows2019srv-64\"
memsize = \"4096\"
numvcpus = \"2\"
uuid.bios = \"56 4d 00\"
scsi0:10.present = \"TRUE\"
scsi0:10.fileName = \"third.vmdk\"
scsi0:2.present = \"TRUE\"
scsi0:2.fileName = \"second.vmdk\"
SCSI0:0.present = \"true\"
scsi0:0.fileName = \"first.vmdk\"
scsi0:0.deviceType = \"scsi-hardDisk\"
scsi0:3.present = \"FALSE\"
scsi0:3.fileName = \"gone.vmdk\"
ide1:0.present = \"TRUE\"
ide1:0.deviceType = \"cdrom-image\"
ide1:0.fileName = \"tools.iso\"
floppy0.present = \"TRUE\"
floppy0.fileName = \"a.flp\"
",
        );
        assert_eq!(
            parsed,
            Description {
                id: Some("56 4d 00".to_owned()),
                name: Some("Say \"hi\"".to_owned()),
                num_cpu: Some(2),
                memory_mb: Some(4096),
                guest_os: Some("windows".to_owned()),
                power_state: None,
                disks: ["first.vmdk", "second.vmdk", "third.vmdk"].map(vmdk).into(),
            }
        );
    }

    #[test]
    fn a_bar_that_is_no_escape_stays() {
        assert_eq!(unescape("a|b|7C|"), "a|b||");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            drop(parse(&text));
            drop(unescape(&text));
        }
    }
}
