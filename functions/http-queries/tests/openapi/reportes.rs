//! The operations of reports.

use http_queries::{DEFAULT_DAYS, MAX_DAYS};
use serde_json::{Value, json};

use crate::documento::{answer, found, schema};

/// `GET /vuelos/reportes/totales`.
pub(crate) fn totales() -> Value {
    let example =
        json!({"filas": [{"dia": "2026-01-30", "total": 4}, {"dia": "2026-01-31", "total": 10}]});
    json!({
        "operationId": "reporteTotales",
        "tags": ["reportes"],
        "summary": "Contar las reservas de cada día",
        "description":
            "Por el día en que se crearon, en UTC, del primero al último. Los días sin reservas no aparecen. Una reserva \
             recién creada cuenta en cuanto la vista la conoce.",
        "parameters": days(),
        "responses": responses("Totales", example),
    })
}

/// `GET /vuelos/reportes/reservas-por-dia`.
pub(crate) fn reservas_por_dia() -> Value {
    let row = json!({
        "dia": "2026-01-31", "Pendiente": 0, "Pagada": 1, "Aprobada": 7, "Cancelada": 2, "total": 10,
    });
    json!({
        "operationId": "reporteReservasPorDia",
        "tags": ["reportes"],
        "summary": "Ver la tabla pivote de días contra estados",
        "description":
            "Una fila por cada día en que se crearon reservas, en UTC, del primero al último; una columna por estado, con \
             cuántas de ese día están en él ahora. Los días sin reservas no aparecen.",
        "parameters": days(),
        "responses": responses("ReservasPorDia", json!({"filas": [row]})),
    })
}

fn responses(schema_name: &str, example: Value) -> Value {
    found(
        answer("El reporte.", &schema(schema_name), &[("uno", example)]),
        &[("400", "ConsultaInvalida")],
    )
}

/// The parameters of every report: `desde` and `hasta`.
fn days() -> Value {
    let day = |name: &str, description: String| {
        json!({
            "name": name,
            "in": "query",
            "description": description,
            "schema": {"type": "string", "format": "date"},
            "example": "2026-01-31",
        })
    };
    let before = DEFAULT_DAYS - 1;
    json!([
        day(
            "desde",
            format!("El primer día. Si no se dice, {before} días antes de `hasta`."),
        ),
        day(
            "hasta",
            format!(
                "El último día, incluido. Si no se dice, hoy en UTC. Caben {MAX_DAYS} días como máximo."
            ),
        ),
    ])
}
