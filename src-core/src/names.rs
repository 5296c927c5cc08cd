//! Names for files on this computer. What a hub or a disk calls something is hostile until it has
//! been through here: a name may hold slashes, control characters or the name of a device.

/// The rules that a name has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Everything but `/` and NUL, 255 bytes.
    Linux,
    /// As Linux, without `:`, which Finder shows as `/`; 255 UTF-16 units.
    MacOs,
    /// Without `<>:"/\|?*`, devices, trailing dots and blanks; 255 UTF-16 units.
    Windows,
}

/// Names of devices, which Windows finds in every folder and with every extension
/// (Microsoft, "Naming Files, Paths, and Namespaces").
const WINDOWS_DEVICES: [&str; 30] = [
    "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "COM1", "COM2", "COM3", "COM4", "COM5",
    "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5",
    "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
];

/// The longest name on all three platforms, each in its own units.
const LONGEST: usize = 255;
/// Room for `.part` and the like behind the name.
const RESERVE: usize = 16;
/// An extension longer than that is no extension worth keeping when a name is cut.
const LONGEST_EXTENSION: usize = 24;

impl Platform {
    /// The platform that this program was built for.
    pub fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }

    fn forbids(self, c: char) -> bool {
        if c.is_control() || c == '/' || is_invisible(c) {
            return true;
        }
        match self {
            Self::Linux => false,
            Self::MacOs => c == ':',
            Self::Windows => r#"<>:"\|?*"#.contains(c),
        }
    }

    /// Length in the platform's units.
    fn length(self, text: &str) -> usize {
        match self {
            Self::Linux => text.len(),
            Self::MacOs | Self::Windows => text.encode_utf16().count(),
        }
    }
}

/// A name that can be given to a file on that platform, and that resembles `name`.
///
/// What is not allowed becomes `_`. The result is never empty, `.` or `..`, holds no separator and
/// leaves room for a short suffix.
pub fn local_name(name: &str, platform: Platform) -> String {
    tamed(name, platform, LONGEST - RESERVE)
}

/// As [`local_name`], for what has its name from the beginning: it may be as long as the platform allows.
pub(crate) fn entry_name(name: &str, platform: Platform) -> String {
    tamed(name, platform, LONGEST)
}

/// `longest` is in the platform's units.
fn tamed(name: &str, platform: Platform, longest: usize) -> String {
    let mut local: String = name
        .chars()
        .map(|c| if platform.forbids(c) { '_' } else { c })
        .collect();
    if matches!(local.as_str(), "" | "." | "..") {
        local = local.replace('.', "_");
        local.push('_');
    }
    if platform == Platform::Windows && is_device(&local) {
        local.insert(0, '_');
    }
    local = shorten(local, platform, longest);
    if platform == Platform::Windows {
        // Windows drops these silently, so that two names become one.
        let kept = local.trim_end_matches(['.', ' ']).len();
        let dropped = local.split_off(kept).chars().count();
        local.extend(std::iter::repeat_n('_', dropped));
    }
    local
}

/// Characters that make a name look like another one: direction marks, zero-width ones, and the
/// byte order mark. Joiners stay, because scripts and emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{2028}' | '\u{2029}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_uppercase();
    WINDOWS_DEVICES.contains(&stem.as_str())
}

/// Cuts the stem, not the extension, which says what opens the file.
fn shorten(name: String, platform: Platform, limit: usize) -> String {
    if platform.length(&name) <= limit {
        return name;
    }
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 && platform.length(&name[dot..]) <= LONGEST_EXTENSION => {
            name.split_at(dot)
        }
        _ => (name.as_str(), ""),
    };
    let room = limit - platform.length(extension);
    let mut short = String::new();
    for c in stem.chars() {
        let mut longer = short.clone();
        longer.push(c);
        if platform.length(&longer) > room {
            break;
        }
        short = longer;
    }
    short + extension
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Platform; 3] = [Platform::Linux, Platform::MacOs, Platform::Windows];

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "ReAgent.xml",
            "Übersicht 漢字 😀.txt",
            ".bashrc",
            "a",
            "archive.tar.gz",
            "$RECYCLE.BIN",
            "…",
            "👩‍👩‍👧.jpg",
        ] {
            for platform in ALL {
                assert_eq!(local_name(name, platform), name);
            }
        }
    }

    /// Contract H21.
    #[test]
    fn hostile_names_are_tamed() {
        for (name, linux, windows) in [
            ("", "_", "_"),
            (".", "__", "__"),
            ("..", "___", "___"),
            ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd", "_etc_passwd"),
            ("a\0b", "a_b", "a_b"),
            ("a\nb\x1b[2J", "a_b_[2J", "a_b_[2J"),
            ("C:\\x", "C:\\x", "C__x"),
            ("con", "con", "_con"),
            ("NUL.txt", "NUL.txt", "_NUL.txt"),
            ("LPT².log", "LPT².log", "_LPT².log"),
            ("CON .txt", "CON .txt", "_CON .txt"),
            ("console", "console", "console"),
            ("name.", "name.", "name_"),
            ("name. .", "name. .", "name___"),
            ("a?b*c|d", "a?b*c|d", "a_b_c_d"),
            ("exe\u{202e}txt.doc", "exe_txt.doc", "exe_txt.doc"),
        ] {
            assert_eq!(local_name(name, Platform::Linux), linux, "{name:?}");
            assert_eq!(local_name(name, Platform::Windows), windows, "{name:?}");
        }
        assert_eq!(local_name("10:30", Platform::MacOs), "10_30");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = format!("{}.docx", "ü".repeat(300));
        for platform in ALL {
            let local = local_name(&name, platform);
            assert!(local.ends_with("ü.docx"), "{local}");
            assert!(platform.length(&local) <= LONGEST - RESERVE);
        }
        let no_extension = format!("x.{}", "y".repeat(300));
        assert_eq!(
            local_name(&no_extension, Platform::Linux).len(),
            LONGEST - RESERVE
        );
    }

    proptest! {
        #[test]
        fn every_name_becomes_one_component_that_is_allowed(name in any::<String>()) {
            for platform in ALL {
                let local = local_name(&name, platform);
                prop_assert!(!local.is_empty() && local != "." && local != "..");
                prop_assert!(!local.chars().any(|c| platform.forbids(c)), "{local:?}");
                prop_assert!(platform.length(&local) <= LONGEST - RESERVE);
                if platform == Platform::Windows {
                    prop_assert!(!local.ends_with(['.', ' ']), "{local:?}");
                    prop_assert!(!is_device(&local), "{local:?}");
                }
                prop_assert_eq!(&local_name(&local, platform), &local, "taming twice changes nothing");
            }
        }
    }
}
