//! Where a user's things lie: the folders that systemd names to a service, else those of the XDG base directory specification, else their
//! defaults below the home.

use std::ffi::OsString;
use std::path::PathBuf;

/// Configuration: `$XDG_CONFIG_HOME/tripword`.
pub fn config_dir() -> Option<PathBuf> {
    own("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", Some(".config"))
}

/// Models and other things that are kept: `$XDG_DATA_HOME/tripword`. systemd has no such folder.
pub fn data_dir() -> Option<PathBuf> {
    own("", "XDG_DATA_HOME", Some(".local/share"))
}

/// What the service itself writes and keeps: `$XDG_STATE_HOME/tripword`.
pub fn state_dir() -> Option<PathBuf> {
    own("STATE_DIRECTORY", "XDG_STATE_HOME", Some(".local/state"))
}

/// Sockets, gone with the session: `$XDG_RUNTIME_DIR/tripword`. It has no default: without a session there is none.
pub fn runtime_dir() -> Option<PathBuf> {
    own("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", None)
}

/// The user's own units of systemd: `$XDG_CONFIG_HOME/systemd/user`.
pub fn systemd_user_dir() -> Option<PathBuf> {
    Some(base(&variable, "XDG_CONFIG_HOME", Some(".config"))?.join("systemd").join("user"))
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn own(systemd_variable: &str, xdg_variable: &str, below_home: Option<&str>) -> Option<PathBuf> {
    own_with(&variable, systemd_variable, xdg_variable, below_home)
}

fn own_with(
    variable: &dyn Fn(&str) -> Option<OsString>,
    systemd_variable: &str,
    xdg_variable: &str,
    below_home: Option<&str>,
) -> Option<PathBuf> {
    // systemd may name several, of which the first is the service's own.
    let by_systemd = (!systemd_variable.is_empty())
        .then(|| variable(systemd_variable))
        .flatten()
        .and_then(|list| std::env::split_paths(&list).next())
        .filter(|path| path.is_absolute());
    by_systemd.or_else(|| Some(base(variable, xdg_variable, below_home)?.join("tripword")))
}

/// What is not absolute is passed over, as the specification says.
fn base(variable: &dyn Fn(&str) -> Option<OsString>, xdg: &str, below_home: Option<&str>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder(xdg).or_else(|| Some(folder("HOME")?.join(below_home?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_goes_before_xdg_and_xdg_before_the_home() {
        let folder = |variables: &[(&str, &str)], below_home| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
            own_with(&variable, "STATE_DIRECTORY", "XDG_STATE_HOME", below_home)
        };
        let home = ("HOME", "/home/anna");
        let (xdg, by_systemd) = (("XDG_STATE_HOME", "/xdg"), ("STATE_DIRECTORY", "/var/own:/var/other"));
        assert_eq!(folder(&[home, xdg, by_systemd], Some(".s")), Some("/var/own".into()));
        assert_eq!(folder(&[home, xdg], Some(".s")), Some("/xdg/tripword".into()));
        assert_eq!(folder(&[home], Some(".s")), Some("/home/anna/.s/tripword".into()));
        assert_eq!(
            folder(&[home, ("XDG_STATE_HOME", "not/absolute")], Some(".s")),
            Some("/home/anna/.s/tripword".into())
        );
        assert_eq!(folder(&[home], None), None);
        assert_eq!(folder(&[("XDG_STATE_HOME", ""), ("HOME", "")], Some(".s")), None);
    }
}
