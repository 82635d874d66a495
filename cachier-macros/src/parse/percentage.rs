//! Percentages: `"10%"`, `"2.5%"`.

/// The greatest share, all, in millionths.
pub(crate) const MAX_SHARE: u32 = 1_000_000;
/// One percent in millionths.
const PERCENT: u64 = 10_000;

/// Parses a percentage into millionths.
///
/// # Errors
/// A message for the user, without the text itself.
pub(crate) fn percentage(text: &str) -> Result<u32, String> {
    let number = text
        .strip_suffix('%')
        .ok_or_else(|| help("it does not end in `%`"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let zeros = match fraction.len() {
        places @ 1..=4 => 4 - places as u32,
        _ => {
            return Err(help(
                "it has more than four digits after the point, or none",
            ));
        }
    };
    let fraction = digits(fraction)? * 10_u64.pow(zeros);
    let millionths = digits(whole)?
        .saturating_mul(PERCENT)
        .saturating_add(fraction);
    match u32::try_from(millionths) {
        Ok(millionths) if millionths <= MAX_SHARE => Ok(millionths),
        _ => Err(help("it is more than all")),
    }
}

fn digits(digits: &str) -> Result<u64, String> {
    if digits.is_empty() || digits.bytes().any(|digit| !digit.is_ascii_digit()) {
        return Err(help(format!("expected a number at `{digits}`")));
    }
    // Too many of them are too much anyway.
    Ok(digits.parse().unwrap_or(u64::from(u32::MAX)))
}

fn help(problem: impl std::fmt::Display) -> String {
    format!("{problem}; write a percentage, such as \"10%\" or \"2.5%\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_to_the_millionth() {
        for (text, millionths) in [
            ("0%", 0),
            ("10%", 100_000),
            ("2.5%", 25_000),
            ("0.0001%", 1),
            ("100%", 1_000_000),
        ] {
            assert_eq!(percentage(text), Ok(millionths));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, problem) in [
            ("", "it does not end in `%`"),
            ("10", "it does not end in `%`"),
            ("%", "expected a number at ``"),
            ("ten%", "expected a number at `ten`"),
            ("-5%", "expected a number at `-5`"),
            (
                "1.%",
                "it has more than four digits after the point, or none",
            ),
            (
                "1.00001%",
                "it has more than four digits after the point, or none",
            ),
            ("1.x%", "expected a number at `x`"),
            ("100.1%", "it is more than all"),
            ("101%", "it is more than all"),
            ("99999999999%", "it is more than all"),
            ("9999999999999999.9%", "it is more than all"),
        ] {
            let message = percentage(text).map_err(|message| {
                let (problem, _) = message.split_once(';').unwrap_or_default();
                problem.to_owned()
            });
            assert_eq!(message, Err(problem.to_owned()), "{text}");
        }
    }
}
