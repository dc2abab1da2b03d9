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

/// Days of a report, when nothing else is asked.
pub const DEFAULT_DAYS: i32 = 30;
/// Days of a report at most: a leap year.
pub const MAX_DAYS: i32 = 366;

/// How many reservations were made on each day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Totales {
    /// The days on which any were, in order.
    pub filas: Vec<FilaTotales>,
}

/// How many reservations were made on a day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FilaTotales {
    /// The day, in UTC.
    pub dia: Date,
    /// How many.
    pub total: u64,
}

/// How many of the reservations made on each day are in each state now.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ReservasPorDia {
    /// The days on which any were made, in order.
    pub filas: Vec<FilaReservasPorDia>,
}

/// How many of the reservations made on a day are in each state now.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FilaReservasPorDia {
    /// The day, in UTC.
    pub dia: Date,
    /// How many are in each state, a column each.
    #[serde(flatten)]
    pub cuentas: Cuentas,
    /// How many were made.
    pub total: u64,
}

/// A number for each state, and for all of them.
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

    /// A row of a report for each day that is asked for and has reservations.
    async fn rows<T: From<Dia>>(&self, request: &Request) -> Result<Vec<T>, Refusal> {
        let today = TimeZone::UTC.to_datetime(self.clock.now()).date();
        let (from, to) = parse(request, today)?;
        let generation = self.generations.live(analitica::NAME).await?;
        let days = analitica::pivot(&*self.tables, &generation, from, to).await?;
        Ok(days.into_iter().map(T::from).collect())
    }
}

/// The first day and the last.
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

/// A day in the one form that is told. Years before our era are left out: as text they do not come in the order of time.
fn day(text: &str) -> Option<Date> {
    let day: Date = text.parse().ok()?;
    (day.year() >= 0 && day.to_string() == text).then_some(day)
}

/// The first of so many days that end with this one.
fn first_of(days: i32, last: Date) -> Date {
    last.saturating_sub((days - 1).days())
}
