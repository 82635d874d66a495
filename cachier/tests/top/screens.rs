//! What is on the screen.

use std::process::Command;

use crate::program::{serving, serving_at};
use crate::terminal::{DOWN, ENTER, ESCAPE, Terminal};

/// Waits until these are the first functions of the shop.
#[track_caller]
fn until_first(terminal: &Terminal, expected: &[&str]) {
    terminal.until(&format!("{expected:?}"), |screen| {
        let text = screen.contents();
        let lines = text.lines().filter(|line| line.starts_with("shop::"));
        let names = lines.filter_map(|line| line.split_whitespace().next());
        names.take(expected.len()).eq(expected.iter().copied())
    });
}

#[test]
fn functions_are_shown_sorted_and_filtered() {
    let (_exporter, address) = serving();
    let arguments = [&*format!("http://{address}"), "--window", "hour"];
    let mut terminal = Terminal::start(&arguments, 20, 80, &[]);
    for expected in [
        "CALLS/S",
        "90.0 %",
        "_of_the_shop_in_a_month",
        "3 functions",
        "q quit",
    ] {
        terminal.until_shown(expected);
    }
    until_first(&terminal, &["shop::price", "shop::stock"]);
    terminal.press("r");
    until_first(&terminal, &["shop::stock", "shop::price"]);
    terminal.until_shown("by calls, reversed");
    terminal.press("/stock");
    terminal.until_gone("shop::price");
    terminal.press(ENTER);
    terminal.until_shown("filter: stock)");
    terminal.press(ESCAPE);
    terminal.until_shown("shop::price");
    terminal.press("w");
    terminal.until_shown("last day");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

#[test]
fn details_of_a_function_are_shown() {
    let (_exporter, address) = serving();
    let mut terminal = Terminal::start(&[&format!("http://{address}")], 20, 80, &[]);
    terminal.until_shown("shop::stock");
    terminal.press(DOWN);
    terminal.press(ENTER);
    terminal.until_shown("shop::stock in memory");
    terminal.until_shown("50 calls outcome=hit");
    for expected in ["█", "▁", "50 entries"] {
        terminal.until_shown(expected);
    }
    terminal.press(ESCAPE);
    terminal.until_shown("shop::price");
    terminal.press("\x03");
    assert!(terminal.until_ended().success());
}

#[test]
fn the_screen_follows_the_terminals_size() {
    let (_exporter, address) = serving();
    let mut terminal = Terminal::start(&[&address.to_string()], 20, 80, &[]);
    terminal.until_shown("shop::price");
    assert!(!terminal.text().contains("RUNNING"));
    for (rows, cols) in [(40, 160), (3, 10), (2, 5), (20, 80), (50, 200)] {
        terminal.resize(rows, cols);
        match cols {
            160 | 200 => terminal.until_shown("RUNNING"),
            80 => {
                terminal.until_shown("q quit");
                terminal.until_gone("RUNNING");
            }
            // The heading begins.
            _ => terminal.until_shown(&"cachier top"[..usize::from(cols)]),
        }
    }
    terminal.press(ENTER);
    terminal.until_shown("Esc back");
    terminal.resize(4, 12);
    terminal.until_shown("Esc back  w");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

#[test]
fn colours_are_left_out_on_request() {
    let (_exporter, address) = serving();
    for (variables, expected) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut terminal = Terminal::start(&[&address.to_string()], 20, 80, variables);
        terminal.until_shown("shop::price");
        terminal.press(ENTER);
        terminal.until_shown("calls outcome=hit");
        assert_eq!(
            has_colours(&terminal.raw()),
            expected,
            "{variables:?}: {:?}",
            terminal.raw()
        );
        terminal.press("q");
        assert!(terminal.until_ended().success());
    }
}

/// Whether the output sets colours other than the terminal's own.
fn has_colours(raw: &str) -> bool {
    let codes = raw
        .split("\x1b[")
        .skip(1)
        .filter_map(|rest| rest.split_once('m'));
    let mut numbers = codes.flat_map(|(codes, _)| codes.split(';'));
    numbers.any(|code| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
}

#[test]
fn a_dumb_terminal_gets_a_table() {
    let (_exporter, address) = serving();
    let terminal = Terminal::start(&[&address.to_string()], 20, 80, &[("TERM", "dumb")]);
    terminal.until_shown("shop::price");
    let raw = terminal.raw();
    assert!(!raw.contains('\x1b'), "{raw:?}");
    assert!(terminal.until_ended().success());
}

#[test]
fn an_endpoint_may_go_and_return() {
    let (gone, address) = serving();
    let mut terminal = Terminal::start(&[&format!("http://{address}")], 20, 80, &[]);
    terminal.until_shown("shop::price");
    gone.stop();
    terminal.until_shown("no connection");
    terminal.until_shown("s old)");
    // What was known stays.
    terminal.until_shown("shop::price");
    let _again = serving_at(address);
    terminal.until_gone("no connection");
    terminal.until_shown("shop::price");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

#[test]
fn an_endpoint_may_come_later() {
    let (exporter_of_before, address) = serving();
    exporter_of_before.stop();
    let mut terminal = Terminal::start(&[&format!("http://{address}")], 20, 80, &[]);
    terminal.until_shown("no connection");
    let _again = serving_at(address);
    terminal.until_shown("shop::price");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

#[test]
fn several_endpoints_are_shown_apart_or_together() {
    let (_one, first) = serving();
    let (_other, second) = serving();
    let arguments = [first, second].map(|address| format!("http://{address}"));
    let mut terminal = Terminal::start(&[&arguments[0], &arguments[1]], 30, 120, &[]);
    terminal.until_shown(&format!("shop::price @ {first}"));
    terminal.until_shown(&format!("shop::price @ {second}"));
    terminal.press("g");
    terminal.until_gone("shop::price @");
    terminal.until_shown("shop::price");
    terminal.press(ENTER);
    // Both have the same program.
    terminal.until_shown("1.8k calls outcome=hit");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

#[test]
fn a_signal_leaves_the_terminal_restored() {
    let (_exporter, address) = serving();
    let terminal = Terminal::start(&[&address.to_string()], 20, 80, &[]);
    terminal.until_shown("shop::price");
    let process = terminal.process().to_string();
    assert!(
        Command::new("kill")
            .arg(process)
            .status()
            .unwrap()
            .success()
    );
    assert!(terminal.until_ended().success());
}
