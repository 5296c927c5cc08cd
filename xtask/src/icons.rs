//! `cargo xtask icons`: every size of the app's icon, from the drawings in `icons/`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::{self, program};
use crate::{setup, workspace};

/// What the bundles of the three systems and the window ask for by name.
const PICTURES: [(&str, u32); 6] = [
    ("32x32.png", 32),
    ("64x64.png", 64),
    ("128x128.png", 128),
    ("128x128@2x.png", 256),
    ("256x256.png", 256),
    ("icon.png", 512),
];
/// The sizes in the icon of a Windows program.
const WINDOWS: [u32; 6] = [16, 24, 32, 48, 64, 256];
/// The sizes in the icon of a macOS app.
const MACOS: [u32; 5] = [16, 32, 128, 256, 512];
const TRAY: [&str; 3] = ["idle", "running", "attention"];

/// Draws all of them.
pub(crate) fn run() -> Result<()> {
    setup::packages(&["librsvg2-bin"])?;
    let folder = workspace::root().join("icons");
    let master = folder.join("sendense.svg");
    for (name, size) in PICTURES {
        draw(&master, size, &folder.join(name))?;
    }
    for state in TRAY {
        let drawing = folder.join(format!("tray-{state}.svg"));
        draw(&drawing, 32, &drawing.with_extension("png"))?;
    }
    let scratch = workspace::target()?.join("icon.png");
    let mut windows = ico::IconDir::new(ico::ResourceType::Icon);
    for size in WINDOWS {
        draw(&master, size, &scratch)?;
        let image = ico::IconImage::read_png(BufReader::new(File::open(&scratch)?))?;
        windows.add_entry(ico::IconDirEntry::encode(&image)?);
    }
    windows.write(File::create(folder.join("icon.ico"))?)?;
    let mut macos = icns::IconFamily::new();
    for size in MACOS {
        draw(&master, size, &scratch)?;
        let image = icns::Image::read_png(BufReader::new(File::open(&scratch)?))?;
        macos.add_icon(&image)?;
    }
    macos.write(File::create(folder.join("icon.icns"))?)?;
    println!("icons: drawn anew in {}", folder.display());
    Ok(())
}

fn draw(drawing: &Path, size: u32, picture: &Path) -> Result<()> {
    let size = size.to_string();
    let mut draw = program("rsvg-convert");
    draw.args(["--width", &size, "--height", &size, "--output"])
        .arg(picture)
        .arg(drawing);
    process::run(&mut draw).with_context(|| format!("cannot draw {}", drawing.display()))
}
