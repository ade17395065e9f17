//! What the system says of this process.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// In the units that Prometheus takes.
#[derive(Debug, Clone, Copy)]
pub struct ProcessSample {
    pub resident_bytes: f64,
    /// Whole ones.
    pub cpu_seconds: u64,
    pub open_fds: f64,
    pub max_fds: f64,
    pub threads: f64,
}

/// `None` where there is no `/proc`.
#[must_use]
pub fn sample() -> Option<ProcessSample> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything; the third field follows it (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    let pages = u32::try_from(number(24)?).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    let max_fds = getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |most| most as f64);
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(ProcessSample {
        resident_bytes: f64::from(pages) * f64::from(u32::try_from(page_size()).ok()?),
        cpu_seconds: (number(14)? + number(15)?) / clock_ticks_per_second().max(1),
        open_fds: f64::from(u32::try_from(open).ok()?),
        max_fds,
        threads: f64::from(u32::try_from(number(20)?).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_threads_and_open_files() {
        let seen = sample().unwrap();
        assert!(seen.resident_bytes > 1e6 && seen.threads >= 1.0 && seen.open_fds >= 3.0, "{seen:?}");
        assert!(seen.max_fds >= seen.open_fds, "{seen:?}");
    }
}
