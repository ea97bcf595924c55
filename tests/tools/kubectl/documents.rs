//! The commands of the documents, each with what is shown after it.

pub const README: &str = include_str!("../../../README.md");
pub const KUBECTL: &str = include_str!("../../../docs/kubectl.md");

const PROMPT: &str = "$ ";
/// The plugin's own; `tests/it/plugin/readme.rs` runs these.
const PLUGIN: &str = "$ kubectl replay ";

/// A command, and what a document says that it prints.
#[derive(Clone, Debug)]
pub struct Shown {
    pub command: String,
    pub output: String,
}

/// All of them in a text, or a part of one.
pub fn shown(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in blocks(text, "console").filter(|block| !block.starts_with(PLUGIN)).flat_map(str::lines) {
        match (line.strip_prefix(PROMPT), shown.last_mut()) {
            (Some(command), _) => shown.push(Shown { command: command.to_owned(), output: String::new() }),
            (None, Some(last)) => last.output.extend([line, "\n"]),
            (None, None) => panic!("a block of output without a command: {line}"),
        }
    }
    assert!(!shown.is_empty(), "no commands in {text}");
    shown
}

/// Those of a document by its chapters, of which it has `N`.
pub fn chapters<const N: usize>(text: &str) -> [Vec<Shown>; N] {
    let chapters: Vec<_> = text.split("\n## ").skip(1).map(shown).collect();
    chapters.try_into().unwrap_or_else(|chapters: Vec<_>| panic!("{} chapters in place of {N}", chapters.len()))
}

/// The commands under a heading that one pastes into a shell.
pub fn script(text: &'static str, heading: &str) -> &'static str {
    let (_, chapter) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no chapter {heading}"));
    blocks(chapter, "sh").next().unwrap()
}

fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    text.split("\n```").filter_map(move |part| part.strip_prefix(language)?.strip_prefix('\n'))
}
