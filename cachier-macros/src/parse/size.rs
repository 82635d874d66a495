//! Sizes: `"512B"`, `"10KB"`, `"200MB"`, in powers of 1024.

const UNITS: [(&str, u64); 5] = [
    ("B", 1),
    ("KB", 1 << 10),
    ("MB", 1 << 20),
    ("GB", 1 << 30),
    ("TB", 1 << 40),
];

/// Parses a size in bytes.
///
/// # Errors
/// A message for the user, without the text itself.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    if digits.is_empty() {
        return Err(help(format!("expected a whole number at `{text}`")));
    }
    if unit.is_empty() {
        return Err(help(format!("`{digits}` has no unit")));
    }
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{digits}` is too large: the limit is 2^64 - 1"))?;
    let (_, bytes) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| help(format!("unknown unit `{unit}`")))?;
    number
        .checked_mul(*bytes)
        .ok_or_else(|| "it is too large: the limit is 2^64 bytes".to_owned())
}

fn help(problem: String) -> String {
    format!("{problem}; write a whole number with B, KB, MB, GB or TB, such as \"10KB\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("10KB"), Ok(10_240));
        assert_eq!(size("200MB"), Ok(209_715_200));
        assert_eq!(size("3GB"), Ok(3 << 30));
        assert_eq!(size("1TB"), Ok(1 << 40));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problem = |text| match size(text) {
            Ok(bytes) => bytes.to_string(),
            Err(message) => message.split(';').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(problem(""), "expected a whole number at ``");
        assert_eq!(problem("KB"), "expected a whole number at `KB`");
        assert_eq!(problem("10"), "`10` has no unit");
        assert_eq!(problem("10kb"), "unknown unit `kb`");
        assert_eq!(problem("1.5MB"), "unknown unit `.5MB`");
        assert_eq!(
            problem("99999999999999999999B"),
            "`99999999999999999999` is too large: the limit is 2^64 - 1"
        );
        assert_eq!(
            problem("99999999999999TB"),
            "it is too large: the limit is 2^64 bytes"
        );
    }
}
