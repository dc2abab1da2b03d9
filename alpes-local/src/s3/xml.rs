//! Reads the XML documents of requests.

use xmlparser::{ElementEnd, Token, Tokenizer};

use super::errors::malformed_xml;
use crate::error::AwsError;

/// An element without its attributes, which S3's requests do not need.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Element {
    pub name: String,
    pub text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document whose root has this name.
    ///
    /// # Errors
    ///
    /// `MalformedXML`.
    pub fn parse(body: &[u8], root: &str) -> Result<Self, AwsError> {
        let text = std::str::from_utf8(body).map_err(|_| malformed_xml())?;
        read(text)
            .filter(|element| element.name == root)
            .ok_or_else(malformed_xml)
    }

    /// The text of the first child of this name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.all(name).next().map(|child| child.text.as_str())
    }

    /// The children of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The name of the first child that is none of these.
    pub fn other_than(&self, known: &[&str]) -> Option<&str> {
        let names = self.children.iter().map(|child| child.name.as_str());
        names.into_iter().find(|name| !known.contains(name))
    }
}

/// The root of a document; `None` if it is not well-formed.
fn read(text: &str) -> Option<Element> {
    let mut open: Vec<Element> = vec![Element::default()];
    for token in Tokenizer::from(text) {
        match token.ok()? {
            Token::ElementStart { local, .. } => open.push(Element {
                name: local.as_str().to_owned(),
                ..Element::default()
            }),
            Token::ElementEnd { end, .. } => match end {
                ElementEnd::Open => {}
                ElementEnd::Empty => close(&mut open, None)?,
                ElementEnd::Close(_, local) => close(&mut open, Some(local.as_str()))?,
            },
            Token::Text { text } => open.last_mut()?.text.push_str(&unescaped(&text)?),
            Token::Cdata { text, .. } => open.last_mut()?.text.push_str(&text),
            // A document type could define entities, which S3 refuses.
            Token::DtdStart { .. } | Token::EmptyDtd { .. } => return None,
            _ => {}
        }
    }
    let mut document = open.pop().filter(|_| open.is_empty())?;
    document.children.pop()
}

/// Moves the innermost open element into the one around it.
fn close(open: &mut Vec<Element>, name: Option<&str>) -> Option<()> {
    let closed = open.pop()?;
    if name.is_some_and(|name| name != closed.name) {
        return None;
    }
    open.last_mut()?.children.push(closed);
    Some(())
}

/// A text without XML's escapes.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        plain.push(character(entity)?);
        plain.push_str(rest);
    }
    Some(plain)
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
