//! The result as a table for docs/performance.md.

use std::fmt::Write;

use super::measure::Run;

/// Ours beside a peer's, run by run.
pub(super) struct Duel {
    what: String,
    peer: String,
    /// The ratio that is wanted, if one is.
    aim: Option<f64>,
    runs: Vec<(Run, Run)>,
}

impl Duel {
    pub(super) fn new(what: &str, peer: &str, aim: Option<f64>) -> Self {
        Self {
            what: what.to_owned(),
            peer: peer.to_owned(),
            aim,
            runs: Vec::new(),
        }
    }

    /// Adds a pair.
    pub(super) fn add(&mut self, ours: Run, peers: Run) {
        self.runs.push((ours, peers));
    }

    /// Ours divided by theirs, pair by pair.
    fn ratio(&self) -> Spread {
        Spread::of(
            self.runs
                .iter()
                .map(|(ours, peers)| ours.seconds / peers.seconds),
        )
    }

    fn row(&self) -> String {
        let side = |choose: fn(&(Run, Run)) -> Run| {
            let seconds = Spread::of(self.runs.iter().map(|pair| choose(pair).seconds));
            let peak = self.runs.iter().map(|pair| choose(pair).peak_bytes).max();
            (seconds, peak.unwrap_or(0) >> 20)
        };
        let (ours, our_mib) = side(|pair| pair.0);
        let (peers, peers_mib) = side(|pair| pair.1);
        let ratio = self.ratio();
        let aim = match self.aim {
            None => "–".to_owned(),
            Some(aim) if ratio.median <= aim => format!("≤ {aim}"),
            Some(aim) => format!("≤ {aim}, missed"),
        };
        format!(
            "| {} | {} | {ours} s | {peers} s | **{:.3}** ({:.2}–{:.2}) | {aim} | {our_mib} | {peers_mib} |",
            self.what, self.peer, ratio.median, ratio.least, ratio.most
        )
    }
}

/// All results.
#[derive(Default)]
pub(super) struct Table(Vec<Duel>);

impl Table {
    /// Adds what was measured, and shows it.
    pub(super) fn add(&mut self, duel: Duel) {
        println!("  {}", duel.row());
        self.0.push(duel);
    }

    /// In Markdown.
    pub(super) fn to_markdown(&self) -> String {
        let mut text = "| | beside | ours | theirs | ratio | aim | MiB ours | MiB theirs |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
        for duel in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", duel.row());
        }
        text
    }
}

/// The middle and the ends of some numbers.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
        let n = numbers.len();
        Self {
            median: (at(n.saturating_sub(1) / 2) + at(n / 2)) / 2.0,
            least: at(0),
            most: at(n.saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64) -> Run {
        Run {
            seconds,
            peak_bytes: 3 << 20,
        }
    }

    #[test]
    fn a_row_tells_medians_spreads_and_whether_the_aim_is_met() {
        let mut duel = Duel::new("full", "`cp`", Some(0.7));
        for (ours, peers) in [(1.0, 2.0), (3.0, 2.0), (1.2, 2.0)] {
            duel.add(run(ours), run(peers));
        }
        assert_eq!(
            duel.row(),
            "| full | `cp` | 1.20 (1.00–3.00) s | 2.00 (2.00–2.00) s | **0.600** (0.50–1.50) | ≤ 0.7 | 3 | 3 |"
        );
        duel.aim = Some(0.5);
        assert!(duel.row().contains("≤ 0.5, missed"));
    }

    #[test]
    fn the_median_of_two_lies_between_them() {
        assert!((Spread::of([1.0, 2.0].into_iter()).median - 1.5).abs() < 1e-9);
    }
}
