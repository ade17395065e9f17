use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Ties the lines of one request together, in the log and in its answer: 16 hexadecimal digits, counted up
/// from a random place, so that two processes hardly ever share one. It is no secret, and costs no system
/// call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(Uuid::new_v4().as_u64_pair().0));

impl RequestId {
    #[must_use]
    pub fn next() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// As ASCII.
    #[must_use]
    pub fn digits(self) -> [u8; 16] {
        std::array::from_fn(|place| b"0123456789abcdef"[(self.0 >> (60 - 4 * place) & 0xF) as usize])
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_both_spellings_are_the_same() {
        let (one, two) = (RequestId::next(), RequestId::next());
        assert_ne!(one, two);
        assert_eq!(one.to_string().as_bytes(), one.digits());
    }
}
