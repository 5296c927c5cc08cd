//! How long a program takes, and how much memory it uses.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{self, program, shown};

/// How often the memory of a program is looked at. The peak only grows, so the last look tells it.
const LOOK: Duration = Duration::from_millis(5);

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) seconds: f64,
    /// Highest resident memory.
    pub(super) peak_bytes: u64,
}

/// Runs a program and what belongs to its work.
pub(super) fn timed(command: Command, and_then: impl FnOnce() -> Result<()>) -> Result<Run> {
    timed_with_output(command, and_then).map(|(run, _)| run)
}

/// The same, with what the program wrote to its standard output.
pub(super) fn timed_with_output(
    mut command: Command,
    and_then: impl FnOnce() -> Result<()>,
) -> Result<(Run, Vec<u8>)> {
    let line = shown(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let pid = child.id();
    let is_over = AtomicBool::new(false);
    let (output, seconds, peak) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut peak = 0;
            while !is_over.load(Ordering::Relaxed) {
                peak = peak_bytes(pid).unwrap_or(0).max(peak);
                thread::sleep(LOOK);
            }
            peak
        });
        let output = child.wait_with_output();
        let then = and_then();
        let seconds = started.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
        let peak = looking.join().unwrap_or(0);
        then.and(output.map_err(Into::into))
            .map(|output| (output, seconds, peak))
    })?;
    ensure!(
        output.status.success(),
        "`{line}` failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let run = Run {
        seconds,
        peak_bytes: peak,
    };
    Ok((run, output.stdout))
}

/// Highest resident memory of a running process so far, from the kernel.
pub(super) fn peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Does all of them, in turns forwards and backwards, so that none always goes first. Gives the results in the
/// order of `acts`.
pub(super) fn in_turns<T, F: Fn() -> Result<T>, const N: usize>(
    round: u32,
    acts: [F; N],
) -> Result<[T; N]> {
    let mut order: Vec<usize> = (0..N).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    let mut results: [Option<T>; N] = [const { None }; N];
    for number in order {
        // What the one before left to be written must not slow down the next.
        settle()?;
        results[number] = Some(acts[number]()?);
    }
    // All of them were filled just now.
    Ok(results.map(|result| result.expect("every act is done once")))
}

/// Waits until everything that was written so far is on the disk.
fn settle() -> Result<()> {
    process::run(&mut program("sync"))
}
