//! Where the app keeps a user's settings and logs, so that the terminal finds them as well.

use std::path::PathBuf;

use directories::BaseDirs;

/// The name that the app has with the systems.
const APP: &str = "com.sendense.desktop";

/// The places of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFolders {
    /// Settings and saved hubs; need not be there.
    pub settings_file: PathBuf,
    /// Log files of the window; need not be there.
    pub log_folder: PathBuf,
}

impl UserFolders {
    /// Those of whoever runs this program; `None` without a home folder.
    pub fn of_this_user() -> Option<Self> {
        let folders = BaseDirs::new()?;
        let log_folder = if cfg!(target_os = "macos") {
            folders.home_dir().join("Library/Logs").join(APP)
        } else {
            folders.data_local_dir().join(APP).join("logs")
        };
        Some(Self {
            settings_file: folders.config_dir().join(APP).join("settings.json"),
            log_folder,
        })
    }
}
