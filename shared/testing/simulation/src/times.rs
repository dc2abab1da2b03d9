//! Finds times that are not in the one form that the engine writes, in JSON values and in texts.

use serde_json::Value;

/// The form of a time before its decimals; a 0 stands for any digit.
const FORM: &[u8] = b"0000-00-00T00:00:00";

/// The RFC 3339 times in a value that do not have exactly 3 decimals, or are not in UTC. Also searches strings that are
/// JSON, and skips the fields named in `except`.
#[must_use]
pub fn uneven_times(value: &Value, except: &[&str]) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !except.contains(&name.as_str()))
            .flat_map(|(_, value)| uneven_times(value, except))
            .collect(),
        Value::Array(list) => {
            let each = list.iter().flat_map(|one| uneven_times(one, except));
            each.collect()
        }
        Value::String(text) => {
            let inner = text
                .starts_with(['{', '['])
                .then(|| serde_json::from_str(text).ok());
            match inner.flatten() {
                Some(inner) => uneven_times(&inner, except),
                None => uneven_times_in(text),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![],
    }
}

/// The RFC 3339 times in a text that [`uneven_times`] would report.
#[must_use]
pub fn uneven_times_in(text: &str) -> Vec<String> {
    let mut found = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((seconds, after)) = time_at(rest) {
            let decimals = after.strip_prefix('.').map_or(0, |after| {
                after.bytes().take_while(u8::is_ascii_digit).count()
            });
            let after = after.get(if decimals == 0 { 0 } else { decimals + 1 }..);
            let after = after.unwrap_or_default();
            if decimals != 3 || !after.starts_with('Z') {
                let end = text.len() - after.len();
                let begin = text.len() - rest.len();
                found.push(text.get(begin..end).unwrap_or(seconds).to_owned());
            }
            rest = after;
        } else {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    found
}

/// If a text begins with a time: the time without its decimals, and the rest of the text.
fn time_at(text: &str) -> Option<(&str, &str)> {
    let (head, after) = text.split_at_checked(FORM.len())?;
    let like = head.bytes().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == *form,
    });
    like.then_some((head, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_not_three_decimals_is_found_wherever_it_is() {
        let value = json!({
            "log": [{"cuando": "2026-01-31T10:00:57.12Z"}, {"cuando": "2026-01-31T10:00:57.120Z"}],
            "gsi1sk": "2026-01-31T10:00:55Z#2026-01-31T10:00:55.000Z",
            "evento": "{\"time\":\"2026-01-31T10:00:01.123456Z\",\"fecha_salida\":\"2027-01-31T10:00:00Z\"}",
            "fecha_salida": "2027-01-31T10:00:00Z", "local": "2026-01-31T10:00:57.120-05:00",
            "dia": "2026-01-31", "motivo": "é 10:00:00",
        });
        let mut found = uneven_times(&value, &["fecha_salida"]);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "2026-01-31T10:00:01.123456",
                "2026-01-31T10:00:55",
                "2026-01-31T10:00:57.12",
                "2026-01-31T10:00:57.120",
            ]
        );
    }
}
