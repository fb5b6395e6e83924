//! The project's own Rust files, for tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file with its path below the root.
pub(crate) fn rust_files() -> Vec<(String, String)> {
    let (root, mut files) = (root(), Vec::new());
    for room in ["shared", "functions", "infra", "tests", "bench"] {
        walk(&root.join(room), &root, &mut files);
    }
    files.sort();
    files
}

fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            walk(&path, root, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let below = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.push((below, fs::read_to_string(&path).unwrap()));
        }
    }
}
