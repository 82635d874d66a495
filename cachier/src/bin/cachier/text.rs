//! Figures as people read them. What is unknown is a dash. Pure.

pub(crate) const UNKNOWN: &str = "–";

const COUNTS: [&str; 5] = ["", "k", "M", "G", "T"];
const SIZES: [&str; 5] = [" B", " KB", " MB", " GB", " TB"];
const SHORT_TIMES: [&str; 3] = [" ns", " µs", " ms"];

pub(crate) fn known<T>(figure: Option<T>, text: impl FnOnce(T) -> String) -> String {
    figure.map_or_else(|| UNKNOWN.to_owned(), text)
}

pub(crate) fn count(number: u64) -> String {
    scaled(number as f64, 1000.0, &COUNTS)
}

pub(crate) fn rate(per_second: f64) -> String {
    scaled(per_second, 1000.0, &COUNTS)
}

pub(crate) fn bytes(number: u64) -> String {
    scaled(number as f64, 1024.0, &SIZES)
}

pub(crate) fn percent(share: f64) -> String {
    // Below 100 %, never round up to it.
    match share > 0.999 && share < 1.0 {
        true => format!("{:.2} %", (share * 1e4).floor() / 100.0),
        false => format!("{:.1} %", share * 100.0),
    }
}

pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        s if s < 1.0 => scaled(s * 1e9, 1000.0, &SHORT_TIMES),
        s if s < 120.0 => format!("{} s", digits(s)),
        s if s < 7200.0 => format!("{} min", digits(s / 60.0)),
        s => format!("{} h", digits(s / 3600.0)),
    }
}

/// The number in the largest unit that leaves at least 1 of it.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter().peekable();
    let mut unit = "";
    while let Some(next) = units.next() {
        unit = next;
        // 999.7 would be 1000 of this unit.
        if number + 0.5 < step || units.peek().is_none() {
            break;
        }
        number /= step;
    }
    format!("{}{unit}", digits(number))
}

/// At most three significant digits, except for whole numbers.
fn digits(number: f64) -> String {
    let decimals: usize = match number.abs() {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        n if n >= 0.01 || n == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A name that came from elsewhere, without what could steer a terminal.
pub(crate) fn harmless(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '·' } else { c })
        .collect()
}

/// Shortens a name to `width` characters at its beginning, as its end says more.
pub(crate) fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end = name.chars().skip(length + 1 - width.max(1));
    std::iter::once('…').chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_few_digits() {
        for (said, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_000), "1k"),
            (count(12_345), "12.3k"),
            (count(999_999), "1M"),
            (count(u64::MAX), "18446744T"),
            (rate(0.5), "0.5"),
            (rate(0.001), "0.001"),
            (bytes(1023), "1023 B"),
            (bytes(5 << 20), "5 MB"),
            (percent(0.5), "50.0 %"),
            (percent(1.0), "100.0 %"),
            (percent(0.999_99), "99.99 %"),
            (duration(0.0), "0 s"),
            (duration(4e-8), "40 ns"),
            (duration(0.002_5), "2.5 ms"),
            (duration(0.999_999), "1000 ms"),
            (duration(59.0), "59 s"),
            (duration(600.0), "10 min"),
            (duration(7200.0), "2 h"),
            (known(None, count), UNKNOWN),
            (known(Some(1), count), "1"),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn names_keep_their_ends() {
        assert_eq!(shortened("shop::price", 20), "shop::price");
        assert_eq!(shortened("shop::price", 6), "…price");
        assert_eq!(shortened("shop", 0), "…");
        assert_eq!(harmless("a\x1b[2Jb\n"), "a·[2Jb·");
    }
}
