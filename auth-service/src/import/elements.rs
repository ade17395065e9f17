//! The records of a dump, one after the other, as they stand in a stream: the elements of one JSON array, or one
//! object a line (JSON Lines). A dump may be larger than memory, and a record that is broken does not break the others.

use std::io::{self, Read};

/// Longest element, in bytes; a longer one is no account.
const MAX_ELEMENT_BYTES: usize = 1 << 20;

const CHUNK: usize = 64 * 1024;

/// How records are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Array,
    Lines,
}

/// Reads records.
pub(super) struct Elements<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// Known once the first octets are read.
    layout: Option<Layout>,
    ended: bool,
}

/// What there is instead of an element.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokenElement {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is neither a JSON array of records nor JSON Lines, as `manage.py dumpdata` writes them")]
    NoRecords,
    #[error("the file ends in the middle of it; nothing behind its beginning was read")]
    CutShort,
    #[error("is larger than a mebibyte")]
    TooLarge,
    #[error("the array ends before the file does; nothing behind it was read")]
    Behind,
}

impl BrokenElement {
    /// Whether the next element can be read.
    #[must_use]
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::TooLarge)
    }
}

impl<R: Read> Elements<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, layout: None, ended: false }
    }

    /// The octets of the next element; `None` behind the last one. Whether they are JSON is the caller's question.
    ///
    /// # Errors
    /// [`BrokenElement`]; nothing can be read behind it but where it says so.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, BrokenElement> {
        if self.ended {
            return Ok(None);
        }
        let found = self.find();
        match found {
            Ok(Some((from, to))) => {
                self.start = to;
                Ok(Some(&self.buffer[from..to]))
            }
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(broken) => {
                self.ended = !broken.goes_on();
                Err(broken)
            }
        }
    }

    fn find(&mut self) -> Result<Option<(usize, usize)>, BrokenElement> {
        let layout = match self.layout {
            Some(layout) => layout,
            None => self.begin()?,
        };
        if layout == Layout::Lines {
            return self.find_line();
        }
        match self.significant()? {
            Some(b']') => {
                self.start += 1;
                // Two dumps in one file, or a bracket too many.
                return if self.significant()?.is_some() { Err(BrokenElement::Behind) } else { Ok(None) };
            }
            Some(b',') => {
                self.start += 1;
                self.significant()?;
            }
            Some(_) => {}
            None => return Err(BrokenElement::CutShort),
        }
        let length = self.length_of_element()?;
        Ok(Some((self.start, self.start + length)))
    }

    fn begin(&mut self) -> Result<Layout, BrokenElement> {
        // A byte order mark, as Windows puts it.
        if self.peek(0)? == Some(0xEF) {
            self.start += 3;
        }
        let layout = match self.significant()? {
            Some(b'[') => {
                self.start += 1;
                Layout::Array
            }
            Some(b'{') => Layout::Lines,
            _ => return Err(BrokenElement::NoRecords),
        };
        self.layout = Some(layout);
        Ok(layout)
    }

    /// No line break can stand within the JSON of a line, so a broken line ends where it ends.
    fn find_line(&mut self) -> Result<Option<(usize, usize)>, BrokenElement> {
        if self.significant()?.is_none() {
            return Ok(None);
        }
        let (mut at, mut too_large) = (0, false);
        while self.peek(at)?.is_some_and(|byte| byte != b'\n') {
            at += 1;
            if at >= MAX_ELEMENT_BYTES {
                too_large = true;
                self.start += at;
                at = 0;
            }
        }
        if too_large {
            self.start += at;
            return Err(BrokenElement::TooLarge);
        }
        Ok(Some((self.start, self.start + at)))
    }

    /// Up to the comma or bracket behind it that is in no string and in nothing nested. What is too large is counted
    /// through and not kept.
    fn length_of_element(&mut self) -> Result<usize, BrokenElement> {
        let (mut depth, mut in_string, mut escaped, mut too_large) = (0_usize, false, false, false);
        let mut at = 0;
        loop {
            let Some(byte) = self.peek(at)? else { return Err(BrokenElement::CutShort) };
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 0 && too_large => {
                    self.start += at;
                    return Err(BrokenElement::TooLarge);
                }
                b',' | b']' if depth == 0 => return Ok(at),
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if at >= MAX_ELEMENT_BYTES {
                too_large = true;
                self.start += at;
                at = 0;
            }
        }
    }

    /// Goes on to what is no white space.
    fn significant(&mut self) -> Result<Option<u8>, BrokenElement> {
        loop {
            match self.peek(0)? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.start += 1,
                other => return Ok(other),
            }
        }
    }

    /// The octet so far behind the start.
    fn peek(&mut self, at: usize) -> Result<Option<u8>, BrokenElement> {
        while self.start + at >= self.buffer.len() {
            if self.start >= CHUNK {
                self.buffer.drain(..self.start);
                self.start = 0;
            }
            let length = self.buffer.len();
            self.buffer.resize(length + CHUNK, 0);
            let read = self.reader.read(&mut self.buffer[length..])?;
            self.buffer.truncate(length + read);
            if read == 0 {
                return Ok(None);
            }
        }
        Ok(self.buffer.get(self.start + at).copied())
    }
}

#[cfg(test)]
mod tests;
