//! Finds the commands in a document, with the output that it shows below them.
//!
//! An indented block consists of paragraphs. A paragraph that begins with a command has commands; the others show the
//! output of the commands above them. A list item that begins with **Pruébelo:** has commands in backticks, without
//! output. Fenced blocks may only be Mermaid pictures, which have no commands.

/// The words with which a paragraph of commands begins. A paragraph that begins with an assignment `NAME=` has commands
/// too.
const BEGIN: [&str; 5] = ["cargo ", "curl ", "infra/", "set ", "sqs "];
/// Marks a list item with commands.
const TRY: &str = "**Pruébelo:**";
/// The words with which a command in a list item begins.
const INLINE: [&str; 2] = ["cargo xtask ", "curl "];
/// The beginning of a Mermaid picture.
const PICTURE: &str = "```mermaid";

#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub line: usize,
    pub text: String,
}

/// Commands of one paragraph, with the output shown below them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub commands: Vec<Command>,
    pub shown: Option<String>,
}

impl Step {
    /// The line number of the step's first command.
    pub fn line(&self) -> usize {
        self.commands.first().map_or(0, |command| command.line)
    }
}

#[derive(Debug, Default)]
pub struct Document {
    pub steps: Vec<Step>,
}

impl Document {
    /// Parses a Markdown document.
    pub fn parse(markdown: &str) -> Result<Self, String> {
        let mut document = Self::default();
        // The index of the section's first step.
        let mut first = 0;
        let mut lines = (1..).zip(markdown.lines()).peekable();
        // An indented line is code only after a blank line or after other code.
        let mut after_blank = true;
        while let Some((number, line)) = lines.next() {
            if line == PICTURE {
                let _ = lines.by_ref().find(|(_, line)| line.starts_with("```"));
                continue;
            }
            if line.starts_with("```") {
                return Err(format!("{number}: commands stand in indented blocks"));
            }
            if line.starts_with('#') {
                first = document.steps.len();
            }
            if line.starts_with("    ") && after_blank {
                let mut paragraph = vec![unindented(line)];
                while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("    ")) {
                    paragraph.push(unindented(line));
                }
                if begins_with_a_command(&paragraph) {
                    let commands = commands(number, &paragraph);
                    let shown = None;
                    document.steps.push(Step { commands, shown });
                } else {
                    let fresh = document.steps.len() == first;
                    let Some(step) = document.steps.last_mut().filter(|_| !fresh) else {
                        return Err(format!("{number}: no command of this section prints this"));
                    };
                    let shown = step.shown.get_or_insert_default();
                    shown.push_str(&paragraph.join("\n"));
                    shown.push('\n');
                }
                after_blank = true;
                continue;
            }
            if let Some((_, rest)) = line.split_once(TRY) {
                let mut item = vec![(number, rest)];
                while let Some(more) = lines
                    .next_if(|(_, line)| !line.is_empty() && !line.trim_start().starts_with("- "))
                {
                    item.push(more);
                }
                let inline = inline(&item).into_iter().map(|command| Step {
                    commands: vec![command],
                    shown: None,
                });
                document.steps.extend(inline);
            }
            after_blank = line.is_empty();
        }
        Ok(document)
    }
}

fn unindented(line: &str) -> &str {
    line.strip_prefix("    ").unwrap_or(line)
}

fn begins_with_a_command(paragraph: &[&str]) -> bool {
    let first = paragraph.first().copied().unwrap_or_default();
    let name = first.split_once('=').map_or("", |(name, _)| name);
    let assigns = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
    assigns || BEGIN.iter().any(|word| first.starts_with(word))
}

/// The commands of a paragraph. A command continues after a line that ends with a backslash or a pipe, and inside
/// quotes.
fn commands(first: usize, paragraph: &[&str]) -> Vec<Command> {
    let mut found: Vec<Command> = vec![];
    let mut open = false;
    for (line, text) in (first..).zip(paragraph) {
        match found.last_mut() {
            Some(command) if open => {
                command.text.push('\n');
                command.text.push_str(text);
            }
            _ => found.push(Command {
                line,
                text: (*text).to_owned(),
            }),
        }
        open = found.last().is_some_and(|command| is_open(&command.text));
    }
    for command in &mut found {
        command.text = without_remark(&command.text).to_owned();
    }
    found
}

/// True if a shell would wait for the next line.
fn is_open(text: &str) -> bool {
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None | Some('"'), '\\') => drop(letters.next()),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(opened), _) if opened == letter => quote = None,
            _ => {}
        }
    }
    quote.is_some() || text.ends_with(['\\', '|'])
}

/// The line without the comment at its end.
fn without_remark(text: &str) -> &str {
    text.split("  # ").next().unwrap_or(text).trim_end()
}

/// The commands in the backticks of a list item.
fn inline(item: &[(usize, &str)]) -> Vec<Command> {
    let mut found = vec![];
    let mut open: Option<Command> = None;
    for (line, text) in item {
        for (place, part) in text.split('`').enumerate() {
            if place > 0 {
                match open.take() {
                    Some(command) => found.push(command),
                    None => {
                        open = Some(Command {
                            line: *line,
                            text: String::new(),
                        });
                    }
                }
            }
            if let Some(command) = &mut open {
                let separate = if command.text.is_empty() || place > 0 {
                    ""
                } else {
                    " "
                };
                command.text.push_str(separate);
                command.text.push_str(part.trim_start());
            }
        }
    }
    found.retain(|command| INLINE.iter().any(|start| command.text.starts_with(start)));
    found
}

#[test]
fn commands_are_found_with_what_is_shown_beneath_them() {
    let text = "# A\n\nText with\n    no code, and `curl x`.\n\n    cargo xtask demo   # long\n    API=$(cargo xtask url)\n\n    \
                ==> shown {\n      1\n\n    more\n\nText.\n\n    curl -d '{\n      \"a\": 1}' \\\n      $API |\n      sed x\n\n    {}\n\n\
                - **Pruébelo:** `cargo xtask up`, `x` y `curl\n  \"$API\"`; `cargo xtask\n  tick`.\n- **Prueba:** `curl`.\n\n\
                # B\n\n```mermaid\nflowchart\n\n    curl y\n```\n";
    let document = Document::parse(text).unwrap();
    let texts = |step: &Step| -> Vec<String> {
        let commands = step.commands.iter();
        commands.map(|command| command.text.clone()).collect()
    };
    assert_eq!(
        document.steps.iter().map(texts).collect::<Vec<_>>(),
        [
            vec!["cargo xtask demo", "API=$(cargo xtask url)"],
            vec!["curl -d '{\n  \"a\": 1}' \\\n  $API |\n  sed x"],
            vec!["cargo xtask up"],
            vec!["curl \"$API\""],
            vec!["cargo xtask tick"],
        ]
    );
    let steps = document.steps.iter();
    let shown: Vec<_> = steps.map(|step| step.shown.as_deref()).collect();
    assert_eq!(
        shown,
        [
            Some("==> shown {\n  1\nmore\n"),
            Some("{}\n"),
            None,
            None,
            None
        ]
    );
    let lines: Vec<_> = document.steps.iter().map(Step::line).collect();
    assert_eq!(lines, [6, 16, 23, 23, 24]);
}

#[test]
fn what_no_command_prints_is_found() {
    let fault = |text: &str| Document::parse(text).unwrap_err();
    assert_eq!(
        fault("# A\n\n    curl x\n\n# B\n\n    {}\n"),
        "7: no command of this section prints this"
    );
    assert_eq!(
        fault("```\ncurl x\n```\n"),
        "1: commands stand in indented blocks"
    );
}
