//! Reading a resource's properties by name, so that no property is silently ignored.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

use crate::{
    Resource, TemplateError,
    error::Place,
    node::{Data, Entry, Node},
};

/// The line of each property of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    resource: usize,
    of_paths: BTreeMap<String, usize>,
}

impl From<usize> for Lines {
    fn from(resource: usize) -> Self {
        let of_paths = BTreeMap::new();
        Self { resource, of_paths }
    }
}

impl Lines {
    pub fn note_entries(&mut self, entries: &[Entry], above: &str) {
        for entry in entries {
            let path = joined(above, &entry.key);
            self.of_paths.insert(path.clone(), entry.line);
            self.note(&entry.value, &path);
        }
    }

    fn note(&mut self, node: &Node, path: &str) {
        match &node.data {
            Data::Map(entries) => self.note_entries(entries, path),
            Data::List(items) => {
                for (place, item) in items.iter().enumerate() {
                    let path = format!("{path}[{place}]");
                    self.of_paths.insert(path.clone(), item.line);
                    self.note(item, &path);
                }
            }
            _ => {}
        }
    }

    /// The line of this path, or of the innermost part of it that the template has.
    fn of(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.of_paths.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return self.resource,
            }
        }
    }
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() {
        name.to_owned()
    } else {
        format!("{above}.{name}")
    }
}

impl Resource {
    /// Reads the properties. When `read` has returned, each property that it has not asked for is refused.
    ///
    /// # Errors
    ///
    /// The error of `read`, or [`TemplateError::Unsupported`].
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Properties<'_>) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let all = Properties::new(self, String::new(), &self.properties);
        let result = read(&all)?;
        all.refuse_rest()?;
        Ok(result)
    }

    /// The place of a property; of the resource itself if the path is empty.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        Place {
            path: joined(&self.id, path).trim_end_matches('.').to_owned(),
            line: self.lines.of(path),
        }
    }
}

