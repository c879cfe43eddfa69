//! Pages that people look at: HTML that needs neither a server nor a network, its style, and plots.

mod bars;
mod plot;
mod scatter;

pub use bars::{Bar, bars};
pub use plot::{Axis, Scale, svg};
pub use scatter::{Dot, scatter};

const STYLE: &str = include_str!("style.css");

/// The beginning of a page up to its first heading. `generator` is the command that makes it; [`generator_mark`] finds it again.
pub fn head(title: &str, generator: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{mark}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style></head><body>\n",
        mark = generator_mark(generator),
        title = escape(title),
    )
}

/// Its end.
pub const FOOT: &str = "</body></html>\n";

/// What a page of this command holds in its head; such a page may be written over.
pub fn generator_mark(generator: &str) -> String {
    format!("<meta name=\"generator\" content=\"{}\">", escape(generator))
}

/// Text as HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
