//! Which instances merged figures come from. Pure.

use serde::Deserialize;

use crate::text;

/// The instances behind the figures. Files and shared stores have them, `/stats.json` does not.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Coverage {
    pub(crate) instances: Vec<Instance>,
    /// How many instances are left only in the sums.
    pub(crate) ended_instances: u64,
    /// Publications that could not be read.
    pub(crate) unreadable: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Instance {
    /// Unknown for an instance that is known only from a file.
    pub(crate) is_live: Option<bool>,
    /// The age of its figures.
    pub(crate) age_seconds: Option<f64>,
}

impl Coverage {
    /// For users; `None` if all figures come from one program.
    pub(crate) fn text(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let of = |is_live| {
            self.instances
                .iter()
                .filter(move |it| it.is_live == is_live)
        };
        let mut parts = Vec::new();
        for (instances, kind) in [
            (of(Some(true)).count(), "live"),
            (of(Some(false)).count(), "silent"),
            (of(None).count(), "with figures of their own"),
            (self.ended_instances as usize, "ended before"),
        ] {
            if instances > 0 {
                parts.push(format!("{instances} {kind}"));
            }
        }
        let mut text = format!("instances: {}", parts.join(", "));
        if parts.is_empty() {
            text += "none";
        }
        if let Some(ages) = ages(of(Some(true))) {
            text += &format!("; figures {ages} old");
        }
        if self.unreadable > 0 {
            text += &format!("; {} could not be read", self.unreadable);
        }
        Some(text)
    }
}

/// From the youngest to the oldest of the known ones.
fn ages<'a>(instances: impl Iterator<Item = &'a Instance>) -> Option<String> {
    let ages = instances.filter_map(|instance| instance.age_seconds);
    let (least, most) = ages.fold(None, |range: Option<(f64, f64)>, age| {
        let (least, most) = range.unwrap_or((age, age));
        Some((least.min(age), most.max(age)))
    })?;
    let [least, most] = [least, most].map(|age| text::duration(age.round()));
    Some(match least == most {
        true => most,
        false => format!("{least} to {most}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(is_live: Option<bool>, age_seconds: Option<f64>) -> Instance {
        Instance {
            is_live,
            age_seconds,
        }
    }

    #[test]
    fn coverage_counts_instances_and_their_ages() {
        let (live, silent) = (Some(true), Some(false));
        for (instances, ended, unreadable, expected) in [
            (
                vec![
                    instance(live, Some(9.2)),
                    instance(live, Some(1.0)),
                    instance(silent, Some(99.0)),
                ],
                4,
                1,
                "instances: 2 live, 1 silent, 4 ended before; figures 1 s to 9 s old; 1 could not be read",
            ),
            (
                vec![instance(live, Some(2.0)), instance(live, None)],
                0,
                0,
                "instances: 2 live; figures 2 s old",
            ),
            (vec![instance(live, None)], 0, 0, "instances: 1 live"),
            (
                vec![instance(None, None)],
                2,
                0,
                "instances: 1 with figures of their own, 2 ended before",
            ),
            (vec![], 0, 3, "instances: none; 3 could not be read"),
        ] {
            let coverage = Coverage {
                instances,
                ended_instances: ended,
                unreadable,
            };
            assert_eq!(coverage.text().as_deref(), Some(expected));
        }
        assert_eq!(Coverage::default().text(), None);
    }
}
