//! What the views draw with: lines from above, in a theme. Pure.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

/// The lines of the screen, from above. What does not fit is left out.
pub(crate) struct Screen<'a, 'b> {
    frame: &'a mut Frame<'b>,
    pub(crate) area: Rect,
    line: u16,
}

impl<'a, 'b> Screen<'a, 'b> {
    pub(crate) fn new(frame: &'a mut Frame<'b>) -> Self {
        let area = frame.area();
        let line = area.y;
        Self { frame, area, line }
    }

    pub(crate) fn add(&mut self, text: String, style: Style) {
        self.add_line(Line::styled(text, style));
    }

    pub(crate) fn add_line(&mut self, line: Line<'_>) {
        if self.left() > 0 {
            let place = Rect::new(self.area.x, self.line, self.area.width, 1);
            self.frame.render_widget(line, place);
            self.line += 1;
        }
    }

    /// The lines that are left above the footer.
    pub(crate) fn left(&self) -> usize {
        self.area.bottom().saturating_sub(1 + self.line).into()
    }

    pub(crate) fn footer(&mut self, text: &str, style: Style) {
        if self.area.height > 0 {
            let place = Rect::new(self.area.x, self.area.bottom() - 1, self.area.width, 1);
            self.frame
                .render_widget(Line::styled(text.to_owned(), style), place);
        }
    }
}

/// How figures are set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Colours,
    /// With what every terminal can do.
    Plain,
}

impl Theme {
    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    pub(crate) fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn bar(self) -> Style {
        self.colour(Color::Cyan)
    }

    pub(crate) fn quiet(self) -> Style {
        match self {
            Self::Colours => Style::new().fg(Color::DarkGray),
            Self::Plain => Style::new(),
        }
    }
}

pub(crate) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
