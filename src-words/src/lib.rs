//! Every text a user reads, in one place: the window, the terminal and the core take their words from here, so that
//! one thing has one name wherever it is met, and a translation has one file to start from.
//!
//! A text is a function, because a [pseudo-locale](use_pseudo_locale) can stand in for all of them at once. What is
//! put into a text (names, numbers, times) is formatted by the caller and never changed here.
//!
//! The style: plain, short, native English; sentence case; a full stop behind whole sentences only; "VM", "recovery
//! point", "repository", "mount" and "hub" for what they are, and no second word for any of them; `…` on a button that
//! asks before it acts; no blank before `%`.
//!
//! Not here: what a hub says in its own words (shown as details), names of file systems and units, and the help of
//! the command line, which clap takes from the definition of each argument.

/// Defines texts, one function for each:
///
/// ```text
/// words! {
///     title = "VMs";                                    // fn title() -> &'static str
///     deleted(name) = "{name} was deleted.";            // fn deleted(name: &dyn Display) -> String
///     files(count) = "{count} file" | "{count} files";  // fn files(count: u64) -> String; the first for 1
///     saved(count, to) = "…" | "…";                     // the first value counts, the others are shown
/// }
/// ```
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident $(($first:ident $(, $place:ident)*))? = $text:literal $(| $many:literal)?;)*) => {
        $(words!(@one [$(#[$meta])*] $name $(($first $(, $place)*))? $text $(| $many)?);)*

        /// All of them, in order.
        #[cfg(test)]
        pub(crate) const ALL: &[$crate::text::Entry] = &[$(
            $crate::text::Entry {
                name: stringify!($name),
                places: &[$(stringify!($first) $(, stringify!($place))*)?],
                texts: &[$text $(, $many)?],
            }
        ),*];
    };
    (@one [$($meta:tt)*] $name:ident $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        $($meta)*
        pub fn $name() -> &'static str {
            $crate::text::plain($text)
        }
    };
    (@one [$($meta:tt)*] $name:ident($first:ident $(, $place:ident)*) $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        $($meta)*
        pub fn $name($first: impl std::fmt::Display $(, $place: impl std::fmt::Display)*) -> String {
            $crate::text::filled($text, &[(stringify!($first), &$first) $(, (stringify!($place), &$place))*])
        }
    };
    (@one [$($meta:tt)*] $name:ident($first:ident $(, $place:ident)*) $text:literal | $many:literal) => {
        #[doc = concat!("`", $text, "`, `", $many, "`")]
        $($meta)*
        pub fn $name($first: u64 $(, $place: impl std::fmt::Display)*) -> String {
            let text = if $first == 1 { $text } else { $many };
            $crate::text::filled(text, &[(stringify!($first), &$first) $(, (stringify!($place), &$place))*])
        }
    };
}

pub mod activity;
pub mod backups;
pub mod browser;
pub mod common;
pub mod discovery;
pub mod downloads;
pub mod failures;
pub mod frame;
pub mod full_restores;
pub mod history;
pub mod hubs;
pub mod mounts;
pub mod repositories;
pub mod retention;
pub mod settings;
pub mod terminal;
mod text;
pub mod vms;

#[cfg(test)]
mod tests;

pub use text::{is_pseudo_locale, use_pseudo_locale};
