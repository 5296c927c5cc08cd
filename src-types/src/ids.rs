//! Ids of things on a hub: opaque texts that only the hub may interpret (contract D9, D57).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an id as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as the hub spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

id! {
    /// A VM on a hub (`context_id`). Names need not be unique, ids are (contract H32).
    VmId
}
id! {
    /// A backup job and its result (`backup_id`).
    BackupId
}
id! {
    /// An open mount of one disk of one backup (`mount_id`).
    MountId
}
id! {
    /// A machine that runs from a recovery point.
    LiveMachineId
}
id! {
    /// A place where backups are kept (`repository_id`).
    RepositoryId
}
id! {
    /// Disks of a recovery point being written into a folder (`restore_id`).
    FullRestoreId
}
