use std::collections::BTreeMap;

use shared_claims::Required;
use shared_claims::scope::Scope;

use crate::near::Folded;
use crate::path::{Form, MalformedTarget, Target};
use crate::rule_settings::{Doubtful, Gateway, RuleSettings};

/// What a request needs to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// No token at all; one that is there is not looked at.
    Nothing,
    /// A token that is valid here, with this.
    Token(Required),
}

/// A rule that cannot be meant as it stands; the start ends with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gateway rule {number} ({path}): {why}")]
pub struct InvalidRule {
    /// From 1, in the order of the file.
    pub number: usize,
    pub path: String,
    pub why: String,
}

/// Rules by path. The longest path that a request lies under decides alone: a method that none of its rules
/// names does not pass, whatever shorter paths say.
#[derive(Debug, Default)]
pub struct Rules {
    by_path: BTreeMap<String, Vec<Rule>>,
    /// The paths of rules that ask for something, for requests that nearly lie under them; empty where such requests pass.
    near: Vec<Near>,
    /// Requests pass that name another method or path for the application.
    pub pass_overrides: bool,
}

#[derive(Debug)]
struct Near {
    path: String,
    folded: Folded,
}

#[derive(Debug)]
struct Rule {
    number: usize,
    /// Empty for every method.
    methods: Vec<String>,
    needs: Needs,
    literal: Vec<Form>,
}

