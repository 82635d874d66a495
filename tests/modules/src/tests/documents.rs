//! What is read of a document.

use crate::{Block, anchors, blocks, links};

const DOCUMENT: &str = "\
# One `code` heading, two!

A [link](there.md#a), a [`span`](crate::span), `no [link](nowhere)`, and [one
over lines](#two).

```rust
# fn hidden() {}
let no = \"[link](nowhere)\";
```

## Two
### Two

[defined]: https://example.org
";

#[test]
fn links_in_code_are_none() {
    let expected = ["there.md#a", "crate::span", "#two", "https://example.org"];
    assert_eq!(links(DOCUMENT), expected);
}

#[test]
fn headings_of_one_text_have_numbered_anchors() {
    assert_eq!(anchors(DOCUMENT), ["one-code-heading-two", "two", "two-1"]);
}

#[test]
fn a_block_has_its_words_and_lines() {
    let code = "# fn hidden() {}\nlet no = \"[link](nowhere)\";\n".to_owned();
    assert_eq!(
        blocks(DOCUMENT),
        [Block {
            words: "rust",
            code
        }]
    );
    assert_eq!(blocks("```sh\nls\n")[0].code, "ls\n", "one without an end");
}
