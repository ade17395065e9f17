//! The last good state in one file, so that a service starts while the authority is away.
//!
//! A line that says what it is, a line of JSON, the revocations as bytes, and SHA-256 over all of it. It is
//! replaced as a whole: a crash leaves the old state or the new one.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::held::{Held, LatestTime};
use crate::clock::unix_now;
use crate::public_keys::KeySet;
use crate::revocations::{Fingerprints, Position, RevocationsWriter};

const FILE: &str = "authority.state";
const WHAT_IT_IS: &[u8] = b"signet verifier state 1\n";
const CHECKSUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct Head {
    issuer: String,
    /// Seconds since the epoch: when the authority last said that there was nothing newer.
    #[serde(alias = "heard_at")]
    contact_at: Option<u64>,
    epoch: u64,
    seq: u64,
    keys_seq: u64,
    issued_at: u64,
    fingerprint_key: [u8; 16],
    jwks: String,
    /// The latest time, in seconds since the epoch, by which something may have been let go of as expired.
    #[serde(default)]
    latest: u64,
    /// Whether every revocation up to some moment was received once: keys are saved before that.
    #[serde(default)]
    complete: bool,
}

/// What a file held.
pub(super) struct Saved {
    head: Head,
    pub revocations: RevocationsWriter,
    pub keys: KeySet,
}

impl Saved {
    pub(super) fn fingerprints(&self) -> Fingerprints {
        Fingerprints::with_key(self.head.fingerprint_key)
    }

    /// How old it is, by the clock on the wall.
    pub(super) fn age(&self) -> Option<Duration> {
        // One that lies ahead says nothing: the clock has been set back since.
        self.head.contact_at.and_then(|at| unix_now().checked_sub(at)).map(Duration::from_secs)
    }

    /// Whether it holds every revocation up to some moment. It does not if there never were any, nor if the clock was ahead when it let go of
    /// what had expired: those revocations are needed again, and everything must be asked for.
    pub(super) fn is_complete(&self) -> bool {
        self.head.complete && !LatestTime::of(self.head.latest).went_back(unix_now())
    }

    pub(super) fn into_held(self, held: &mut Held) {
        let complete = self.is_complete();
        held.jwks = self.head.jwks.into_bytes();
        held.keys = self.keys;
        held.revocations = self.revocations;
        if complete {
            held.position = Position { epoch: self.head.epoch, seq: self.head.seq };
            held.latest = LatestTime::of(self.head.latest);
        }
        held.keys_position = Position { epoch: self.head.epoch, seq: self.head.keys_seq };
        held.issued_at = self.head.issued_at;
        held.publish();
        held.unsaved = false;
    }
}

/// Reads the file. One that is damaged, of another issuer, or that another user may have written, is logged and left
/// out: what it says would be trusted like the authority itself, so a planted key would make forged tokens valid.
pub(super) fn load(data_dir: Option<&Path>, issuer: &str) -> Option<Saved> {
    let folder = data_dir?;
    let saved = match read_own_file(folder) {
        Ok(Some(bytes)) => read(&bytes, issuer).map_err(str::to_owned),
        Ok(None) => return None,
        Err(why) => Err(why),
    };
    if let Err(why) = &saved {
        let path = folder.join(FILE);
        tracing::warn!(path = %path.display(), why, "the saved state cannot be used and was left out");
    }
    saved.ok()
}

