//! Figures as Prometheus reads them: counters and histograms that threads fill, the page they are written on, the server of the page.

mod counter;
mod histogram;
mod page;
#[cfg(unix)]
mod server;

pub use counter::Counter;
pub use histogram::{Histogram, HistogramCounts};
pub use page::{CONTENT_TYPE, Family, Page};
#[cfg(unix)]
pub use server::{MetricsServer, PageOfNow};
