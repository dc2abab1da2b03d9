//! `POST /vuelos/cotizacion`.

use alpes_event_store::Signer;
use alpes_messages::{Moment, Problem};
use alpes_ports::TableError;
use api::{Caller, Refusal};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::invalid;
use serde_json::json;
use vuelos::{
    cotizacion::{self, Cotizacion},
    crear_reserva::Viaje,
};

use crate::App;

impl App {
    /// Answers the price of a journey, and a quote that holds it for this caller.
    pub(crate) async fn cotizacion(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let viaje = Viaje::parse(&api::json_body(request)?).map_err(invalid)?;
        let actor = caller.actor().unwrap_or_default();
        let now = self.world.clock.now();
        let quote = Cotizacion::of(&viaje.itinerarios, viaje.passengers(), &actor, now);
        let key = self.quote_key(&quote).await?;
        let body = json!({
            "monto": quote.precio.monto,
            "monto_vat": quote.precio.monto_vat,
            "moneda": quote.precio.moneda,
            "cotizacion": quote.token(&key),
            "vence": Moment::from(quote.end()),
        });
        Ok(api::json(StatusCode::OK, &body))
    }

    /// Refuses a text that is no quote of this installation for this caller.
    pub(crate) async fn must_have_quoted(
        &self,
        text: &str,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let token = Cotizacion::read(text).ok_or_else(cotizacion::unknown)?;
        let key = self.quote_key(&token.cotizacion).await?;
        let actor = caller.actor().unwrap_or_default();
        let checked: Result<(), Problem> = token.check(&actor, &key);
        Ok(checked?)
    }

    async fn quote_key(&self, quote: &Cotizacion) -> Result<Signer, TableError> {
        self.secret.signer(&["cotizacion", &quote.key_id()]).await
    }
}
