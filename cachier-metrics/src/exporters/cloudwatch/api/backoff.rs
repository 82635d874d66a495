//! Fewer exports to a service that asks for them. Pure.

/// How many periodic exports are left out.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    refused: u32,
    left_out: u32,
}

/// The number of refusals in a row after which the pause stops growing, at 15 exports.
const MAX_REFUSED: u32 = 4;

impl Backoff {
    /// Whether a periodic export is due; otherwise it is skipped.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.left_out == 0;
        self.left_out = self.left_out.saturating_sub(1);
        is_due
    }

    /// Skips one export after the first refusal, three after the second, then seven and fifteen.
    pub(super) fn refuse(&mut self) {
        self.refused = MAX_REFUSED.min(self.refused + 1);
        self.left_out = (1 << self.refused) - 1;
    }

    pub(super) fn accept(&mut self) {
        *self = Self::default();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn successive_refusals_leave_out_more_exports() {
        let mut backoff = Backoff::default();
        let mut left_out = |refused: usize| {
            (0..refused).for_each(|_| backoff.refuse());
            let left_out = std::iter::repeat_with(|| backoff.is_due());
            let left_out = left_out.take_while(|is_due| !is_due).count();
            backoff.accept();
            left_out
        };
        assert_eq!([0, 1, 2, 4, 100].map(&mut left_out), [0, 1, 3, 15, 15]);
    }
}
