use super::*;

/// Gives one octet at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        into[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn elements(text: &str) -> Vec<String> {
    all(Elements::new(Slow(text.as_bytes())))
}

fn all(mut elements: Elements<impl Read>) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        match elements.next() {
            Ok(Some(element)) => found.push(String::from_utf8_lossy(element).trim().to_owned()),
            Ok(None) => return found,
            Err(broken) => found.push(format!("! {broken}")),
        }
    }
}

#[test]
fn elements_end_where_they_end_whatever_their_strings_hold() {
    assert_eq!(elements("[]"), [""; 0]);
    assert_eq!(elements("\u{feff} [\n {\"a\": 1},\r\n{\"b\": [1, 2]}\n]"), ["{\"a\": 1}", "{\"b\": [1, 2]}"]);
    let odd = r#"{"a": "}],{[\"\\", "b": {"c": ["]"]}}"#;
    assert_eq!(elements(&format!("[{odd},{odd}]")), [odd, odd]);
}

#[test]
fn one_that_is_broken_does_not_take_the_others_with_it() {
    assert_eq!(elements(r#"[{"a": nonsense}, {"b": 1}]"#), [r#"{"a": nonsense}"#, r#"{"b": 1}"#]);
    let cut = "! the file ends in the middle of it; nothing behind its beginning was read";
    assert_eq!(elements(r#"[{"a": 1}, {"b": "#), [r#"{"a": 1}"#, cut]);
    assert_eq!(elements(r#"[{"a": 1}"#), [cut]);
    let behind = "! the array ends before the file does; nothing behind it was read";
    assert_eq!(elements(r#"[{"a": 1}][{"b": 1}]"#), [r#"{"a": 1}"#, behind]);
    assert_eq!(elements(r#"[{"a": 1}], {"b": 1}]"#), [r#"{"a": 1}"#, behind]);
    let none = "! is neither a JSON array of records nor JSON Lines, as `manage.py dumpdata` writes them";
    assert_eq!(elements("")[0], none);
    assert_eq!(elements("7")[0], none);
    let large = format!("[{{\"a\": \"{}\"}}, {{\"b\": [1]}}]", "x".repeat(3 * MAX_ELEMENT_BYTES));
    assert_eq!(all(Elements::new(large.as_bytes())), ["! is larger than a mebibyte", r#"{"b": [1]}"#]);
}

#[test]
fn each_line_is_a_record_and_a_broken_one_ends_where_it_ends() {
    let odd = r#"{"a": "}\n[{\"", "b": {"c": []}}"#;
    assert_eq!(elements(&format!("\u{feff}{odd}\r\n\n{odd}")), [odd, odd]);
    assert_eq!(elements("{\"a\": \n{\"b\": 1}\n"), ["{\"a\":", "{\"b\": 1}"]);
    let large = format!("{{\"a\": \"{}\"}}\n{{\"b\": 1}}", "x".repeat(3 * MAX_ELEMENT_BYTES));
    assert_eq!(all(Elements::new(large.as_bytes())), ["! is larger than a mebibyte", "{\"b\": 1}"]);
}
