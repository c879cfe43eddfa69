//! Whether two files are one.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Whether two files have the same bytes.
///
/// # Errors
/// When one of them cannot be read.
pub(super) fn have_same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    loop {
        let n = {
            let (a, b) = (a.fill_buf()?, b.fill_buf()?);
            let n = a.len().min(b.len());
            if a[..n] != b[..n] || (n == 0 && a.len() != b.len()) {
                return Ok(false);
            }
            n
        };
        if n == 0 {
            return Ok(true);
        }
        a.consume(n);
        b.consume(n);
    }
}
