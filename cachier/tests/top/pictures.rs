//! Pictures of the screens, for the documentation.

use std::fmt::Write as _;
use std::path::Path;

use vt100::{Cell, Color, Screen};

use crate::program::serving;
use crate::terminal::{ENTER, Terminal};

/// Set to the folder that the pictures are written to.
const PICTURES_VARIABLE: &str = "CACHIER_WRITE_PICTURES";

const CELL: (f32, f32) = (8.4, 18.0);
const BACKGROUND: &str = "#1c1c1c";
const TEXT: &str = "#d0d0d0";

#[test]
fn the_screens_have_pictures() {
    let (_exporter, address) = serving();
    let mut terminal = Terminal::start(&[&address.to_string()], 16, 92, &[]);
    terminal.until_shown("q quit");
    terminal.until_shown("shop::price");
    keep(&terminal, "top.svg", "shop::price");
    terminal.press(ENTER);
    terminal.until_shown("calls outcome=miss");
    if std::env::var_os(PICTURES_VARIABLE).is_some() {
        terminal.until("recent calls", |screen| {
            let contents = screen.contents();
            let mut lines = contents.lines();
            lines.any(|line| line.starts_with("calls") && line.contains('█'))
        });
    }
    keep(&terminal, "top_details.svg", "calls outcome=hit");
    terminal.press("q");
    assert!(terminal.until_ended().success());
}

/// Writes a picture of the screen, on which these words are, where it is asked for.
fn keep(terminal: &Terminal, name: &str, words: &str) {
    let picture = terminal.draw(svg);
    assert!(
        picture.starts_with("<svg") && picture.contains(words),
        "{picture}"
    );
    if let Some(folder) = std::env::var_os(PICTURES_VARIABLE) {
        std::fs::write(Path::new(&folder).join(name), picture).unwrap();
    }
}

/// The screen as SVG: a text for each run of cells that look alike.
fn svg(screen: &Screen) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (
        f32::from(cols) * CELL.0 + 16.0,
        f32::from(rows) * CELL.1 + 16.0,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut col = 0;
        while col < cols {
            let look = screen.cell(row, col).map(Look::of);
            let start = col;
            let mut text = String::new();
            while col < cols && screen.cell(row, col).map(Look::of) == look {
                let contents = screen.cell(row, col).map_or("", Cell::contents);
                text.push_str(if contents.is_empty() { " " } else { contents });
                col += 1;
            }
            if let Some(look) = look {
                run(&mut svg, (row, start), &text, &look);
            }
        }
    }
    svg + "</svg>\n"
}

#[derive(Debug, PartialEq)]
struct Look {
    colour: &'static str,
    is_bold: bool,
    is_inverse: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let colour = match cell.fgcolor() {
            Color::Idx(1 | 9) => "#ff6c6b",
            Color::Idx(6 | 14) => "#46d9ff",
            Color::Idx(8) => "#808080",
            _ => TEXT,
        };
        Self {
            colour,
            is_bold: cell.bold(),
            is_inverse: cell.inverse(),
        }
    }
}

fn run(svg: &mut String, (row, col): (u16, u16), text: &str, look: &Look) {
    let cells = text.chars().count() as f32;
    let (x, y) = (f32::from(col) * CELL.0 + 8.0, f32::from(row) * CELL.1 + 8.0);
    if look.is_inverse {
        let width = cells * CELL.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{}\"/>",
            CELL.1, look.colour
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let colour = if look.is_inverse {
        BACKGROUND
    } else {
        look.colour
    };
    let weight = if look.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let (base, length) = (y + 13.5, cells * CELL.0);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{base}\" fill=\"{colour}\"{weight} xml:space=\"preserve\" textLength=\"{length}\">{text}</text>"
    );
}
