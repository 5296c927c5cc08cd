//! Which rows of a long list are drawn.

use std::ops::Range;

/// Rows drawn beyond what is visible, so that scrolling shows no gaps.
const OVERSCAN: usize = 8;

/// The rows to draw of `n_rows`, each `row_height` pixels high, in a window of `height` pixels that is
/// scrolled down by `top`.
pub(crate) fn visible(n_rows: usize, row_height: f64, top: f64, height: f64) -> Range<usize> {
    let first = (top.max(0.0) / row_height) as usize;
    let shown = (height.max(0.0) / row_height).ceil() as usize + 1;
    let start = first.saturating_sub(OVERSCAN).min(n_rows);
    let end = first.saturating_add(shown + OVERSCAN).min(n_rows);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_rows_draw_as_many_as_a_screen_holds() {
        assert_eq!(visible(100_000, 30.0, 0.0, 600.0), 0..29);
        assert_eq!(visible(100_000, 30.0, 1_500_000.0, 600.0), 49_992..50_029);
        assert_eq!(visible(100_000, 30.0, 3_000_000.0, 600.0), 99_992..100_000);
        assert_eq!(visible(3, 30.0, 0.0, 600.0), 0..3);
        assert_eq!(visible(0, 30.0, 100.0, 600.0), 0..0);
    }
}
