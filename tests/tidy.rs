//! The house: arrows between modules, a doc at the head of each file, no file with two ideas' worth of lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module with those it may import; `cli` may import all.
const ARROWS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("files", &[]),
    ("folders", &[]),
    ("difference", &[]),
    ("names", &[]),
    ("page", &[]),
    ("parallel", &[]),
    ("sockets", &[]),
    ("labels", &["names"]),
    ("tables", &["files"]),
    ("serving", &[]),
    ("metrics", &["serving"]),
    ("audio", &["files", "units"]),
    ("features", &["units"]),
    ("kernels", &[]),
    ("model", &["kernels", "units"]),
    ("detector", &["units"]),
    ("bundle", &["detector", "difference", "features", "model", "names"]),
    ("pipeline", &["bundle", "detector", "features", "model", "names", "units"]),
    ("events", &["audio", "bundle", "detector", "files", "metrics", "sockets", "units"]),
    ("systemd", &["events"]),
    ("picture", &["bundle", "features", "page", "pipeline", "units"]),
    ("report", &["audio", "bundle", "detector", "events", "features", "page", "picture", "pipeline", "units"]),
    ("label", &["audio", "bundle", "detector", "events", "files", "labels", "pipeline", "report", "tables", "units"]),
    ("explain", &["audio", "bundle", "detector", "events", "label", "pipeline", "units"]),
    ("catalogue", &["bundle", "events", "label", "tables", "units"]),
    ("merge", &["catalogue", "files"]),
    ("wyoming", &["audio", "bundle", "detector", "names", "pipeline", "sockets", "units"]),
    ("daemon", &["audio", "bundle", "detector", "events", "metrics", "names", "pipeline", "units"]),
    ("control", &["audio", "daemon", "events", "metrics", "names", "serving", "sockets", "units"]),
    ("dataset", &["audio", "features", "labels", "names", "parallel", "units"]),
    ("eval", &["dataset", "detector", "features", "model", "page", "parallel", "units"]),
    ("align", &["bundle", "dataset", "features", "names", "parallel", "units"]),
    (
        "train",
        &[
            "bundle",
            "dataset",
            "detector",
            "difference",
            "eval",
            "features",
            "files",
            "model",
            "names",
            "page",
            "parallel",
            "units",
        ],
    ),
    ("config", &["bundle", "labels", "names", "train", "units"]),
    (
        "compare",
        &[
            "bundle",
            "config",
            "dataset",
            "difference",
            "eval",
            "features",
            "files",
            "model",
            "page",
            "parallel",
            "train",
            "units",
        ],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// The module at the top of the tree that `path` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_one_way() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(["cli", "lib", "main"]).collect();
    for (path, text) in sources() {
        let from = module(&path);
        assert!(known.contains(from.as_str()), "{}: a module without a place in the house", path.display());
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from) else { continue };
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let to: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(
                    to == from || to.is_empty() || allowed.contains(&to.as_str()) || !known.contains(to.as_str()),
                    "{}: `{from}` imports `{to}`, which is not below it",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_arrows_have_no_cycle() {
    // Each module comes after all it imports.
    for (i, (name, allowed)) in ARROWS.iter().enumerate() {
        for below in *allowed {
            assert!(
                ARROWS[..i].iter().any(|(earlier, _)| earlier == below),
                "{name} imports {below}, which comes later"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{}: begins without a line on what it is", path.display());
        let n_lines = text.lines().count();
        assert!(n_lines <= 650, "{}: {n_lines} lines hold more than one idea", path.display());
    }
}

#[test]
fn unsafe_code_lives_in_the_kernels_only() {
    for (path, text) in sources() {
        if module(&path) != "kernels" {
            assert!(!text.contains("allow(unsafe_code)"), "{}: unsafe code", path.display());
        }
    }
}
