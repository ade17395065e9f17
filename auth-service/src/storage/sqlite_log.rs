//! The newest commits of a SQLite file lie in a log beside it. Without that log the file is whole, and of an
//! earlier moment: sessions that were ended since would live again, and nothing would tell. What can tell is the
//! index of the log (sqlite.org/walformat.html), which a process that was killed leaves beside it too.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::StorageError;

const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Two copies of the same 48 bytes, of which a writer changes one after the other.
const INDEX_HEADER: usize = 48;

/// Looks whether the log holds what its index says. SQLite itself would take a log that was cut short for one
/// that a power cut has ended.
///
/// # Errors
/// [`StorageError::Unavailable`] when commits are missing.
pub(super) fn check(database: &Path) -> Result<(), StorageError> {
    let beside = |ending: &str| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (log, index) = (beside("-wal"), beside("-shm"));
    loop {
        let before = headers(&index);
        let missing = before.as_deref().and_then(Index::read).is_some_and(|index| index.exceeds(&log));
        if !missing {
            return Ok(());
        }
        // Another process may have closed the file or begun the log again between the two looks.
        if headers(&index) == before {
            return Err(StorageError::Unavailable(format!(
                "its log {} is gone or cut short, and the newest commits with it: put it back, or restore a backup \
                 and remove {}",
                log.display(),
                index.display()
            )));
        }
    }
}

/// The two copies of the header of an index, as far as they are there.
fn headers(index: &Path) -> Option<Vec<u8>> {
    let mut headers = Vec::new();
    File::open(index).ok()?.take(2 * INDEX_HEADER as u64).read_to_end(&mut headers).ok()?;
    Some(headers)
}

/// What the index says of the log.
struct Index {
    /// Frames that were committed.
    frames: usize,
    page: usize,
    /// Names the log that it was made for.
    salt: [u8; 8],
}

impl Index {
    /// `None` for one that is unfinished or says that the log is empty.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..INDEX_HEADER)?;
        if bytes.get(INDEX_HEADER..2 * INDEX_HEADER)? != header {
            return None;
        }
        let page = u16::from_ne_bytes(header.get(14..16)?.try_into().ok()?);
        let frames = u32::from_ne_bytes(header.get(16..20)?.try_into().ok()?);
        let index = Self {
            frames: usize::try_from(frames).ok()?,
            // 65,536 does not fit and is written as 1.
            page: if page == 1 { 65_536 } else { page.into() },
            salt: header.get(32..40)?.try_into().ok()?,
        };
        (index.frames > 0).then_some(index)
    }

    fn exceeds(&self, log: &Path) -> bool {
        let mut header = [0; LOG_HEADER];
        let read = File::open(log).and_then(|mut log| {
            log.read_exact(&mut header)?;
            log.metadata()
        });
        let Ok(metadata) = read else { return true };
        let needed = LOG_HEADER + self.frames * (FRAME_HEADER + self.page);
        // Of another log: the index is of an earlier one, as a power cut may leave it.
        header.get(16..24) == Some(&self.salt) && metadata.len() < needed as u64
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SALT: [u8; 8] = *b"the salt";

    fn index(frames: u32) -> Vec<u8> {
        let mut header = [0; INDEX_HEADER];
        header[14..16].copy_from_slice(&4096_u16.to_ne_bytes());
        header[16..20].copy_from_slice(&frames.to_ne_bytes());
        header[32..40].copy_from_slice(&SALT);
        [header, header].concat()
    }

    fn log(frames: usize, salt: &[u8; 8]) -> Vec<u8> {
        let mut log = vec![0; LOG_HEADER + frames * (FRAME_HEADER + 4096)];
        log[16..24].copy_from_slice(salt);
        log
    }

    #[test]
    fn commits_are_missed_when_the_index_tells_of_them_and_the_log_does_not_hold_them() {
        let unfinished = [&index(3)[..INDEX_HEADER], &index(4)[..INDEX_HEADER]].concat();
        let mut cut_short = log(3, &SALT);
        cut_short.pop();
        let table = [
            ("a new file, or one that was closed", None, None, true),
            ("no index, as in a copy", None, Some(log(3, &SALT)), true),
            ("all there", Some(index(3)), Some(log(3, &SALT)), true),
            ("more than was committed", Some(index(3)), Some(log(9, &SALT)), true),
            ("nothing committed yet", Some(index(0)), None, true),
            ("a writer was killed while it wrote the index", Some(unfinished), None, true),
            ("an index of an earlier log", Some(index(3)), Some(log(1, b"another!")), true),
            ("cut short", Some(index(3)), Some(cut_short), false),
            ("gone", Some(index(3)), None, false),
        ];
        for (what, index, log, whole) in table {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("signet.db");
            for (ending, bytes) in [("shm", index), ("wal", log)] {
                if let Some(bytes) = bytes {
                    fs::write(folder.path().join(format!("signet.db-{ending}")), bytes).unwrap();
                }
            }
            assert_eq!(check(&database).is_ok(), whole, "{what}");
        }
    }
}
