//! Told to the local network, so that Home Assistant finds the service by itself (multicast DNS, RFC 6762 and 6763).

use mdns_sd::{ServiceDaemon, ServiceInfo};

const SERVICE: &str = "_wyoming._tcp.local.";

/// As long as it lives, the service is announced; then it is taken back.
pub struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

impl Announcement {
    /// Announces a service at `port` of this machine, at all its addresses, under `name`.
    ///
    /// # Errors
    /// When there is no network, or the name is none.
    pub fn start(name: &str, host: &str, port: u16) -> Result<Self, mdns_sd::Error> {
        let host = format!("{}.local.", host.trim_end_matches(".local"));
        let service = ServiceInfo::new(SERVICE, name, &host, "", port, None)?.enable_addr_auto();
        let full_name = service.get_fullname().to_owned();
        let daemon = ServiceDaemon::new()?;
        daemon.register(service)?;
        Ok(Self { daemon, full_name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Whoever has heard of it should hear that it has gone; if that fails, they will find out.
        if let Ok(done) = self.daemon.unregister(&self.full_name) {
            let _ = done.recv_timeout(std::time::Duration::from_millis(200));
        }
        let _ = self.daemon.shutdown();
    }
}
