use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// A verifier that comes back is to know of what it missed within two seconds. To try once a second costs a
/// dead authority nothing, and a living one admits ten thousand in a few.
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses between tries: anywhere between nothing and a bound that doubles ("full jitter"), so that ten
/// thousand verifiers which lost their authority at one moment do not come back at one moment.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(super) fn next_pause(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(random_share())
    }
}

/// Between 50 and 100 % of a period.
#[cfg(feature = "documents")]
pub(super) fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.5 + random_share() / 2.0)
}

/// Between 0 and 1.
fn random_share() -> f64 {
    let mut bytes = [0_u8; 4];
    // Without randomness the only loss is the spread.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_below_a_bound_that_doubles_up_to_a_second() {
        let after = |failures| {
            let pauses = (0..2000).map(|_| Backoff { failures }.next_pause().as_secs_f64());
            let pauses: Vec<f64> = pauses.collect();
            let mean = pauses.iter().sum::<f64>() / 2000.0;
            (mean, pauses.into_iter().fold(0.0, f64::max))
        };
        for (failures, bound) in [(0, 0.1), (1, 0.2), (3, 0.8), (20, 1.0), (u32::MAX, 1.0)] {
            let (mean, longest) = after(failures);
            assert!(longest <= bound && longest > bound * 0.9, "{failures}: {longest}");
            assert!((mean - bound / 2.0).abs() < bound * 0.1, "{failures}: {mean}");
        }
    }
}
