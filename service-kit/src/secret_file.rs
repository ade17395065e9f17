//! Files that hold a secret: who may read them, and how they come to be.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// Permissions that no secret may have: anything for everybody, and writing for the group.
const FORBIDDEN: u32 = 0o027;

/// Reading for the group: for secrets that Kubernetes (`fsGroup`) or Compose mount, which belong to root.
const GROUP_READ: u32 = 0o040;

/// Checks that no other user can read or replace the secret in a file. Its group may read it where it belongs to root or to
/// this user.
///
/// # Errors
/// What is wrong and what to do, without the path.
pub fn check(file: &File) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let (mode, owner, own) = (metadata.mode() & 0o777, metadata.uid(), geteuid().as_raw());
    if mode & FORBIDDEN != 0 {
        return Err(format!("other users can read or replace it (mode {mode:03o}): run `chmod 600` on it"));
    }
    if mode & GROUP_READ != 0 && owner != 0 && owner != own {
        return Err(format!(
            "its group can read it (mode {mode:03o}) and it belongs to user {owner}: run `chmod 600` on it"
        ));
    }
    Ok(())
}

/// Reads a secret. `Ok(None)` when there is no such file.
///
/// # Errors
/// What is wrong, without the path.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    use std::io::Read;
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    check(&file)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(Some(content))
}

/// Creates a file of mode 0600 with a secret in it, whole or not at all, and durable: what is sealed with it must not
/// outlive it. `Ok(false)` when there was a file already, which stays as it is.
///
/// # Errors
/// Those of the operating system.
pub fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    // Written to another file and linked into place: no reader sees half of it.
    // Named at random: in a container every process is the first, and one that died here must not end the next.
    let aside = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&aside, path));
    fs::remove_file(&aside)?;
    match linked {
        Ok(()) => {
            sync_folder(path)?;
            if fs::read(path)? != content {
                return Err(io::Error::other("it reads back otherwise than it was written"));
            }
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name of a file is durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_of_root_or_of_this_user_may_be_readable_for_its_group_and_never_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(create(&path, b"content").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for (mode, allowed) in [
            (0o400, true),
            (0o600, true),
            (0o440, true),
            (0o640, true),
            (0o644, false),
            (0o444, false),
            (0o660, false),
            (0o460, false),
            (0o604, false),
            (0o602, false),
            (0o601, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check(&File::open(&path).unwrap()).is_ok(), allowed, "{mode:o}");
        }
        if geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            for (mode, allowed) in [(0o400, true), (0o440, false), (0o640, false)] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                assert_eq!(check(&File::open(&path).unwrap()).is_ok(), allowed, "another user's, {mode:o}");
            }
        }
    }

    #[test]
    fn a_secret_is_created_once_and_read_through_links_as_kubernetes_mounts_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(read(&path), Ok(None));
        assert!(create(&path, b"one").unwrap());
        assert!(!create(&path, b"two").unwrap());
        assert_eq!(read(&path), Ok(Some(b"one".to_vec())));
        let link = folder.path().join("mounted");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read(&link), Ok(Some(b"one".to_vec())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left aside");
        assert!(create(&folder.path().join("nowhere/secret"), b"x").is_err());
    }
}
