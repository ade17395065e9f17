//! What the documents name is there, and what they must name they do.

use std::fs;

use crate::architecture::{LIBRARIES, sources, workspace};

fn page(name: &str) -> String {
    fs::read_to_string(workspace().join("docs").join(name)).unwrap()
}

/// A mitigation without its test is a promise: each test that the threat model names exists, in the file that it names.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let folders = ["system-tests/tests", "auth-service/tests", "auth-service/src", "shared-claims/src"];
    let files: Vec<(String, String)> = folders
        .iter()
        .flat_map(|folder| sources(&workspace().join(folder)))
        .map(|file| (file.display().to_string(), fs::read_to_string(&file).unwrap()))
        .collect();
    let page = page("security.md");
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| quoted.contains("::") && !quoted.starts_with("file::"))
        .collect();
    assert!(named.len() > 20, "the table of attackers names tests: {named:?}");
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| {
            let (file, test) = name.split_once("::").unwrap();
            let defined = format!("fn {test}(");
            !files.iter().any(|(path, text)| path.contains(file) && text.contains(&defined))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

/// Anyone who sees a metric finds what it means.
#[test]
fn every_metric_is_in_the_documents() {
    let operations = page("operations.md");
    let mut metrics = Vec::new();
    for file in LIBRARIES.iter().flat_map(|folder| sources(&workspace().join(folder))) {
        let text = fs::read_to_string(file).unwrap();
        for found in text.split("describe_").skip(1) {
            let is_macro = ["counter!(", "gauge!(", "histogram!("].iter().any(|kind| found.starts_with(kind));
            let name = found.split('"').nth(1).filter(|_| is_macro);
            metrics.extend(name.map(str::to_owned));
        }
    }
    assert!(metrics.len() > 20, "{metrics:?}");
    metrics.retain(|name| !operations.contains(name.as_str()));
    assert!(metrics.is_empty(), "metrics that docs/operations.md does not name: {metrics:?}");
}
