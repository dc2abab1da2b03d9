//! Parameters of a query string.

use events::Violation;
use lambda_http::{Request, RequestExt};

/// The value of each of `names`, and what is wrong: a parameter that is not known would else be a filter that does nothing, and one
/// given twice a filter that does half.
pub(crate) fn read<const N: usize>(
    request: &Request,
    names: [&str; N],
) -> ([Option<String>; N], Vec<Violation>) {
    let given = request.query_string_parameters();
    let mut violations = vec![];
    let mut unknown: Vec<&str> = given
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !names.contains(name))
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    for name in unknown {
        let name: String = name.chars().take(64).collect();
        let rule = format!("No se conoce; los parámetros son {}", names.join(", "));
        violations.push(Violation::new(name, "campo-desconocido", rule));
    }
    let values = names.map(|name| {
        let values = given.all(name).unwrap_or_default();
        if values.len() > 1 {
            violations.push(Violation::new(
                name,
                "repetido",
                "Debe aparecer una sola vez",
            ));
        }
        values.first().map(|value| (*value).to_owned())
    });
    (values, violations)
}
