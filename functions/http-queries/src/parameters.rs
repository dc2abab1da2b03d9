//! Reads the parameters of a query string.

use alpes_messages::Problem;
use lambda_http::{Request, RequestExt};
use parse::{Path, Regla, Violations, invalid};

use crate::Cursor;

/// Default number of rows of one page.
pub const DEFAULT_LIMIT: usize = 20;
/// Largest number of rows of one page.
pub const MAX_LIMIT: usize = 100;

/// The page that a query asks for.
pub(crate) struct Page {
    /// Largest number of rows of the page.
    pub(crate) limit: usize,
    /// The last row of the previous page; `None` for the first page.
    pub(crate) after: Option<Cursor>,
}

/// The parameters of a request, and the faults found while they are read.
pub(crate) struct Parameters {
    given: Vec<(&'static str, String)>,
    violations: Violations,
}

impl Parameters {
    /// Reads the query string. A parameter whose name is not in `names` is a fault, because a misspelt filter would
    /// have no effect. A parameter that occurs twice is a fault too, because only one of its values would take effect.
    pub(crate) fn of(request: &Request, names: &[&'static str]) -> Self {
        let given = request.query_string_parameters();
        let mut violations = Violations::default();
        let mut unknown: Vec<&str> = given
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !names.contains(name))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        for name in unknown {
            let rule = format!("No se conoce; los parámetros son {}", names.join(", "));
            violations.add(Path::Body.field(name), Regla::CampoDesconocido, rule);
        }
        let mut found = vec![];
        for name in names {
            let values = given.all(name).unwrap_or_default();
            if values.len() > 1 {
                let rule = "Debe aparecer una sola vez";
                violations.add(Path::Body.field(name), Regla::Repetido, rule);
            }
            let first = values.first();
            found.extend(first.map(|value| (*name, (*value).to_owned())));
        }
        Self {
            given: found,
            violations,
        }
    }

    /// Reads an optional parameter. `text` explains the parameter's rule in words.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        rule: Regla,
        text: impl Into<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (_, value) = self.given.iter().find(|(given, _)| *given == name)?;
        let read = read(value);
        if read.is_none() {
            self.refuse(name, rule, text);
        }
        read
    }

    /// Reads a parameter that has a `default`. The result is `None` if the parameter is invalid.
    pub(crate) fn optional_or<T>(
        &mut self,
        default: T,
        name: &'static str,
        rule: Regla,
        text: impl Into<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.is_given(name) {
            self.optional(name, rule, text, read)
        } else {
            Some(default)
        }
    }

    /// Reads a required parameter.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        rule: Regla,
        text: impl Into<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.is_given(name) {
            return self.optional(name, rule, text, read);
        }
        let text = format!("Es obligatorio. {}", text.into());
        self.refuse(name, Regla::Requerido, text);
        None
    }

    /// Records that a parameter breaks a rule. Callers use this method for a parameter that is readable and conflicts
    /// with another parameter.
    pub(crate) fn refuse(&mut self, name: &'static str, rule: Regla, text: impl Into<String>) {
        self.violations.add(Path::Body.field(name), rule, text);
    }

    fn is_given(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// Reads `limite` and `siguiente`.
    pub(crate) fn page(&mut self) -> Page {
        let text = format!("Debe ser un entero de 1 a {MAX_LIMIT}");
        let limit = self.optional("limite", Regla::Limite, text, |text| {
            let limit = whole(text)?;
            (1..=MAX_LIMIT).contains(&limit).then_some(limit)
        });
        let text = "Debe ser el de una respuesta anterior";
        Page {
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            after: self.optional("siguiente", Regla::Formato, text, Cursor::decode),
        }
    }

    /// Returns the value if the query has no faults.
    ///
    /// # Errors
    ///
    /// A [`Problem`] with every violation, up to [`parse::MAX_VIOLATIONS`].
    pub(crate) fn check<T>(self, read: Option<T>) -> Result<T, Problem> {
        self.violations.check(read).map_err(invalid)
    }
}

/// Reads a whole number in its only form: digits, without a sign and without a zero in front.
fn whole(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse().ok() } else { None }
}
