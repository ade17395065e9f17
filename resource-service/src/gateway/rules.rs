use std::collections::BTreeMap;

use shared_claims::guard::WhenStale;
use shared_claims::scope::Scope;

use super::settings::Gateway;
use super::{RuleSettings, Target};

/// What a request needs to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// No token at all; one that is there is not looked at.
    Nothing,
    /// A token that is valid here, with this scope if there is one.
    Token { scope: Option<&'static str>, when_stale: WhenStale },
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
}

#[derive(Debug)]
struct Rule {
    number: usize,
    /// Empty for every method.
    methods: Vec<String>,
    needs: Needs,
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
            let of_path = rules.by_path.entry(path).or_default();
            if let Some(other) = of_path.iter().find(|other| other.overlaps(&methods)) {
                return Err(invalid(format!("it overlaps with rule {}: which one is meant?", other.number)));
            }
            of_path.push(Rule { number, methods, needs });
        }
        Ok(rules)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// What a request needs; `None` when no rule lets it pass.
    #[must_use]
    pub fn of(&self, method: &str, path: &str) -> Option<&Needs> {
        let rules = prefixes(path).find_map(|prefix| self.by_path.get(prefix))?;
        rules.iter().find(|rule| rule.names(method)).map(|rule| &rule.needs)
    }
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
    if target.path != rule.path || rule.path.contains(['?', '#']) {
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
    let when_stale = rule.refuse_stale_after.map_or(WhenStale::Continue, WhenStale::RefuseAbove);
    // Rules live as long as the process; rejections carry the scope as a constant.
    let scope = scope.map(|scope| &*Box::leak(scope.clone().into_boxed_str()));
    Ok(Needs::Token { scope, when_stale })
}

#[cfg(test)]
mod tests {
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
        let scope = |method: &str, path: &str| match rules.of(method, path) {
            None => "none",
            Some(Needs::Nothing) => "public",
            Some(Needs::Token { scope, .. }) => scope.unwrap_or("any"),
        };
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
        assert!(rules.of("GET", "/").is_some() && rules.of("PUT", "/b/c").is_some());
        assert!(rules.of("PUT", "/a/b").is_none());
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
            (rules(vec![rule(&[], "/a/../b", "read")]).unwrap_err(), 1, "dot or empty"),
            (rules(vec![rule(&[], "/%61", "read")]).unwrap_err(), 1, "written plainly"),
            (rules(vec![rule(&[], "/a?b", "read")]).unwrap_err(), 1, "written plainly"),
            (rules(vec![both]).unwrap_err(), 1, "public and asks"),
        ] {
            assert!(error.number == number && error.why.contains(why), "{error}");
        }
    }
}
