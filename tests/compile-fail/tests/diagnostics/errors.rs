//! Errors, and the parts of them that are comparable.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::words::Words;

/// The author of an error's wording; the compiler's own depends on its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    Cachier,
    Compiler,
}

/// One error of a case.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CaseError {
    /// Line and column of start and end.
    place: [u64; 4],
    by: By,
    code: String,
    message: String,
    /// cachier's remarks, in place and below.
    remarks: Vec<String>,
}

impl CaseError {
    /// The error in a compiler message; `None` for mere totals.
    pub(crate) fn new(message: &Value, case: &str, words: &Words) -> Option<Self> {
        let span = array(&message["spans"]).find(|span| span["is_primary"] == true)?;
        let first_line = text(&message["message"]).lines().next().unwrap_or_default();
        let said = |remark: &Value| words.say(text(remark));
        let label = Some(&span["label"]).filter(|label| said(label));
        let label = label.map(|label| format!("label: {}", text(label)));
        let below = array(&message["children"])
            .filter(|child| said(&child["message"]))
            .map(|child| format!("{}: {}", text(&child["level"]), text(&child["message"])));
        Some(Self {
            place: place(span, case),
            by: match words.say(text(&message["message"])) {
                true => By::Cachier,
                false => By::Compiler,
            },
            code: text(&message["code"]["code"]).to_owned(),
            message: first_line.to_owned(),
            remarks: label.into_iter().chain(below).collect(),
        })
    }
}

impl CaseError {
    /// The message if it counts as the compiler's and has no code, as cachier's own have none.
    pub(crate) fn uncoded_of_compiler(&self) -> Option<&str> {
        let is_uncoded = self.by == By::Compiler && self.code.is_empty();
        is_uncoded.then_some(&*self.message)
    }
}

/// Errors in the format of pinned files, sorted, each with its number of repetitions.
pub(crate) fn written(errors: impl Iterator<Item = CaseError>) -> String {
    let mut counted = BTreeMap::<_, usize>::new();
    for error in errors {
        *counted.entry(error).or_default() += 1;
    }
    let mut text = String::new();
    for (error, times) in &counted {
        error.write(*times, &mut text).unwrap();
    }
    text
}

impl CaseError {
    fn write(&self, times: usize, text: &mut String) -> fmt::Result {
        let [line, column, end_line, end_column] = self.place;
        let by = match self.by {
            By::Cachier => "cachier",
            By::Compiler => "compiler",
        };
        write!(
            text,
            "{line}:{column}-{end_line}:{end_column} {by}: {}",
            self.message
        )?;
        if !self.code.is_empty() {
            write!(text, " [{}]", self.code)?;
        }
        if times > 1 {
            write!(text, "{COUNT_MARK}{times}")?;
        }
        writeln!(text)?;
        for remark in &self.remarks {
            writeln!(text, "    {}", remark.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

/// Precedes an error's number of repetitions.
const COUNT_MARK: &str = " ×";

/// The comparable parts of formatted errors. Compilers differ in where an error ends, not in where it begins; so where one
/// has an error for two ends, another may have it once.
pub(crate) fn only(errors: &str, compared: By) -> String {
    if compared == By::Compiler {
        return errors.to_owned();
    }
    let (mut kept, mut before) = (true, None);
    let mut text = String::new();
    for line in errors.lines() {
        let Some((place, said)) = line.split_once(' ').filter(|(place, _)| !place.is_empty())
        else {
            text.extend([line, "\n"].into_iter().filter(|_| kept));
            continue;
        };
        let (begins, _) = place.split_once('-').unwrap_or((place, ""));
        let (said, _) = said.rsplit_once(COUNT_MARK).unwrap_or((said, ""));
        kept = !said.starts_with("compiler:") && before != Some((begins, said));
        before = Some((begins, said));
        if kept {
            text.extend([begins, " ", said, "\n"]);
        }
    }
    text
}

#[test]
fn other_compilers_own_errors_are_not_compared() {
    let errors = "1:2-3:4 cachier: no [E1] ×2\n    label: a-b\n1:2-3:9 cachier: no [E1]\n    label: a-b\n\
        1:2-3:4 compiler: none\n    note: so\n5:6-7:8 cachier: yes\n";
    let compared = "1:2 cachier: no [E1]\n    label: a-b\n5:6 cachier: yes\n";
    assert_eq!(only(errors, By::Cachier), compared);
    assert_eq!(only(errors, By::Compiler), errors);
}

/// Whether a message is an error of its own, not a mere total.
pub(crate) fn is_counted(message: &Value) -> bool {
    array(&message["spans"]).next().is_some()
}

/// All that a message says: its own text and its remarks, each with its labels.
pub(crate) fn texts(message: &Value) -> impl Iterator<Item = &str> {
    let remarks = array(&message["children"]);
    [message].into_iter().chain(remarks).flat_map(|part| {
        let labels = array(&part["spans"]).map(|span| text(&span["label"]));
        [text(&part["message"])].into_iter().chain(labels)
    })
}

/// The place in the case, through any macros.
fn place(span: &Value, case: &str) -> [u64; 4] {
    let mut span = span;
    while !text(&span["file_name"]).ends_with(case) && span["expansion"].is_object() {
        span = &span["expansion"]["span"];
    }
    ["line_start", "column_start", "line_end", "column_end"]
        .map(|part| span[part].as_u64().unwrap_or_default())
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
