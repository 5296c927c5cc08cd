//! Finding a row by typing the beginning of its name, as file managers do.

/// Letters that come later than this begin a new word.
const PAUSE_MS: f64 = 1_000.0;

/// What has been typed in one go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TypeAhead {
    word: String,
    last_ms: f64,
}

impl TypeAhead {
    /// Whether a letter typed now goes on with a word, so that a space belongs to a name.
    pub(crate) fn is_in_word(&self, now_ms: f64) -> bool {
        !self.word.is_empty() && now_ms - self.last_ms <= PAUSE_MS
    }

    /// Takes a letter, and finds the row it leads to from the row with the focus.
    ///
    /// A word is looked for from that row on; one letter alone, also typed again and again, leads to the next.
    pub(crate) fn press<'a>(
        &mut self,
        letter: &str,
        now_ms: f64,
        names: impl ExactSizeIterator<Item = &'a str> + Clone,
        cursor: usize,
    ) -> Option<usize> {
        if !self.is_in_word(now_ms) {
            self.word.clear();
        }
        self.last_ms = now_ms;
        let letter = letter.to_lowercase();
        let is_repeated = self.word == letter;
        if !is_repeated {
            self.word.push_str(&letter);
        }
        let skipped = usize::from(is_repeated || self.word == letter);
        let n_rows = names.len();
        let after = names.clone().enumerate().skip(cursor + skipped);
        let before = names.enumerate().take((cursor + skipped).min(n_rows));
        after
            .chain(before)
            .find(|(_, name)| name.to_lowercase().starts_with(&self.word))
            .map(|(row, _)| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["Boot", "Program Files", "ProgramData", "Users", "Windows"];

    fn press(typed: &mut TypeAhead, letter: &str, now_ms: f64, cursor: usize) -> Option<usize> {
        typed.press(letter, now_ms, NAMES.iter().copied(), cursor)
    }

    #[test]
    fn letters_make_a_word_and_a_pause_begins_another() {
        let mut typed = TypeAhead::default();
        let mut cursor = 0;
        for letter in "programd".chars() {
            cursor = press(&mut typed, &letter.to_string(), 0.0, cursor).unwrap();
        }
        assert_eq!(NAMES[cursor], "ProgramData");
        assert_eq!(press(&mut typed, "u", 100.0, cursor), None, "\"programdu\"");
        assert_eq!(press(&mut typed, "u", 5_000.0, cursor), Some(3));
    }

    #[test]
    fn the_same_letter_again_leads_to_the_next_and_round() {
        let mut typed = TypeAhead::default();
        assert_eq!(press(&mut typed, "P", 0.0, 0), Some(1));
        assert_eq!(press(&mut typed, "p", 10.0, 1), Some(2));
        assert_eq!(press(&mut typed, "p", 20.0, 2), Some(1));
        assert_eq!(press(&mut typed, "x", 5_000.0, 4), None);
    }

    #[test]
    fn a_space_within_a_word_belongs_to_the_name() {
        let mut typed = TypeAhead::default();
        let mut cursor = 4;
        assert!(!typed.is_in_word(0.0));
        for letter in "program f".chars() {
            cursor = press(&mut typed, &letter.to_string(), 0.0, cursor).unwrap();
        }
        assert_eq!(NAMES[cursor], "Program Files");
        assert!(typed.is_in_word(500.0));
    }
}