/// `None` where there is no file. Links are not followed, and neither the file nor its folder may be writable for
/// anyone but this user (a folder may belong to root).
fn read_own_file(folder: &Path) -> Result<Option<Vec<u8>>, String> {
    let own = geteuid();
    let in_words = |what: &str, error: Errno| format!("{what}: {error}");
    let opened = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let folder = match opened {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(in_words("its folder", error)),
    };
    let of_folder = fstat(&folder).map_err(|error| in_words("its folder", error))?;
    if of_folder.st_uid != own.as_raw() && of_folder.st_uid != 0 {
        return Err("its folder belongs to another user".to_owned());
    }
    if of_folder.st_mode & OTHERS_WRITE != 0 {
        return Err("its folder is writable for others: use a folder of mode 0700".to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(&folder, FILE, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err("it is a link".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let of_file = fstat(&file).map_err(|error| error.to_string())?;
    if FileType::from_raw_mode(of_file.st_mode) != FileType::RegularFile {
        return Err("it is no file".to_owned());
    }
    if of_file.st_uid != own.as_raw() || of_file.st_mode & OTHERS_WRITE != 0 {
        return Err("it belongs to another user, or is writable for others".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::from(file).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(Some(bytes))
}

/// Write permission of the group and of everybody.
const OTHERS_WRITE: u32 = 0o022;

fn read(bytes: &[u8], issuer: &str) -> Result<Saved, &'static str> {
    let cut = bytes.len().checked_sub(CHECKSUM).ok_or("it is cut short")?;
    let (content, checksum) = bytes.split_at(cut);
    if digest(&SHA256, content).as_ref() != checksum {
        return Err("its checksum does not hold");
    }
    let content = content.strip_prefix(WHAT_IT_IS).ok_or("it is of another version")?;
    let end = content.iter().position(|byte| *byte == b'\n').ok_or("it has no head")?;
    let (head, revocations) = content.split_at(end);
    let head: Head = serde_json::from_slice(head).map_err(|_| "its head cannot be read")?;
    if head.issuer != issuer {
        return Err("it belongs to another issuer");
    }
    let keys = KeySet::from_jwks(head.jwks.as_bytes()).map_err(|_| "its key set is refused")?;
    let fingerprints = Fingerprints::with_key(head.fingerprint_key);
    let revocations = revocations.get(1..).unwrap_or_default();
    // Nothing is let go of by a clock that may be wrong at a start.
    let revocations = RevocationsWriter::from_bytes(fingerprints, revocations, 0)
        .ok_or("its revocations cannot be read")?;
    Ok(Saved { head, revocations, keys })
}

/// The file's content without its checksum; `None` before there is anything worth saving.
pub(super) fn content(held: &Held, issuer: &str, contact: Option<Duration>) -> Option<Vec<u8>> {
    if held.keys.is_empty() {
        return None;
    }
    let head = Head {
        issuer: issuer.to_owned(),
        contact_at: contact.map(|age| unix_now().saturating_sub(age.as_secs())),
        epoch: held.position.epoch,
        seq: held.position.seq,
        keys_seq: held.keys_position.seq,
        issued_at: held.issued_at,
        fingerprint_key: held.revocations.fingerprints().key(),
        jwks: String::from_utf8_lossy(&held.jwks).into_owned(),
        latest: held.latest.seconds().max(unix_now()),
        complete: held.is_complete(),
    };
    let mut content = WHAT_IT_IS.to_vec();
    content.extend(serde_json::to_vec(&head).ok()?);
    content.push(b'\n');
    content.extend(held.revocations.to_bytes());
    Some(content)
}

/// Writes the content with its checksum.
pub(super) fn save(data_dir: &Path, mut content: Vec<u8>) {
    let path = data_dir.join(FILE);
    let checksum = digest(&SHA256, &content);
    content.extend(checksum.as_ref());
    if let Err(error) = replace(&path, &content) {
        tracing::warn!(path = %path.display(), %error, "the last good state cannot be saved");
    }
}

fn replace(path: &PathBuf, content: &[u8]) -> std::io::Result<()> {
    let replacement = path.with_extension("state.new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&replacement)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&replacement, path)
}

#[cfg(test)]
mod tests {
    use super::super::held::tests::held;
    use super::*;

    const ISSUER: &str = "https://auth.test";

    fn saved(held: &Held) -> Saved {
        let mut bytes = content(held, ISSUER, None).unwrap();
        bytes.extend(digest(&SHA256, &bytes).as_ref());
        read(&bytes, ISSUER).unwrap()
    }

    /// Or a restart would make of "no revocations were received" that there are none.
    #[test]
    fn what_was_never_complete_is_not_after_a_restart_nor_after_two() {
        let mut first = held();
        let jwks = include_bytes!("../../tests/suite/one_key.jwks");
        first.take_keys(jwks).unwrap();
        assert!(!saved(&first).is_complete());
        let mut second = held();
        saved(&first).into_held(&mut second);
        assert!(!saved(&second).is_complete());
        assert!(second.become_complete());
        assert!(saved(&second).is_complete());
    }
}
