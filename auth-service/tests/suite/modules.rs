//! Dependencies between modules point one way. The graph is computed from the `use` lines and paths of each crate: two
//! modules of one folder never need each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::architecture::{code_lines, sources, workspace};

type Module = Vec<String>;

/// What each module of one folder needs of its neighbours.
type Graph = BTreeMap<Module, BTreeSet<Module>>;

const CRATES: [&str; 7] = [
    "auth-service",
    "shared-claims",
    "resource-service",
    "gateway",
    "verifier-kit",
    "service-kit",
    "system-tests",
];

#[test]
fn no_module_needs_one_that_needs_it() {
    let mut cycles = Vec::new();
    for name in CRATES {
        let graph = graph(&modules(&workspace().join(name).join("src")));
        for (module, needs) in &graph {
            let needs: Vec<String> = needs.iter().map(|module| module.join("/")).collect();
            println!("{name}: {} -> {}", module.join("/"), needs.join(" "));
        }
        cycles.extend(cycle(&graph).map(|cycle| format!("{name}: {}", cycle.join(" -> "))));
    }
    assert!(cycles.is_empty(), "modules that need each other:\n{}", cycles.join("\n"));
}

#[test]
fn a_cycle_is_found_through_a_re_export_and_a_nested_path() {
    let module =
        |path: &str, code: &str| (path.split('/').map(str::to_owned).collect::<Module>(), code.to_owned());
    let mut modules = BTreeMap::from([
        module("a", "mod inner;\npub use inner::Thing;"),
        module("a/inner", "use crate::b::{self, c::{Deep, Other}};"),
        module("b", "mod c;"),
        module("b/c", "fn f(_: crate::d::Value) {}"),
        module("d", "use crate::e;"),
        module("e", ""),
    ]);
    assert_eq!(cycle(&graph(&modules)), None);
    modules.insert(vec!["e".to_owned()], "use crate::a::Thing;".to_owned());
    assert_eq!(cycle(&graph(&modules)).unwrap().join(" "), "a b d e a");
    modules.insert(vec!["e".to_owned()], "// use crate::a::Thing;".to_owned());
    assert_eq!(cycle(&graph(&modules)), None);
}

/// The code of each module, without comments and without its tests.
fn modules(folder: &Path) -> BTreeMap<Module, String> {
    let mut modules = BTreeMap::new();
    for file in sources(folder).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
        let path = file.strip_prefix(folder).unwrap().with_extension("");
        let mut module: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        // The root needs everything, and is needed for nothing.
        let is_root = module.len() == 1 && ["lib", "main"].contains(&module[0].as_str());
        if !is_root && !module.iter().any(|part| part == "tests" || part == "bin") {
            modules.insert(module, fs::read_to_string(file).unwrap());
        }
    }
    modules
}

fn graph(modules: &BTreeMap<Module, String>) -> Graph {
    let exports: BTreeMap<&Module, BTreeMap<String, Module>> =
        modules.iter().map(|(module, text)| (module, exports(module, text, modules))).collect();
    let mut graph = Graph::new();
    for (module, text) in modules {
        for path in paths(&code(text)) {
            let Some(needed) = resolve(module, &path, modules, &exports) else { continue };
            let common = module.iter().zip(&needed).take_while(|(one, other)| one == other).count();
            // A folder and what is in it are one subject.
            if common < module.len() && common < needed.len() {
                let (from, to) = (module[..=common].to_vec(), needed[..=common].to_vec());
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    graph
}

/// The names that a folder passes on, with the module that each comes from.
fn exports(module: &Module, text: &str, modules: &BTreeMap<Module, String>) -> BTreeMap<String, Module> {
    let mut exports = BTreeMap::new();
    for statement in code(text).split(';').filter(|statement| statement.trim_start().starts_with("pub")) {
        let Some((_, tree)) = statement.split_once(" use ") else { continue };
        for path in expand(tree) {
            let child: Module = module.iter().chain(path.first()).cloned().collect();
            if let (true, Some(name)) = (modules.contains_key(&child), path.last()) {
                exports.insert(name.clone(), child);
            }
        }
    }
    exports
}

/// The deepest module that a path leads to.
fn resolve(
    from: &Module,
    path: &[String],
    modules: &BTreeMap<Module, String>,
    exports: &BTreeMap<&Module, BTreeMap<String, Module>>,
) -> Option<Module> {
    let (mut at, mut rest) = match path.first()?.as_str() {
        "crate" => (Module::new(), &path[1..]),
        _ => (from.clone(), path),
    };
    while let Some((_, after)) = rest.split_first().filter(|(first, _)| *first == "super") {
        at.pop();
        rest = after;
    }
    for name in rest {
        let child: Module = at.iter().chain([name]).cloned().collect();
        at = match exports.get(&at).and_then(|exports| exports.get(name)) {
            _ if modules.contains_key(&child) => child,
            Some(origin) => origin.clone(),
            None => break,
        };
    }
    (!at.is_empty()).then_some(at)
}

fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    code_lines(text).map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate::` or `super::`, each name of a group by itself.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|before| !(before.is_alphanumeric() || before == '_' || before == ':')) {
                found.extend(expand(&code[at..]));
            }
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`; ends where the path does.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    let name: String = tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &tree[name.len()..];
    let Some(rest) = rest.strip_prefix("::") else { return vec![vec![name]] };
    let below = match rest.strip_prefix('{') {
        Some(group) => members(group).iter().flat_map(|member| expand(member)).collect(),
        None => expand(rest),
    };
    below.into_iter().map(|path| [vec![name.clone()], path].concat()).collect()
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<String> {
    let (mut members, mut depth) = (vec![String::new()], 0);
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(String::new()),
            _ => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                members.last_mut().unwrap().push(character);
            }
        }
    }
    members.retain(|member| !member.trim().is_empty());
    members
}

/// The first cycle that there is, in the names of its modules.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(graph: &Graph, module: &Module, open: &mut Vec<Module>, done: &mut BTreeSet<Module>) -> bool {
        if open.contains(module) {
            open.push(module.clone());
            return true;
        }
        if done.insert(module.clone()) {
            open.push(module.clone());
            if graph.get(module).into_iter().flatten().any(|needed| visit(graph, needed, open, done)) {
                return true;
            }
            open.pop();
        }
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|module| {
        let mut open = Vec::new();
        visit(graph, module, &mut open, &mut done).then(|| {
            let first = open.iter().position(|module| Some(module) == open.last()).unwrap_or(0);
            open[first..].iter().map(|module| module.join("/")).collect()
        })
    })
}

#[test]
fn the_authority_has_few_parts() {
    let text = fs::read_to_string(workspace().join("auth-service/src/authority/mod.rs")).unwrap();
    let (_, fields) = text.split_once("pub struct Authority {").unwrap();
    let fields = fields.split('}').next().unwrap().lines().filter(|line| line.trim_end().ends_with(','));
    assert!((5..=12).contains(&fields.count()));
}
