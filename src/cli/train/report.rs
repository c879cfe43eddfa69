//! The page of `--report`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::files::write_whole;
use crate::page::generator_mark;
use crate::train::TrainingView;
use crate::train::page::{GENERATOR, html};

/// Sees whether the page of a training that makes the model folder `out` may be put at `path`: its folder is there, and at its
/// place is nothing or such a page.
pub(super) fn check_page(path: &Path, out: &Path) -> Result<()> {
    let name = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.starts_with(out) {
        bail!(
            "--report {name}: the model folder is put in its place at the end; name a page outside of {}",
            out.display()
        );
    }
    if !folder.is_dir() {
        bail!("--report {name}: the folder {} does not exist; make it first", folder.display());
    }
    if !path.exists() {
        return Ok(());
    }
    let is_page =
        path.is_file() && std::fs::read_to_string(path).is_ok_and(|text| text.contains(&generator_mark(GENERATOR)));
    if !is_page {
        bail!("--report {name}: something else is there; name a new file, or a page of 'tripword train --report'");
    }
    Ok(())
}

/// Writes the page, whole or not at all.
pub(super) fn write(path: &Path, view: &TrainingView) -> Result<()> {
    write_whole(path, html(view).as_bytes()).with_context(|| format!("the page {} cannot be written", path.display()))
}
