//! Media types: which bodies are bytes, and which are text.

use serde_json::Value;

/// The media types whose bodies are bytes.
#[derive(Debug, Default)]
pub(super) struct BinaryMediaTypes(Vec<String>);

impl BinaryMediaTypes {
    /// Reads `x-amazon-apigateway-binary-media-types`.
    ///
    /// # Errors
    ///
    /// The rule that the value breaks.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let types = match value {
            Value::Null => return Ok(Self::default()),
            Value::Array(types) => types,
            _ => return Err("must be a list of media types".to_owned()),
        };
        let text = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
        let types: Option<Vec<String>> = types.iter().map(text).collect();
        let types = types.ok_or("must be a list of texts")?;
        Ok(Self(types))
    }

    /// Whether a body of this `Content-Type` is bytes. A body without content type is JSON.
    pub(super) fn contains(&self, content_type: Option<&str>) -> bool {
        self.matches(content_type.unwrap_or("application/json"))
    }

    /// Whether a client that sends this `Accept` takes bytes. Only the first media type in the header counts.
    pub(super) fn accepted_by(&self, accept: Option<&str>) -> bool {
        self.matches(accept.unwrap_or_default())
    }

    fn matches(&self, header: &str) -> bool {
        let media = first(header);
        self.0.iter().any(|known| match known.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => media.split('/').next() == Some(kind),
            None => *known == media,
        })
    }
}

/// The first media type of a header, without parameters, in lower case.
pub(super) fn first(header: &str) -> String {
    let media = header.split([',', ';']).next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn binary_media_types_match_by_kind_and_by_name() {
        let types = BinaryMediaTypes::read(&json!(["image/*", "application/pdf"])).unwrap();
        assert!(types.contains(Some("Image/PNG")));
        assert!(types.accepted_by(Some("application/pdf;q=0.9, text/html")));
        assert!(!types.accepted_by(Some("text/html, image/png")));
        assert!(!types.accepted_by(None) && !types.contains(None));
        let all = BinaryMediaTypes::read(&json!(["*/*"])).unwrap();
        assert!(all.contains(None) && all.accepted_by(None));
        assert!(BinaryMediaTypes::read(&json!("image/png")).is_err());
    }
}
