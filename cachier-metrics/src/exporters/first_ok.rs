//! The first of several attempts that succeeds.

use std::io::{self, ErrorKind};

/// The first success; later attempts are not made. Of failures alone, the first, as the system names the best address first.
pub(super) fn first_ok<T>(attempts: &mut dyn Iterator<Item = io::Result<T>>) -> io::Result<T> {
    let mut first_error = None;
    for attempt in attempts {
        match attempt {
            Ok(success) => return Ok(success),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(ErrorKind::AddrNotAvailable.into()))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn attempts_end_with_the_first_success() {
        use ErrorKind::{ConnectionRefused, HostUnreachable};

        let outcome = |attempts: &[Result<u8, ErrorKind>]| {
            let mut made = 0;
            let attempts = attempts.iter().inspect(|_| made += 1);
            let mut attempts = attempts.map(|attempt| attempt.map_err(io::Error::from));
            let outcome = first_ok(&mut attempts).map_err(|error| error.kind());
            (outcome, made)
        };
        let (refused, unreachable) = (Err(ConnectionRefused), Err(HostUnreachable));
        assert_eq!(outcome(&[refused, Ok(1), Ok(2)]), (Ok(1), 2));
        assert_eq!(outcome(&[refused, unreachable]), (refused, 2));
        assert_eq!(outcome(&[]), (Err(ErrorKind::AddrNotAvailable), 0));
    }
}
