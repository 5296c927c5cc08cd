//! `cargo xtask run`: opens the app in its window, or visits every screen in a virtual display.

use std::env;

use anyhow::Result;

use crate::process::{self, program};
use crate::workspace::{self, cargo};
use crate::{journey, setup, ui};

/// The walk: a test, because it is one as well.
const TOUR: &str = "window::tour::every_screen_in_light_and_dark";

/// Builds the app and opens it. Without a display, or for a tour, walks through it instead.
pub(crate) fn run(tour: bool) -> Result<()> {
    let has_display = env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some();
    if !has_display {
        println!(
            "there is no display here: first the main job from the terminal, then a walk through the window"
        );
        journey::run()?;
    }
    println!("\n== set-up: what building and testing need");
    setup::run()?;
    println!("\n== build: the window's contents and the app; the first time takes some minutes");
    ui::run()?;
    let programs = workspace::build(&["sendense-desktop", "sendense"])?;
    let app = programs.join("sendense-desktop");
    if has_display && !tour {
        println!(
            "\n== {} is open; \"Add sample VM\" is the quickest way in",
            app.display()
        );
        return process::run(&mut program(&app));
    }
    println!("\n== walk: the app in a virtual display");
    let pictures = workspace::target()?.join("tour");
    process::run(
        cargo()
            .args(["test", "--quiet", "--workspace", "--test", "it", "--"])
            .args(["--exact", TOUR])
            .env("SENDENSE_BIN", programs.join("sendense"))
            .env("SENDENSE_TOUR", &pictures),
    )?;
    println!(
        "pictures of every screen and the restored file are in {}",
        pictures.display()
    );
    Ok(())
}
