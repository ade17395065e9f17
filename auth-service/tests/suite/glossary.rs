//! One word for one thing, and the field's word where it has one: in the documentation, the help of the commands, messages,
//! and the comments of the gRPC definitions.

use std::fs;
use std::path::{Path, PathBuf};

use auth_service::cli::Cli;
use clap::CommandFactory;

use super::architecture::{LIBRARIES, code_lines, says, sources, workspace};

/// A word or phrase that readers had to translate, and the field's word for it.
const WORDS: [(&str, &str); 38] = [
    ("mouth", "API, protocol"),
    ("mouths", "APIs, protocols"),
    ("keeper", "state sync"),
    ("taken back", "revoked"),
    ("take back", "revoke"),
    ("takes back", "revokes"),
    ("took back", "revoked"),
    ("anew", "again"),
    ("whoever", "anyone, callers"),
    ("somebody", "someone, a user, a caller"),
    ("people", "users"),
    ("person", "user"),
    ("deaf", "unresponsive"),
    ("judge", "evaluate, decide"),
    ("judged", "evaluated, decided"),
    ("judges", "evaluates, decides"),
    ("judgement", "evaluation, decision"),
    ("verdict", "result, decision"),
    ("lacks", "is missing"),
    ("forgiven", "allowed"),
    ("forgives", "allows"),
    ("believe", "trust"),
    ("believed", "trusted"),
    ("believes", "trusts"),
    ("hear", "contact"),
    ("hears", "receives"),
    ("heard", "contact, last contact"),
    ("earn", "grant"),
    ("earned", "granted"),
    ("machine token", "client token"),
    ("machine tokens", "client tokens"),
    ("good for nothing", "no longer valid"),
    ("is no algorithm", "unsupported algorithm"),
    ("is no grant", "unknown grant type"),
    ("is no setting", "unknown setting"),
    ("put back", "restored"),
    ("something broke here", "internal server error"),
    ("this does not go with", "conflicts with the current state"),
];

/// The lines of a text that use a word of the list.
fn found<'a>(place: &str, lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in lines {
        let line = line.to_lowercase();
        for (word, instead) in WORDS {
            if says(&line, word) {
                found.push(format!("{place}:{number}: `{word}`: say {instead}"));
            }
        }
    }
    found
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(number, line)| (number + 1, line))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            all.push(path);
        }
    }
    all
}

fn name(file: &Path) -> String {
    file.strip_prefix(workspace()).unwrap().display().to_string()
}

#[test]
fn the_documentation_uses_the_words_of_the_field() {
    let mut pages = files(&workspace().join("docs"), "md");
    pages.extend(["README.md", "CHANGELOG.md", "SECURITY.md"].map(|page| workspace().join(page)));
    pages.extend(files(&workspace().join("proto"), "proto"));
    let mut all = Vec::new();
    for page in pages {
        let text = without_renames(&fs::read_to_string(&page).unwrap());
        all.extend(found(&name(&page), numbered(&text)));
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

/// Without the items of the changelog that name what was renamed; the lines keep their numbers.
fn without_renames(text: &str) -> String {
    let mut within = false;
    let mut line = |line: &str| {
        within = line.starts_with("- Renamed:") || (within && line.starts_with("  "));
        if within { "\n".to_owned() } else { format!("{line}\n") }
    };
    text.lines().map(&mut line).collect()
}

#[test]
fn the_help_of_each_command_uses_the_words_of_the_field() {
    fn helps(mut command: clap::Command, all: &mut Vec<(String, String)>) {
        let help = command.render_long_help().to_string();
        all.push((command.get_name().to_owned(), help));
        for subcommand in command.get_subcommands().cloned().collect::<Vec<_>>() {
            helps(subcommand, all);
        }
    }
    let mut all = Vec::new();
    helps(Cli::command(), &mut all);
    assert!(all.len() > 30, "every command has a help");
    let wrong: Vec<String> = all.iter().flat_map(|(name, help)| found(name, numbered(help))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Comments, and the names of functions, of everything but this list itself.
#[test]
fn comments_and_names_use_the_words_of_the_field() {
    let mut all = Vec::new();
    for folder in
        LIBRARIES.into_iter().chain(["auth-service/tests", "shared-claims/tests", "system-tests", "bench"])
    {
        let files = sources(&workspace().join(folder)).into_iter();
        for file in files.filter(|file| !file.ends_with("suite/glossary.rs")) {
            let text = fs::read_to_string(&file).unwrap();
            let read: Vec<String> = text.lines().map(comment_and_name).collect();
            let lines = read.iter().enumerate().map(|(number, line)| (number + 1, line.as_str()));
            all.extend(found(&name(&file), lines));
        }
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

/// The comment of a line, and the words of the name of a function that it defines.
fn comment_and_name(line: &str) -> String {
    let comment = line.split_once("//").map_or("", |(_, comment)| comment);
    let function =
        line.split_once("fn ").map_or("", |(_, rest)| rest.split(['(', '<']).next().unwrap_or_default());
    format!("{comment} {}", function.replace('_', " "))
}

/// Messages, errors and log lines: the string literals of the binaries and of what they are built of.
#[test]
fn messages_use_the_words_of_the_field() {
    let mut all = Vec::new();
    for folder in LIBRARIES {
        for file in sources(&workspace().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let literals: Vec<(usize, String)> =
                code_lines(code).map(|(number, line)| (number, literals_of(line))).collect();
            all.extend(found(&name(&file), literals.iter().map(|(number, line)| (*number, line.as_str()))));
        }
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

/// What stands between the quotes of a line.
fn literals_of(line: &str) -> String {
    line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_word_of_the_list_is_found() {
    let text = "one\nThe keeper has heard it.\n";
    assert_eq!(found("page", numbered(text)).len(), 2);
    assert!(found("page", numbered("a lackey, a heartbeat, unheard")).is_empty(), "whole words only");
    assert_eq!(literals_of(r#"tracing::warn!(key = 1, "told to whoever")"#), "told to whoever");
}
