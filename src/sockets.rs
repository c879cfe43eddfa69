//! Sockets in the file system that only their owner may use.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Listens at `path`, with mode 0600. A socket that nobody listens at any more is replaced; its folder is made, for the owner alone.
///
/// # Errors
/// When somebody listens there, something else is there, or the folder refuses.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            let text = format!("{} is there and is no socket; give another path, or remove it", path.display());
            return Err(io::Error::new(ErrorKind::AlreadyExists, text));
        }
        Ok(_) => {
            if UnixStream::connect(path).is_ok() {
                let text = format!("somebody listens at {} already; stop it, or give another path", path.display());
                return Err(io::Error::new(ErrorKind::AddrInUse, text));
            }
            std::fs::remove_file(path)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
                std::fs::create_dir_all(folder)?;
                std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
            }
        }
        Err(error) => return Err(error),
    }
    // Made under another name, so that nobody can connect before the mode is right.
    let hidden = path.with_extension(format!("new-{}", std::process::id()));
    let listener = UnixListener::bind(&hidden)?;
    let moved = std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| std::fs::rename(&hidden, path));
    if let Err(error) = moved {
        let _ = std::fs::remove_file(&hidden);
        return Err(error);
    }
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_owners_and_one_that_is_dead_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("socket");
        let listener = bind_unix(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let message = bind_unix(&path).unwrap_err().to_string();
        assert!(message.contains("somebody listens at"), "{message}");
        drop(listener);
        drop(bind_unix(&path).unwrap());

        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        assert!(bind_unix(&file).unwrap_err().to_string().contains("is no socket"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    }
}
