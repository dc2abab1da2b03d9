//! Intrinsic functions, and the expressions in which they occur.

use serde_json::Value;

use crate::{
    failure::Failure,
    path::{Path, Sources},
};

/// The largest depth of nested functions.
const DEPTH: usize = 10;

/// An expression for a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Constant(Value),
    Path(Path),
    /// `States.Format`: the pieces of text, and the values between them. The list of pieces is longer by one than the
    /// list of values.
    Format(Vec<String>, Vec<Expression>),
    /// `States.MathAdd`: the two numbers to add.
    MathAdd(Box<[Expression; 2]>),
}

impl Expression {
    /// Parses the value of a field whose name ends in `.$`: a path or a function.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path);
        }
        let mut reader = Reader { rest: text };
        let function = reader.function(1)?;
        reader.space();
        if !reader.rest.is_empty() {
            return Err(format!("{:?} comes after the function", reader.rest));
        }
        Ok(function)
    }

    /// Evaluates the expression. `field` is the field's name, for errors.
    pub(crate) fn value(&self, sources: Sources, field: &str) -> Result<Value, Failure> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Path(path) => path.find(sources).cloned().ok_or_else(|| {
                Failure::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the input",
                    path.text()
                ))
            }),
            Self::Format(pieces, values) => {
                let mut pieces = pieces.iter();
                let mut text = pieces.next().cloned().unwrap_or_default();
                for (value, piece) in values.iter().zip(pieces) {
                    text.push_str(&shown(value.value(sources, field)?, field)?);
                    text.push_str(piece);
                }
                Ok(Value::String(text))
            }
            Self::MathAdd(terms) => {
                let [one, other] = terms.as_ref();
                let one = rounded(&one.value(sources, field)?, field)?;
                let other = rounded(&other.value(sources, field)?, field)?;
                Ok(Value::from(one + other))
            }
        }
    }
}

fn failed(field: &str, why: &str) -> Failure {
    Failure::runtime(format!(
        "The function given for the field '{field}' failed: {why}"
    ))
}

/// The text of a value. AWS has its own form for lists and objects, which is not supported here.
fn shown(value: Value, field: &str) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(_) | Value::Object(_) => {
            Err(failed(field, "States.Format takes no list or object"))
        }
        other => Ok(other.to_string()),
    }
}

/// Rounds to the nearest whole number, halves upwards.
fn rounded(value: &Value, field: &str) -> Result<i64, Failure> {
    // `States.MathAdd` adds 32-bit numbers on AWS.
    let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let whole = value.as_i64().or_else(|| {
        let nearest = (value.as_f64()? + 0.5).floor();
        // The conversion goes through text, since no direct conversion reports a loss.
        format!("{nearest}").parse().ok()
    });
    whole
        .filter(|whole| range.contains(whole))
        .ok_or_else(|| failed(field, "States.MathAdd needs numbers of 32 bits"))
}