impl Rules {
    /// # Errors
    /// [`InvalidRule`]: overlapping rules, unknown scopes, malformed paths or methods.
    pub fn new(settings: &Gateway) -> Result<Self, InvalidRule> {
        let mut rules = Self::default();
        for (place, rule) in settings.rules.iter().enumerate() {
            let number = place + 1;
            let invalid = |why: String| InvalidRule { number, path: rule.path.clone(), why };
            let path = path_of(rule).map_err(invalid)?;
            let methods = methods_of(rule).map_err(invalid)?;
            let needs = needs_of(rule, settings).map_err(invalid)?;
            let literal = literal_of(rule).map_err(invalid)?;
            let of_path = rules.by_path.entry(path).or_default();
            if let Some(other) = of_path.iter().find(|other| other.overlaps(&methods)) {
                return Err(invalid(format!("it overlaps with rule {}: which one is meant?", other.number)));
            }
            of_path.push(Rule { number, methods, needs, literal });
        }
        rules.pass_overrides = settings.overrides == Doubtful::Pass;
        if settings.near_paths == Doubtful::Refuse {
            let asks = |rules: &Vec<Rule>| rules.iter().any(|rule| rule.needs != Needs::Nothing);
            let paths = rules.by_path.iter().filter(|(_, of_path)| asks(of_path)).map(|(path, _)| path);
            rules.near = paths.map(|path| Near { path: path.clone(), folded: Folded::of(path) }).collect();
        }
        Ok(rules)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// What a request needs; `None` when no rule lets it pass.
    ///
    /// # Errors
    /// [`MalformedTarget`]: the application may read the path as one of another rule.
    pub fn of(&self, method: &str, target: &Target) -> Result<Option<&Needs>, MalformedTarget> {
        let found = self.longest(&target.path);
        for path in std::iter::once(&target.path).chain(&target.other_path) {
            if !self.near.is_empty() && !is_plain(path) {
                self.check_near(path, found.map(|(path, _)| path))?;
            }
        }
        let Some((path, rules)) = found else { return Ok(None) };
        let Some(rule) = rules.iter().find(|rule| rule.names(method)) else { return Ok(None) };
        if let Some(form) = target.forms.iter().find(|form| !rule.literal.contains(form)) {
            return Err(MalformedTarget(not_literal(*form)));
        }
        let other = target.other_path.as_deref().map(|other| self.longest(other).map(|(path, _)| path));
        if other.is_some_and(|other| other != Some(path)) {
            return Err(MalformedTarget("in another reading the path lies under another rule"));
        }
        Ok(Some(&rule.needs))
    }

    /// The rules of the longest path that a path lies under.
    fn longest(&self, path: &str) -> Option<(&str, &Vec<Rule>)> {
        let found = prefixes(path).find_map(|prefix| self.by_path.get_key_value(prefix));
        found.map(|(path, rules)| (path.as_str(), rules))
    }

    fn check_near(&self, path: &str, own: Option<&str>) -> Result<(), MalformedTarget> {
        let (folded, own_length) = (Folded::of(path), own.map_or(0, |own| Folded::of(own).len()));
        let is_near = |near: &&Near| near.folded.len() > own_length && folded.may_lie_under(&near.folded);
        match self.near.iter().find(is_near) {
            Some(near) if own != Some(near.path.as_str()) => {
                Err(MalformedTarget("the application may take the path for one of another rule"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a path has a single reading: lower-case letters, digits, dashes, as most paths.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/-_".contains(&byte))
}

fn not_literal(form: Form) -> &'static str {
    match form {
        Form::EncodedSlash => "the path has `%2F`, and its rule does not list that as literal",
        Form::EncodedPercent => "the path has `%25`, and its rule does not list that as literal",
        Form::EmptySegment => "the path has empty segments, and its rule does not list `//` as literal",
        Form::Semicolon => "the path has `;`, and its rule does not list that as literal",
    }
}

fn literal_of(rule: &RuleSettings) -> Result<Vec<Form>, String> {
    let form = |text: &String| Form::ALL.into_iter().find(|form| form.text().eq_ignore_ascii_case(text));
    let known = rule.literal.iter().map(|text| form(text).ok_or(text));
    known.collect::<Result<_, _>>().map_err(|text| format!("`{text}` is none of `%2F`, `%25`, `//` and `;`"))
}

impl Rule {
    fn names(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|named| named == method)
    }

    fn overlaps(&self, methods: &[String]) -> bool {
        self.methods.is_empty() || methods.is_empty() || methods.iter().any(|method| self.names(method))
    }
}

/// The paths that a path lies under, the longest first: `/a/b`, `/a`, and the empty one of the rule `/`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let ends = path.match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
    std::iter::once(path).chain(ends.into_iter().rev().map(|end| &path[..end]))
}

fn path_of(rule: &RuleSettings) -> Result<String, String> {
    let target = Target::parse(&rule.path).map_err(|why| why.0.to_owned())?;
    if target.path != rule.path || !target.forms.is_empty() || rule.path.contains(['?', '#']) {
        return Err("the path must be written plainly: decoded, without a query".to_owned());
    }
    Ok(rule.path.strip_suffix('/').unwrap_or(&rule.path).to_owned())
}

fn methods_of(rule: &RuleSettings) -> Result<Vec<String>, String> {
    for method in &rule.methods {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            return Err(format!("`{method}` is no method: they are written in capitals"));
        }
    }
    Ok(rule.methods.clone())
}

fn needs_of(rule: &RuleSettings, settings: &Gateway) -> Result<Needs, String> {
    let scope = match (&rule.scope, rule.public) {
        (Some(_), true) => return Err("it is public and asks for a scope".to_owned()),
        (None, true) if rule.refuse_stale_after.is_some() => {
            return Err("it is public and asks for freshness".to_owned());
        }
        (None, true) => return Ok(Needs::Nothing),
        (None, false) => None,
        (Some(scope), false) => Some(scope),
    };
    if let Some(scope) = scope {
        Scope::parse(scope).map_err(|_| format!("`{scope}` is no scope (RFC 6749 section 3.3)"))?;
        if !settings.scopes.contains(scope) {
            return Err(format!("the scope `{scope}` is not among gateway.scopes"));
        }
    }
    // Rules live as long as the process; rejections carry the scope as a constant.
    let scope = scope.map(|scope| &*Box::leak(scope.clone().into_boxed_str()));
    let required = scope.map_or(Required::valid_token(), Required::scope);
    Ok(Needs::Token(match rule.refuse_stale_after {
        Some(bound) => required.refused_when_stale(bound),
        None => required,
    }))
}

#[cfg(test)]
mod tests {
    use shared_claims::Scopes;

    use super::*;

    fn rule(methods: &[&str], path: &str, scope: &str) -> RuleSettings {
        RuleSettings {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            path: path.to_owned(),
            scope: Some(scope.to_owned()).filter(|scope| !scope.is_empty()),
            ..RuleSettings::default()
        }
    }

    fn rules(rules: Vec<RuleSettings>) -> Result<Rules, InvalidRule> {
        let scopes = vec!["read".to_owned(), "write".to_owned(), "admin".to_owned()];
        Rules::new(&Gateway { rules, scopes, ..Gateway::default() })
    }

    #[test]
    fn the_longest_path_decides_alone() {
        let public = RuleSettings { public: true, ..rule(&[], "/static", "") };
        let rules = rules(vec![
            rule(&["GET", "HEAD"], "/notes", "read"),
            rule(&["POST"], "/notes", "write"),
            rule(&["POST"], "/notes/admin", "admin"),
            public,
        ])
        .unwrap();
        let scope = |method: &str, path: &str| name_of(&rules, method, path);
        for (method, path, expected) in [
            ("GET", "/notes", "read"),
            ("GET", "/notes/", "read"),
            ("HEAD", "/notes/1/2", "read"),
            ("POST", "/notes/1", "write"),
            ("DELETE", "/notes", "none"),
            ("get", "/notes", "none"),
            ("GET", "/notes/admin", "none"),
            ("POST", "/notes/admin/x", "admin"),
            ("POST", "/notes/administrators", "write"),
            ("GET", "/notesx", "none"),
            ("GET", "/", "none"),
            ("PURGE", "/static/a.css", "public"),
        ] {
            assert_eq!(scope(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_rule_for_the_root_is_the_last_resort() {
        let rules = rules(vec![rule(&[], "/", "read"), rule(&["GET"], "/a", "write")]).unwrap();
        assert_eq!((name_of(&rules, "GET", "/"), name_of(&rules, "PUT", "/b/c")), ("read", "read"));
        assert_eq!(name_of(&rules, "PUT", "/a/b"), "none");
    }

    fn name_of(rules: &Rules, method: &str, target: &str) -> &'static str {
        let Ok(target) = Target::parse(target) else { return "malformed" };
        match rules.of(method, &target) {
            Err(_) => "refused",
            Ok(None) => "none",
            Ok(Some(Needs::Nothing)) => "public",
            Ok(Some(Needs::Token(required))) => {
                if let Scopes::One(scope) = required.scopes() {
                    scope
                } else {
                    "any"
                }
            }
        }
    }

    #[test]
    fn what_an_application_may_take_for_a_stricter_path_is_refused_unless_it_is_said_to_pass() {
        let all = || {
            let public = RuleSettings { public: true, ..rule(&[], "/static", "") };
            vec![
                rule(&[], "/notes", "read"),
                rule(&[], "/notes/admin", "admin"),
                public,
                rule(&[], "/", "write"),
            ]
        };
        let strict = rules(all()).unwrap();
        for path in [
            "/notes/admin.json",
            "/notes/Admin",
            "/notes/admin.",
            "/notes/admin%20",
            "/notes/%EF%BC%A1dmin",
            "/notes/ad%E2%80%8Bmin/x",
            "/Notes",
            "/NOTES/1",
            "/notes.json",
            "/notes/ADMIN/x",
        ] {
            assert_eq!(name_of(&strict, "GET", path), "refused", "{path}");
        }
        for (path, expected) in [
            ("/notes/1.json", "read"),
            ("/notes/admin/A.json", "admin"),
            ("/Static/a", "write"),
            ("/notes/A", "read"),
            ("/notes/administrators", "read"),
            ("/static/A.css", "public"),
            ("/x.html", "write"),
        ] {
            assert_eq!(name_of(&strict, "GET", path), expected, "{path}");
        }
        let scopes = vec!["read".to_owned(), "write".to_owned(), "admin".to_owned()];
        let lenient = Gateway { rules: all(), scopes, near_paths: Doubtful::Pass, ..Gateway::default() };
        assert_eq!(name_of(&Rules::new(&lenient).unwrap(), "GET", "/notes/admin.json"), "read");
    }

    #[test]
    fn a_form_is_literal_only_where_a_rule_says_so_and_leads_under_no_other_rule() {
        let literal = |forms: &[&str], path: &str, scope: &str| RuleSettings {
            literal: forms.iter().map(|form| (*form).to_owned()).collect(),
            ..rule(&[], path, scope)
        };
        let rules_of = vec![
            literal(&["%2f", "//"], "/files", "read"),
            rule(&[], "/files/secret", "admin"),
            literal(&["%25", ";"], "/wiki", "write"),
        ];
        let made = rules(rules_of).unwrap();
        for (path, expected) in [
            ("/files/a%2Fb", "read"),
            ("/files/a//b", "read"),
            ("/files/a;b", "refused"),
            ("/files/a%25b", "refused"),
            ("/wiki/a;b=c", "write"),
            ("/wiki/100%2525", "write"),
            ("/wiki/100%25", "write"),
            ("/wiki/a%2Fb", "refused"),
            ("/files%2Fa", "none"),
            ("/files/%2Fsecret", "refused"),
            ("/files//secret", "refused"),
            ("/files/secret%2Fa", "refused"),
            ("/files/secret", "admin"),
            ("/files/x%2F..%2Fsecret", "malformed"),
            ("/wiki/..;/files", "malformed"),
            ("/files/secret/a%2Fb", "refused"),
            ("/files/%2FSecret", "refused"),
            ("/files//SECRET.x", "refused"),
        ] {
            assert_eq!(name_of(&made, "GET", path), expected, "{path}");
        }
        let unknown = rules(vec![literal(&["%2E"], "/a", "read")]).unwrap_err();
        assert!(unknown.why.contains("none of"), "{unknown}");
    }

    #[test]
    fn rules_that_cannot_be_meant_are_named() {
        let both = RuleSettings { public: true, ..rule(&[], "/a", "read") };
        let overlapping = |second| rules(vec![rule(&["GET", "PUT"], "/a", "read"), second]).unwrap_err();
        for (error, number, why) in [
            (overlapping(rule(&["PUT"], "/a/", "write")), 2, "overlaps with rule 1"),
            (overlapping(rule(&[], "/a", "write")), 2, "overlaps with rule 1"),
            (rules(vec![rule(&[], "/a", "delete")]).unwrap_err(), 1, "not among gateway.scopes"),
            (rules(vec![rule(&["get"], "/a", "read")]).unwrap_err(), 1, "no method"),
            (rules(vec![rule(&[], "a", "read")]).unwrap_err(), 1, "not a path"),
            (rules(vec![rule(&[], "/a/../b", "read")]).unwrap_err(), 1, "dot segments"),
            (rules(vec![rule(&[], "/%61", "read")]).unwrap_err(), 1, "written plainly"),
            (rules(vec![rule(&[], "/a?b", "read")]).unwrap_err(), 1, "written plainly"),
            (rules(vec![both]).unwrap_err(), 1, "public and asks"),
        ] {
            assert!(error.number == number && error.why.contains(why), "{error}");
        }
    }
}
