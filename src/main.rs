//! The `tripword` binary: parse, dispatch, print the chain of errors, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tripword::cli::run() {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("{}tripword: {error:#}", tripword::cli::error_prefix());
            ExitCode::FAILURE
        }
    }
}