/// Reads an expression from left to right.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Skips spaces and consumes `text`; false if it does not come next.
    fn skip(&mut self, text: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let at = self.rest.find(end).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at_checked(at).unwrap_or((self.rest, ""));
        self.rest = rest;
        found
    }

    fn function(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > DEPTH {
            return Err(format!("nests more than {DEPTH} functions"));
        }
        self.space();
        let name = self.until(|next| !next.is_ascii_alphanumeric() && next != '.');
        if !self.skip("(") {
            return Err(format!("{name:?} is neither a path nor a function"));
        }
        match name {
            "States.Format" => self.format(depth),
            "States.MathAdd" => {
                let terms: Result<[_; 2], _> = self.arguments(depth)?.try_into();
                terms
                    .map(|terms| Expression::MathAdd(Box::new(terms)))
                    .map_err(|_| "States.MathAdd takes two numbers".into())
            }
            _ => Err(format!(
                "the function {name:?} is not supported, only States.Format and States.MathAdd"
            )),
        }
    }

    fn format(&mut self, depth: usize) -> Result<Expression, String> {
        if !self.skip("'") {
            return Err("States.Format takes a text in single quotes first".into());
        }
        let pieces = self.quoted()?;
        let values = if self.skip(",") {
            self.arguments(depth)?
        } else if self.skip(")") {
            vec![]
        } else {
            return Err("a ) is missing".into());
        };
        if pieces.len() != values.len() + 1 {
            return Err("States.Format takes a value for each {} in its text".into());
        }
        Ok(Expression::Format(pieces, values))
    }

    /// The arguments up to the closing `)`.
    fn arguments(&mut self, depth: usize) -> Result<Vec<Expression>, String> {
        let mut arguments = vec![];
        loop {
            arguments.push(self.argument(depth)?);
            if self.skip(")") {
                return Ok(arguments);
            }
            if !self.skip(",") {
                return Err("a ) is missing".into());
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Expression, String> {
        if self.skip("'") {
            let pieces = self.quoted()?;
            return match <[String; 1]>::try_from(pieces) {
                Ok([text]) => Ok(Expression::Constant(Value::String(text))),
                Err(_) => Err("{ and } are written \\{ and \\} here".into()),
            };
        }
        if self.rest.starts_with("States.") {
            return self.function(depth + 1);
        }
        if self.rest.starts_with('$') {
            return Path::parse(self.path()).map(Expression::Path);
        }
        let text = self.until(|next| ",)".contains(next)).trim_end();
        match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                Ok(Expression::Constant(value))
            }
            _ => Err(format!("{text:?} is no argument of a function")),
        }
    }

    /// A path ends at the next separator of arguments that is not in quotes.
    fn path(&mut self) -> &'a str {
        let mut quote = None;
        let end = self.rest.char_indices().find(|(_, next)| match quote {
            Some(open) => {
                if *next == open {
                    quote = None;
                }
                false
            }
            None if "'\"".contains(*next) => {
                quote = Some(*next);
                false
            }
            None => ",)".contains(*next),
        });
        let at = end.map_or(self.rest.len(), |(at, _)| at);
        let (path, rest) = self.rest.split_at_checked(at).unwrap_or((self.rest, ""));
        self.rest = rest;
        path.trim_end()
    }

    /// The rest of a text in single quotes, split at each `{}`.
    fn quoted(&mut self) -> Result<Vec<String>, String> {
        let (mut pieces, mut piece) = (vec![], String::new());
        let mut rest = self.rest.chars();
        while let Some(next) = rest.next() {
            match next {
                '\'' => {
                    pieces.push(piece);
                    self.rest = rest.as_str();
                    return Ok(pieces);
                }
                '\\' => match rest.next() {
                    Some(escaped) if "'{}\\".contains(escaped) => piece.push(escaped),
                    _ => return Err("a \\ must come before ', {, } or \\".into()),
                },
                '{' if rest.as_str().starts_with('}') => {
                    rest.next();
                    pieces.push(std::mem::take(&mut piece));
                }
                '{' | '}' => return Err("{ and } alone are written \\{ and \\}".into()),
                other => piece.push(other),
            }
        }
        Err("a ' is missing".into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        let data = json!({
            "name": "Ana", "n": 7, "half": 1.5, "list": [1], "a,b)": "odd", "huge": 3_000_000_000_i64,
            "no": null, "yes": true,
        });
        let context = json!({"Execution": {"Name": "x-1"}});
        let sources = Sources {
            data: &data,
            context: &context,
        };
        let expression = Expression::parse(text).unwrap();
        expression
            .value(sources, "f.$")
            .map_err(|failure| failure.error)
    }

    #[test]
    fn format_puts_values_into_text() {
        for (text, expected) in [
            ("States.Format('plain')", "plain"),
            ("States.Format('')", ""),
            ("States.Format('{}-{}', $.name, $.n)", "Ana-7"),
            ("States.Format( '{}' , $$.Execution.Name )", "x-1"),
            ("States.Format('{}{}', $.half, $.no)", "1.5null"),
            ("States.Format('{} {}', $.yes, 'it\\'s')", "true it's"),
            (r"States.Format('\{{}\} \\', 2)", r"{2} \"),
            ("States.Format('{}', $['a,b)'])", "odd"),
            ("States.Format('<{}>', States.Format('({})', $.n))", "<(7)>"),
            ("States.Format('{}', States.MathAdd(1, 2))", "3"),
        ] {
            assert_eq!(value(text), Ok(json!(expected)), "{text}");
        }
        for text in [
            "States.Format('{}', $.list)",
            "States.Format('{}', $.nobody)",
        ] {
            assert_eq!(value(text), Err("States.Runtime".into()), "{text}");
        }
    }

    #[test]
    fn math_add_rounds_and_adds() {
        for (text, expected) in [
            ("States.MathAdd($.n, -3)", 4),
            ("States.MathAdd(1.49, 1.5)", 3),
            ("States.MathAdd($.half, 1.51)", 4),
            ("States.MathAdd(-1.49, -1.5)", -2),
            ("States.MathAdd(States.MathAdd(1, 1), 1)", 3),
        ] {
            assert_eq!(value(text), Ok(json!(expected)), "{text}");
        }
        for text in [
            "States.MathAdd($.name, 1)",
            "States.MathAdd(1, $.huge)",
            "States.MathAdd(1, $.no)",
            "States.MathAdd(1, 1e300)",
        ] {
            assert_eq!(value(text), Err("States.Runtime".into()), "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for text in [
            "",
            "text",
            "States.UUID()",
            "States.JsonMerge($.a, $.b, false)",
            "States.Format($.name, 1)",
            "States.Format('{}')",
            "States.Format('{}', 1, 2)",
            "States.Format('{', 1)",
            "States.Format('a}')",
            "States.Format('a\\n')",
            "States.Format('a",
            "States.Format('a'",
            "States.Format('a')x",
            "States.Format('{}', '{}')",
            "States.Format('{}', nobody)",
            "States.Format('{}', [1])",
            "States.MathAdd(1)",
            "States.MathAdd(1, 2, 3)",
            "States.MathAdd(1 2)",
            "States.MathAdd",
            "States.MathAdd($.a[*], 2)",
            "States.MathAdd(, 2)",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        let deep = |depth| {
            format!(
                "{}1{}",
                "States.MathAdd(1, ".repeat(depth),
                ")".repeat(depth)
            )
        };
        assert!(Expression::parse(&deep(10)).is_ok());
        assert!(Expression::parse(&deep(11)).is_err());
    }
}
