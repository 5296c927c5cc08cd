//! A hub's time zone, learned from what it says (contract D8, H4, 8.3).
//!
//! Deployed hubs write the wall time of their own clock with a Z, as if it were UTC, in everything about backups. Other
//! answers carry the same clock with its true offset; the offset heard nearest to a moment is the one to undo, because
//! it changes with the season.

use std::collections::BTreeMap;

use jiff::fmt::temporal::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// More offsets than a hub with a change of season each half year needs for a century.
const REMEMBERED: usize = 512;

/// The offsets that a hub was heard to have, by the moments that they were said of.
#[derive(Debug, Default)]
pub(super) struct Zone {
    heard: BTreeMap<Timestamp, SignedDuration>,
}

impl Zone {
    /// Learns from a time with its true offset; what says no offset teaches nothing.
    pub(super) fn hear(&mut self, text: &str) {
        let Ok(time) = text.parse::<Timestamp>() else {
            return;
        };
        // Year 1 is a time that was never set.
        if self.heard.len() >= REMEMBERED || text.starts_with("0001-") {
            return;
        }
        let pieces = DateTimeParser::new().parse_pieces(text);
        if let Some(offset) = pieces.ok().and_then(|pieces| pieces.to_numeric_offset()) {
            self.heard
                .insert(time, SignedDuration::from_secs(offset.seconds().into()));
        }
    }

    /// The moment at which the hub's clock showed this time, which was written as if it were UTC. `None` while no
    /// offset is known.
    pub(super) fn moment(&self, wall: Timestamp) -> Option<Timestamp> {
        let before = self.heard.range(..=wall).next_back();
        let after = self.heard.range(wall..).next();
        let distance = |moment: &Timestamp| wall.duration_since(*moment).abs();
        let (_, offset) = before
            .into_iter()
            .chain(after)
            .min_by_key(|(moment, _)| distance(moment))?;
        wall.checked_sub(*offset).ok()
    }

    /// Whether any offset is known.
    pub(super) fn is_known(&self) -> bool {
        !self.heard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Contract D8, H4.
    #[test]
    fn a_wall_time_is_undone_by_the_offset_of_its_season() {
        let mut zone = Zone::default();
        assert_eq!(zone.moment(at("2026-07-01T12:00:00Z")), None);
        zone.hear("2026-07-03T09:00:00+02:00");
        assert_eq!(
            zone.moment(at("2026-07-01T12:00:00Z")),
            Some(at("2026-07-01T10:00:00Z"))
        );
        zone.hear("2026-11-20T09:00:00.123456789+01:00");
        for (wall, moment) in [
            ("2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z"),
            ("2026-11-21T12:00:00Z", "2026-11-21T11:00:00Z"),
        ] {
            assert_eq!(zone.moment(at(wall)), Some(at(moment)));
        }
    }

    /// Contract H4.
    #[test]
    fn a_hub_in_greenwich_says_the_truth_and_what_is_no_time_says_nothing() {
        let mut zone = Zone::default();
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "yesterday",
            "2026-07-03T09:00:00",
        ] {
            zone.hear(text);
        }
        assert!(!zone.is_known());
        zone.hear("2026-07-03T09:00:00Z");
        let wall = at("2026-07-01T12:00:00Z");
        assert_eq!(zone.moment(wall), Some(wall));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut zone = Zone::default();
        for second in 0..2 * REMEMBERED {
            zone.hear(
                &(at("2026-07-03T09:00:00Z") + SignedDuration::from_secs(second as i64))
                    .to_string(),
            );
        }
        assert_eq!(zone.heard.len(), REMEMBERED);
    }
}
