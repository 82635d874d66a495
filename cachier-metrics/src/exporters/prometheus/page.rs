//! The live page for people: one file, without anything from elsewhere, that asks for `stats.json`.

pub(super) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// The whole document.
pub(super) const HTML: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<link rel=\"icon\" href=\"data:,\">\n<title>cachier</title>\n<style>",
    include_str!("page/page.css"),
    "</style>\n</head>\n<body>\n",
    include_str!("page/body.html"),
    "<script>",
    include_str!("page/format.js"),
    include_str!("page/figures.js"),
    include_str!("page/plots.js"),
    include_str!("page/view.js"),
    "</script>\n</body>\n</html>\n",
);

/// The Content-Security-Policy: the page runs its own script, known by its hash, and asks its own server. The unit test prints
/// the hashes.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; script-src 'sha256-ws3GgKsli/CUZTSKCVcNmvS0qEe+cOJKooxKI5+OyRI='; style-src 'sha256-7jqxlFGDiGNY6qS2aHzavBTM4VwVpblTk+aB/3vxxn4='; connect-src 'self'; img-src data:; ",
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn hash_between(start: &str, end: &str) -> String {
        let (_, rest) = HTML.split_once(start).unwrap();
        let (content, _) = rest.split_once(end).unwrap();
        format!(
            "'sha256-{}'",
            BASE64_STANDARD.encode(Sha256::digest(content))
        )
    }

    #[test]
    fn the_policy_allows_the_page_alone() {
        let (script, style) = (
            hash_between("<script>", "</script>"),
            hash_between("<style>", "</style>"),
        );
        let allowed = format!("script-src {script}; style-src {style};");
        assert!(POLICY.contains(&allowed), "write into POLICY: {allowed}");
    }

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        assert!(HTML.len() < 100_000, "{} bytes", HTML.len());
        let of_svg = "http://www.w3.org/2000/svg";
        for elsewhere in ["http:", "https:", "//cdn", "@import", "url("] {
            assert!(!HTML.replace(of_svg, "").contains(elsewhere), "{elsewhere}");
        }
        assert_eq!(HTML.matches("<script").count(), 1);
        assert_eq!(HTML.matches("</script").count(), 1);
        assert!(!HTML.contains(" style="), "the policy forbids it");
    }
}