/// The properties of a resource, or of a mapping within them. Each method marks the property that it names as known.
pub struct Properties<'a> {
    resource: &'a Resource,
    path: String,
    set: &'a Map<String, Value>,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Properties<'a> {
    fn new(resource: &'a Resource, path: String, set: &'a Map<String, Value>) -> Self {
        let known = RefCell::default();
        Self {
            resource,
            path,
            set,
            known,
        }
    }

    fn refuse_rest(&self) -> Result<(), TemplateError> {
        let known = self.known.borrow();
        match self.set.keys().find(|name| !known.contains(*name)) {
            Some(unknown) => Err(self.unsupported(unknown, "")),
            None => Ok(()),
        }
    }

    /// Accepts all properties, since this reader needs only some of them.
    pub fn accept_rest(&self) {
        self.known.borrow_mut().extend(self.set.keys().cloned());
    }

    /// The resource.
    #[must_use]
    pub fn resource(&self) -> &'a Resource {
        self.resource
    }

    /// The names of all properties, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.set.keys().map(String::as_str)
    }

    /// The kind of the resource and the path of a property, without places in lists: `AWS::SQS::Queue.Tags`.
    #[must_use]
    pub fn kind_path(&self, name: &str) -> String {
        let path = joined(&self.path, name);
        let mut in_brackets = false;
        let outside = path.chars().filter(|letter| {
            in_brackets = *letter == '[' || (in_brackets && *letter != ']');
            !in_brackets && *letter != ']'
        });
        format!("{}.{}", self.resource.kind, outside.collect::<String>())
    }

    /// The place of a property.
    #[must_use]
    pub fn place(&self, name: &str) -> Place {
        self.resource.place(&joined(&self.path, name))
    }

    /// The place of this mapping itself.
    #[must_use]
    pub fn here(&self) -> Place {
        self.resource.place(&self.path)
    }

    /// An error: the property must have this form.
    #[must_use]
    pub fn must(&self, name: &str, rule: &str) -> TemplateError {
        TemplateError::malformed(self.place(name), rule)
    }

    /// An error: the property is not supported, for this reason; or for none, if the name says it all.
    #[must_use]
    pub fn unsupported(&self, name: &str, why: &str) -> TemplateError {
        TemplateError::unsupported(self.place(name), why)
    }

    /// The value of a property.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(name.to_owned());
        self.set.get(name)
    }

    /// Refuses a property, for this reason.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Unsupported`] if the property is there.
    pub fn refuse(&self, name: &str, why: &str) -> Result<(), TemplateError> {
        match self.value(name) {
            Some(_) => Err(self.unsupported(name, why)),
            None => Ok(()),
        }
    }

    /// Accepts a truth value that is false, and refuses true for this reason.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Unsupported`] if the property is true.
    pub fn refuse_true(&self, name: &str, why: &str) -> Result<(), TemplateError> {
        match self.truth(name)? {
            Some(true) => Err(self.unsupported(name, why)),
            _ => Ok(()),
        }
    }

    /// A text. A number or a truth value becomes a text, as `CloudFormation` does it.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the property is a list or a mapping.
    pub fn text(&self, name: &str) -> Result<Option<String>, TemplateError> {
        self.get(name, "a text", |value| scalar(value).map(Cow::into_owned))
    }

    /// A text that must be there.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the property is missing or no text.
    pub fn required(&self, name: &str) -> Result<String, TemplateError> {
        self.text(name)?.ok_or_else(|| self.must(name, "given"))
    }

    /// One of these texts.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the property is another text.
    pub fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, TemplateError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let found = choices.iter().find(|(known, _)| *known == text);
        let names: Vec<_> = choices.iter().map(|(known, _)| *known).collect();
        let found = found.ok_or_else(|| self.must(name, &names.join(" or ")))?;
        Ok(Some(found.1))
    }

    /// Reads a property. `rule` is the required form in words; `read` returns `None` if the value has another form.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value does not have the required form.
    pub fn get<T>(
        &self,
        name: &str,
        rule: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, TemplateError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| self.must(name, rule))
    }

    /// A whole number. A number that comes from a parameter is a text.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is no whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, TemplateError> {
        self.get(name, "a whole number", |value| {
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        })
    }

    /// A whole number that is not negative and fits.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is another number or none.
    pub fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<Option<T>, TemplateError> {
        let Some(number) = self.integer(name)? else {
            return Ok(None);
        };
        if number < 0 {
            return Err(self.must(name, "a whole number that is not negative"));
        }
        let number = T::try_from(number);
        number
            .map(Some)
            .map_err(|_| self.must(name, "a smaller number"))
    }

    /// A whole number; `None` if it is missing or -1, which means no limit.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is another negative number or none.
    pub fn bound<T: TryFrom<i64>>(&self, name: &str) -> Result<Option<T>, TemplateError> {
        match self.integer(name)? {
            Some(-1) => Ok(None),
            _ => self.number(name),
        }
    }

    /// A truth value.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is neither true nor false.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, TemplateError> {
        self.get(name, "true or false", |value| {
            scalar(value)?.to_lowercase().parse().ok()
        })
    }

    /// A list; empty if the property is missing.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is no list.
    pub fn list(&self, name: &str) -> Result<&'a [Value], TemplateError> {
        let list = self.get(name, "a list", |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    /// A list of texts; empty if the property is missing.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value is no list of texts.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, TemplateError> {
        let texts = self.list(name)?.iter().map(scalar);
        let texts = texts.map(|text| text.map(Cow::into_owned));
        let texts: Option<_> = texts.collect();
        texts.ok_or_else(|| self.must(name, "a list of texts"))
    }

    /// A mapping of names to texts; empty if the property is missing.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Malformed`] if the value has another form.
    pub fn named_texts(&self, name: &str) -> Result<BTreeMap<String, String>, TemplateError> {
        let texts = self.get(name, "a mapping of names to texts", |value| {
            let text = |(name, value): (&String, &'a Value)| {
                Some((name.clone(), scalar(value)?.into_owned()))
            };
            value.as_object()?.iter().map(text).collect()
        })?;
        Ok(texts.unwrap_or_default())
    }

    /// Reads a mapping; `None` if the property is missing. Properties of the mapping that `read` has not asked for are
    /// refused.
    ///
    /// # Errors
    ///
    /// The error of `read`; [`TemplateError::Malformed`] if the value is no mapping; [`TemplateError::Unsupported`].
    pub fn within<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Properties<'a>) -> Result<T, TemplateError>,
    ) -> Result<Option<T>, TemplateError> {
        let Some(set) = self.get(name, "a mapping", Value::as_object)? else {
            return Ok(None);
        };
        let nested = Properties::new(self.resource, joined(&self.path, name), set);
        let result = read(&nested)?;
        nested.refuse_rest()?;
        Ok(Some(result))
    }

    /// Reads a list of mappings as [`Self::within`] reads one; empty if the property is missing.
    ///
    /// # Errors
    ///
    /// As for [`Self::within`].
    pub fn each<T>(
        &self,
        name: &str,
        mut read: impl FnMut(&Properties<'a>) -> Result<T, TemplateError>,
    ) -> Result<Vec<T>, TemplateError> {
        let mut results = vec![];
        for (place, item) in self.list(name)?.iter().enumerate() {
            let path = format!("{}[{place}]", joined(&self.path, name));
            let set = item.as_object();
            let set = set.ok_or_else(|| self.must(name, "a list of mappings"))?;
            let nested = Properties::new(self.resource, path, set);
            results.push(read(&nested)?);
            nested.refuse_rest()?;
        }
        Ok(results)
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        _ => None,
    }
}
