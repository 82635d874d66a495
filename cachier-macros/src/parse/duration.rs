//! Durations: `"250ms"`, `"90s"`, `"3d"`, `"1h30m"`.

use std::time::Duration;

/// The units in descending order, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Parses a duration: whole numbers with units, larger units first.
///
/// # Errors
/// A message for the user, without the text itself.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err(help("it is empty"));
    }
    let (mut rest, mut total, mut next_unit) = (text, 0u64, 0);
    while !rest.is_empty() {
        let (number, unit, tail) = part(rest)?;
        let position = position_of(unit)?;
        if position < next_unit {
            return Err(help(format!(
                "`{unit}` comes after a smaller unit, or twice"
            )));
        }
        let milliseconds = number.checked_mul(UNITS[position].1);
        total = milliseconds
            .and_then(|milliseconds| total.checked_add(milliseconds))
            .ok_or("it is too long: the limit is 2^64 milliseconds")?;
        (rest, next_unit) = (tail, position + 1);
    }
    Ok(Duration::from_millis(total))
}

/// Splits off one number with its unit.
fn part(text: &str) -> Result<(u64, &str, &str), String> {
    let (digits, tail) = split_where(text, |c| !c.is_ascii_digit());
    if digits.is_empty() {
        return Err(help(format!("expected a whole number at `{text}`")));
    }
    let number = digits
        .parse()
        .map_err(|_| format!("`{digits}` is too large: the limit is 2^64 - 1"))?;
    let (unit, tail) = split_where(tail, |c| c.is_ascii_digit());
    if unit.is_empty() {
        return Err(help(format!("`{digits}` has no unit")));
    }
    Ok((number, unit, tail))
}

fn position_of(unit: &str) -> Result<usize, String> {
    UNITS
        .iter()
        .position(|(name, _)| *name == unit)
        .ok_or_else(|| help(format!("unknown unit `{unit}`")))
}

fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

fn help(problem: impl std::fmt::Display) -> String {
    format!(
        "{problem}; write whole numbers with the units d, h, m, s, ms, such as \"90s\" or \"1h30m\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_their_sums_are_read() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("250ms"), Ok(0.25));
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("10m"), Ok(600.0));
        assert_eq!(seconds("3d"), Ok(259_200.0));
        assert_eq!(seconds("1h30m"), Ok(5_400.0));
        assert_eq!(seconds("1d2h3m4s5ms"), Ok(93_784.005));
        assert_eq!(seconds("0s"), Ok(0.0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problem = |text| match duration(text) {
            Ok(duration) => format!("{duration:?}"),
            Err(message) => message.split(';').next().unwrap_or_default().to_owned(),
        };
        assert_eq!(problem(""), "it is empty");
        assert_eq!(problem("10"), "`10` has no unit");
        assert_eq!(problem("10 m"), "unknown unit ` m`");
        assert_eq!(problem("10min"), "unknown unit `min`");
        assert_eq!(problem("1.5h"), "unknown unit `.`");
        assert_eq!(problem("m"), "expected a whole number at `m`");
        assert_eq!(problem("-3s"), "expected a whole number at `-3s`");
        assert_eq!(problem("30m1h"), "`h` comes after a smaller unit, or twice");
        assert_eq!(problem("1h2h"), "`h` comes after a smaller unit, or twice");
        assert_eq!(
            problem("99999999999999999999s"),
            "`99999999999999999999` is too large: the limit is 2^64 - 1"
        );
        assert_eq!(
            problem("999999999999999d"),
            "it is too long: the limit is 2^64 milliseconds"
        );
    }
}
