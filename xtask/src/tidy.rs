//! House rules that no other tool knows; every finding is shown, with its place.

mod crates;
mod text;

use anyhow::{Result, ensure};

use crate::workspace;

/// Checks everything and shows what it finds.
pub(crate) fn run() -> Result<()> {
    let files = workspace::files()?;
    let mut findings = Vec::new();
    text::check(&files, &mut findings)?;
    crates::check(&workspace::metadata()?, &files, &mut findings)?;
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy: {} findings", findings.len());
    println!("tidy: {} files, nothing to complain about", files.len());
    Ok(())
}
