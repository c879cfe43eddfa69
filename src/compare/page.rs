//! A comparison as one HTML page.

use std::fmt::Write;

use super::table::explanation;
use super::{Report, Table};
use crate::page::{FOOT, escape, head};

/// The command that makes the page.
pub const GENERATOR: &str = "tripword compare";

/// The page.
pub(super) fn html(report: &Report) -> String {
    let mut page = head(&format!("Comparison: {}", report.words.join(", ")), GENERATOR);
    // Writing into a String cannot fail.
    let _ = write_page(&mut page, report);
    page.push_str(FOOT);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "<h1>{} configurations</h1>\n<p>{}</p>", report.configurations.len(), escape(&explanation(report)))?;
    let table = Table::new(report);
    write!(page, "<div class=\"wide\"><table><tr>")?;
    table.head.iter().try_for_each(|name| write!(page, "<th>{}", escape(name)))?;
    for row in &table.rows {
        write!(page, "<tr>")?;
        row.iter().try_for_each(|cell| write!(page, "<td>{}", escape(cell)))?;
    }
    writeln!(page, "</table></div>")
}
