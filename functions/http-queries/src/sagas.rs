//! `GET /sagas`.

use alpes_messages::Problem;
use alpes_saga::Status;
use api::{Refusal, saga as words};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::Regla;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    App, Cursor,
    parameters::{Page, Parameters},
    saga::ResumenSaga,
};

/// A page of sagas, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ListaSagas {
    /// The sagas. A page can have fewer rows than `limite` although more rows follow, because some sagas may have left
    /// the state meanwhile.
    pub sagas: Vec<ResumenSaga>,
    /// The value of the parameter `siguiente` for the next page; null at the end.
    pub siguiente: Option<String>,
}

impl App {
    pub(crate) async fn sagas(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let (estado, Page { limit, after }) = parse(request)?;
        let after = after.as_ref().map(|cursor| cursor.0.as_str());
        let page = self.sagas.list(estado, after, limit).await?;
        Ok(api::json(
            StatusCode::OK,
            &ListaSagas {
                sagas: page.sagas.iter().map(ResumenSaga::from).collect(),
                siguiente: page.next.map(|order| Cursor(order).encode()),
            },
        ))
    }
}

fn parse(request: &Request) -> Result<(Status, Page), Problem> {
    let mut parameters = Parameters::of(request, &["estado", "limite", "siguiente"]);
    let states = Status::ALL.map(words::estado).join(", ");
    let text = format!("Debe ser uno de {states}");
    let estado = parameters.required("estado", Regla::Opcion, text, words::status);
    let page = parameters.page();
    parameters.check(estado.map(|estado| (estado, page)))
}
