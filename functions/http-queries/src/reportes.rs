//! `GET /vuelos/reportes/totales` and `GET /vuelos/reportes/reservas-por-dia`.

use std::{borrow::Cow, collections::BTreeMap};

use alpes_messages::Problem;
use api::Refusal;
use events::vuelos::EstadoReserva;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use lambda_http::{Body, Request, Response, http::StatusCode};
use parse::Regla;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};
use views::analitica::{self, Dia};

use crate::{App, parameters::Parameters};

/// Default number of days of a report.
pub const DEFAULT_DAYS: i32 = 30;
/// Largest number of days of a report: a leap year.
pub const MAX_DAYS: i32 = 366;

/// Number of reservations made on each day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Totales {
    /// The days with reservations, in order.
    pub filas: Vec<FilaTotales>,
}

/// Number of reservations made on one day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FilaTotales {
    /// The day, in UTC.
    pub dia: Date,
    /// Number of reservations.
    pub total: u64,
}

/// Number of reservations made on each day, by their current state.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReservasPorDia {
    /// The days with reservations, in order.
    pub filas: Vec<FilaReservasPorDia>,
}

/// Number of reservations made on one day, by their current state.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FilaReservasPorDia {
    /// The day, in UTC.
    pub dia: Date,
    /// Number of reservations in each state, one column for each state.
    #[serde(flatten)]
    pub cuentas: Cuentas,
    /// Number of reservations made on the day.
    pub total: u64,
}

/// One number for each state. A state without reservations has 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Cuentas(BTreeMap<EstadoReserva, u64>);

impl JsonSchema for Cuentas {
    fn schema_name() -> Cow<'static, str> {
        "Cuentas".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = EstadoReserva::ALL.map(EstadoReserva::name);
        let number = u64::json_schema(generator).to_value();
        let columns = names.map(|name| (name.to_owned(), number.clone()));
        json_schema!({
            "type": "object",
            "required": names,
            "properties": Map::<String, Value>::from_iter(columns),
        })
    }
}

impl From<Dia> for FilaTotales {
    fn from(dia: Dia) -> Self {
        Self {
            dia: dia.dia,
            total: dia.total(),
        }
    }
}

impl From<Dia> for FilaReservasPorDia {
    fn from(dia: Dia) -> Self {
        let count = |estado| dia.cuentas.get(&estado).copied().unwrap_or(0);
        let cuentas = EstadoReserva::ALL.map(|estado| (estado, count(estado)));
        Self {
            dia: dia.dia,
            cuentas: Cuentas(cuentas.into()),
            total: dia.total(),
        }
    }
}

impl App {
    pub(crate) async fn totales(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let filas = self.rows(request).await?;
        Ok(api::json(StatusCode::OK, &Totales { filas }))
    }

    pub(crate) async fn reservas_por_dia(
        &self,
        request: &Request,
    ) -> Result<Response<Body>, Refusal> {
        let filas = self.rows(request).await?;
        Ok(api::json(StatusCode::OK, &ReservasPorDia { filas }))
    }

    /// The rows of a report: one for each requested day that has reservations.
    async fn rows<T: From<Dia>>(&self, request: &Request) -> Result<Vec<T>, Refusal> {
        let today = TimeZone::UTC.to_datetime(self.clock.now()).date();
        let (from, to) = parse(request, today)?;
        let generation = self.generations.live(analitica::NAME).await?;
        let days = analitica::pivot(&*self.tables, &generation, from, to).await?;
        Ok(days.into_iter().map(T::from).collect())
    }
}

/// The first and the last day of the report.
fn parse(request: &Request, today: Date) -> Result<(Date, Date), Problem> {
    let mut parameters = Parameters::of(request, &["desde", "hasta"]);
    let text = "Debe ser un día, como 2026-01-31";
    let from = parameters.optional("desde", Regla::Fecha, text, day);
    let to = parameters.optional_or(today, "hasta", Regla::Fecha, text, day);
    let days = to.map(|to| (from.unwrap_or(first_of(DEFAULT_DAYS, to)), to));
    if let Some((from, to)) = days {
        if from > to {
            let text = "No puede ser posterior a hasta, que es hoy si no se dice";
            parameters.refuse("desde", Regla::Orden, text);
        } else if from < first_of(MAX_DAYS, to) {
            let text = format!(
                "De desde a hasta, que es hoy si no se dice, caben {MAX_DAYS} días como máximo"
            );
            parameters.refuse("desde", Regla::Limite, text);
        }
    }
    parameters.check(days)
}

/// Reads a day in the form `2026-01-31`, the only accepted form. Years before the year 0 are refused, because their
/// texts do not sort by time.
fn day(text: &str) -> Option<Date> {
    let day: Date = text.parse().ok()?;
    (day.year() >= 0 && day.to_string() == text).then_some(day)
}

/// The first of `days` days that end with `last`.
fn first_of(days: i32, last: Date) -> Date {
    last.saturating_sub((days - 1).days())
}
