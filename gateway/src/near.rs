//! Paths that an application may take for another one: it ignores the case, or an extension (`.json`), or trailing dots
//! and spaces, or reads full-width letters as plain ones.

use unicode_normalization::UnicodeNormalization;

/// A path by its segments, as the most lenient application compares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    whole: String,
    /// Without what stands behind the first dot.
    stem: String,
}

impl Folded {
    #[must_use]
    pub(crate) fn of(path: &str) -> Self {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Self(segments.map(Segment::of).collect())
    }

    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it may be taken for a path below `other`, which is a rule's.
    #[must_use]
    pub(crate) fn may_lie_under(&self, other: &Self) -> bool {
        self.len() >= other.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(own, other)| own.whole == other.whole || own.stem == other.whole)
    }
}

impl Segment {
    fn of(segment: &str) -> Self {
        let whole = fold(segment);
        // What begins with a dot has no extension (`.well-known`).
        let stem = match whole.char_indices().skip(1).find(|(_, letter)| *letter == '.') {
            Some((dot, _)) => whole[..dot].trim_end().to_owned(),
            None => whole.clone(),
        };
        Self { whole, stem }
    }
}

fn fold(segment: &str) -> String {
    let folded: String =
        segment.nfkc().filter(|letter| !is_ignored(*letter)).flat_map(char::to_lowercase).collect();
    folded.trim_matches(|letter: char| letter.is_whitespace()).trim_end_matches(['.', ' ']).to_owned()
}

/// What is not seen, and left out where texts are compared (`Default_Ignorable_Code_Point`, those in use).
fn is_ignored(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_path_is_known_and_what_is_another_is_not() {
        let lies_under = |path: &str, rule: &str| Folded::of(path).may_lie_under(&Folded::of(rule));
        for path in [
            "/notes/admin",
            "/notes/admin/x",
            "/NOTES/admin",
            "/notes/Admin",
            "/notes/admin.json",
            "/notes.x/admin",
            "/notes/admin.",
            "/notes/admin ",
            "/notes/admin. .",
            "/notes/ admin",
            "/notes/admin.tar.gz",
            "/notes/\u{ff21}dmin",
            "/notes/ad\u{200b}min",
            "/notes/adm\u{ad}in",
            "//notes//admin/",
            "/notes/admin .json",
            "/notes/\u{2460}".replace('\u{2460}', "admin").as_str(),
        ] {
            assert!(lies_under(path, "/notes/admin"), "{path}");
        }
        for path in [
            "/notes",
            "/notes/administrators",
            "/notes/xadmin",
            "/notes/json.admin",
            "/notes/.admin",
            "/x/notes/admin",
        ] {
            assert!(!lies_under(path, "/notes/admin"), "{path}");
        }
        assert!(!lies_under("/app", "/app.js"), "only what is asked for loses its extension");
        assert!(lies_under("/.WELL-KNOWN/x", "/.well-known") && lies_under("/any", "/"));
    }
}
