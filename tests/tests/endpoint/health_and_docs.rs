//! The API's health check and description.

use e2e::Stack;

#[test]
fn it_is_well() {
    let health = Stack::from_env().api.get("/health").expect(200);
    assert_eq!(health["estado"], "ok");
}

#[test]
fn it_describes_its_routes() {
    let openapi = Stack::from_env().api.get("/openapi.json").expect(200);
    assert!(
        openapi["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    for (path, method) in [
        ("/health", "get"),
        ("/vuelos/reserva", "post"),
        ("/vuelos/reserva", "get"),
        ("/vuelos/reserva/{id}", "get"),
        ("/vuelos/reserva/{id}/eventos", "get"),
        ("/vuelos/reportes/totales", "get"),
        ("/vuelos/reportes/reservas-por-dia", "get"),
    ] {
        assert!(
            openapi["paths"][path][method].is_object(),
            "{method} {path}"
        );
    }
}
