//! Leaves out of the description the test endpoints, and what only they use.

use std::collections::BTreeSet;

use serde_json::Value;

/// The tag of the test endpoints.
const TAG: &str = "pruebas";

/// The description without test endpoints.
pub(crate) fn sin_pruebas(mut documento: Value) -> Value {
    let paths = documento["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| !path.starts_with("/pruebas/"));
    let tags = documento["tags"].as_array_mut().unwrap();
    tags.retain(|tag| tag["name"] != TAG);
    loop {
        let used = references(&documento);
        let mut left_out = false;
        for kind in ["schemas", "responses"] {
            let components = documento["components"][kind].as_object_mut().unwrap();
            let before = components.len();
            components.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
            left_out |= components.len() < before;
        }
        if !left_out {
            return documento;
        }
    }
}

/// Every reference in the description.
pub(crate) fn references(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => {
            let own = fields
                .get("$ref")
                .and_then(Value::as_str)
                .map(str::to_owned);
            let inner = fields.values().flat_map(references);
            own.into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => BTreeSet::new(),
    }
}
