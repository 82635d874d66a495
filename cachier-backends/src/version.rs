//! Versions of the code that computed entries.

use std::fmt;

/// The version of a function's code that computed an entry.
///
/// ```
/// use cachier_backends::Version;
///
/// let versions = [Version::Unversioned, Version::Number(2), Version::Code(255)];
/// assert_eq!(versions.map(|version| version.to_string()), ["none", "2", "code-00000000000000ff"]);
/// ```
///
/// Exhaustive: it is a part of stored keys, whose format would change with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// The code does not matter: entries survive all changes of it.
    Unversioned,
    /// A number that the author of the function keeps.
    Number(u64),
    /// A hash of the function's code.
    Code(u64),
}

/// `none`, the number, or `code-` and 16 hexadecimal digits.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unversioned => f.write_str("none"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Code(hash) => {
                f.write_str("code-")?;
                // Part of every name: not formatted, which would take longer than all else in it.
                f.write_str(str::from_utf8(&hex(*hash)).unwrap_or_default())
            }
        }
    }
}

/// All digits of a number, zeros in front included.
fn hex(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15])
}
