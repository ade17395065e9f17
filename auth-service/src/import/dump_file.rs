//! The file of a dump: plain or gzip, and a clear word about every other kind.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

/// What a file begins with, and what it is; none of these is read.
const OTHER_KINDS: [(&[u8], &str); 10] = [
    (b"BZh", "is compressed with bzip2: decompress it first, or write it as .json or .json.gz"),
    (b"\xFD7zXZ\0", "is compressed with xz: decompress it first, or write it as .json or .json.gz"),
    (b"]\0\0", "is compressed with lzma: decompress it first, or write it as .json or .json.gz"),
    (b"PK\x03\x04", "is a zip archive: unpack it first"),
    (b"\x28\xB5\x2F\xFD", "is compressed with zstd: decompress it first"),
    (b"\xFF\xFE", UTF_16),
    (b"\xFE\xFF", UTF_16),
    (b"<", "is XML: dump with `--format json` or `--format jsonl`"),
    (b"- ", "is YAML: dump with `--format json` or `--format jsonl`"),
    (b"SQLite format 3\0", "is a SQLite database: read it with --database-url-file"),
];

const UTF_16: &str =
    "is UTF-16, as PowerShell's `>` writes it: dump with `--output FILE`, or convert it to UTF-8";

const GZIP: &[u8] = b"\x1F\x8B";

/// The longest of the beginnings above.
const LONGEST: usize = 16;

/// Reads a file, decompressed where it is gzip.
pub(super) struct DumpFile {
    reader: Box<dyn BufRead>,
    read: Rc<Cell<u64>>,
}

/// Counts what is read of the file itself, for progress.
struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl DumpFile {
    /// # Errors
    /// One line without the file's name: it cannot be read, or is of a kind that is not.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let read = Rc::new(Cell::new(0));
        let mut plain = BufReader::new(Counted { file, read: Rc::clone(&read) });
        let begins = plain.fill_buf().map_err(|error| error.to_string())?;
        let reader: Box<dyn BufRead> = if begins.starts_with(GZIP) {
            let mut unpacked = BufReader::new(MultiGzDecoder::new(plain));
            check_kind(unpacked.fill_buf().map_err(|error| format!("is no whole gzip file: {error}"))?)?;
            Box::new(unpacked)
        } else {
            check_kind(begins)?;
            Box::new(plain)
        };
        Ok(Self { reader, read })
    }

    /// Octets of the file that were read so far.
    pub(super) fn position(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.read)
    }
}

impl Read for DumpFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

fn check_kind(begins: &[u8]) -> Result<(), String> {
    let begins = &begins[..begins.len().min(LONGEST)];
    let other = OTHER_KINDS.iter().find(|(magic, _)| begins.starts_with(magic));
    other.map_or(Ok(()), |(_, what)| Err((*what).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn opened(content: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut opened = DumpFile::open(file.path())?;
        let mut text = String::new();
        opened.read_to_string(&mut text).map_err(|error| error.to_string())?;
        assert_eq!(opened.position().get(), content.len() as u64, "all of it was read");
        Ok(text)
    }

    #[test]
    fn gzip_is_read_and_every_other_kind_is_named() {
        assert_eq!(opened(b"[{}]"), Ok("[{}]".to_owned()));
        assert_eq!(opened(b""), Ok(String::new()));
        assert_eq!(opened(&packed(b"[{}]")), Ok("[{}]".to_owned()));
        let two = [packed(b"[{},"), packed(b"{}]")].concat();
        assert_eq!(opened(&two), Ok("[{},{}]".to_owned()), "two members are one file");
        for (magic, what) in OTHER_KINDS {
            let content = [magic, b"more"].concat();
            assert_eq!(opened(&content), Err(what.to_owned()));
            assert_eq!(opened(&packed(&content)), Err(what.to_owned()), "also within gzip");
        }
        assert!(opened(&packed(b"[{}]")[..12]).is_err(), "one that was cut short");
        assert!(opened(b"\x1F\x8B").unwrap_err().contains("gzip"));
    }
}
