//! A payment provider that is none: it moves no money, and keeps a ledger of what it would have moved.
//!
//! What happens is told by the token of payment:
//!
//! | token | what |
//! | --- | --- |
//! | [`VISA`] | pays |
//! | [`RECHAZADA`], [`FONDOS_INSUFICIENTES`] | decline |
//! | [`TIMEOUT`] | charges, but never says so: each call ends without an answer after [`WAIT`] |
//! | [`INTERMITENTE`] | fails twice with nothing charged, then pays |
//! | any other | declines: it is unknown |
//!
//! Each key is one item of the ledger, and each call one conditional write of it, so calls at the same time take turns. A
//! call whose answer was lost left either nothing or all of it, and finds that when it is repeated.

use std::{sync::Arc, time::Duration};

use alpes_messages::Moment;
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, World, Write,
    WriteError, jittered,
};
use async_trait::async_trait;
use events::vuelos::Pago;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gateway::{Anulacion, Cobro, Gateway, NoAnswer};

/// The ledger: an item a key, sort key `cargo`.
pub const TABLE: TableName = TableName("ledger");

/// Pays.
pub const VISA: &str = "tok_visa";
/// Declines.
pub const RECHAZADA: &str = "tok_rechazada";
/// Declines for lack of funds.
pub const FONDOS_INSUFICIENTES: &str = "tok_fondos_insuficientes";
/// Charges, but never says so.
pub const TIMEOUT: &str = "tok_timeout";
/// Fails twice, then pays.
pub const INTERMITENTE: &str = "tok_intermitente";

/// How long the caller is left waiting for the answer that does not come.
pub const WAIT: Duration = Duration::from_secs(1);

/// How often [`INTERMITENTE`] fails.
const FAILURES: u32 = 2;

/// Tries to write an item that others write at the same time.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tipo {
    /// From the client.
    Cargo,
    /// Back to the client.
    Devolucion,
}

/// A movement of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movimiento {
    /// Which way.
    pub tipo: Tipo,
    /// How much, and from or to what.
    #[serde(flatten)]
    pub pago: Pago,
    /// When.
    pub cuando: Moment,
}

/// The movements under a key, in order; none if nothing was charged.
///
/// # Errors
///
/// See [`TableError`].
pub async fn ledger(tables: &dyn Tables, key: &str) -> Result<Vec<Movimiento>, TableError> {
    Ok(read(tables, &item_key(key)).await?.movimientos)
}

/// What was charged and not given back, tax included.
#[must_use]
pub fn balance(movimientos: &[Movimiento]) -> Decimal {
    let signed = movimientos.iter().map(|movimiento| {
        let Pago {
            monto, monto_vat, ..
        } = &movimiento.pago;
        let amount = monto.0 + monto_vat.0;
        match movimiento.tipo {
            Tipo::Cargo => amount,
            Tipo::Devolucion => -amount,
        }
    });
    signed.sum()
}

/// The simulated provider.
#[derive(Clone)]
pub struct Simulador {
    tables: Arc<dyn Tables>,
    world: World,
}

#[async_trait]
impl Gateway for Simulador {
    async fn cobrar(&self, key: &str, pago: &Pago) -> Result<Cobro, NoAnswer> {
        match self
            .change(key, |cuenta, now| cuenta.cobrar(pago, now))
            .await?
        {
            Answer::Cobro(cobro) => Ok(cobro),
            Answer::Failure => Err(NoAnswer("a transient failure".into())),
            Answer::Silence => {
                self.world.tasks.sleep(WAIT).await;
                Err(NoAnswer(format!("nothing for {} s", WAIT.as_secs())))
            }
        }
    }

    async fn anular(&self, key: &str) -> Result<Anulacion, NoAnswer> {
        Ok(self.change(key, Cuenta::anular).await?)
    }
}

impl From<TableError> for NoAnswer {
    fn from(error: TableError) -> Self {
        Self(error.to_string())
    }
}

impl Simulador {
    /// A provider with its ledger in `tables`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, world: World) -> Self {
        Self { tables, world }
    }

    /// Applies a change to what is under `key`, undisturbed by others.
    async fn change<T>(
        &self,
        key: &str,
        change: impl Fn(&mut Cuenta, Moment) -> T,
    ) -> Result<T, TableError> {
        let key = item_key(key);
        for attempt in 0..ATTEMPTS {
            let before = read(&*self.tables, &key).await?;
            let mut after = before.clone();
            let answer = change(&mut after, self.world.clock.now().into());
            if after == before {
                return Ok(answer);
            }
            match self.tables.write(&after.write(&key, before.rev)?).await {
                Ok(()) => return Ok(answer),
                // Overtaken, or our own earlier success whose answer was lost: the item tells.
                Err(WriteError::ConditionFailed) => self.pause(attempt).await,
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
        let text = format!("{} is too busy", key.pk);
        Err(TableError::Unavailable(text))
    }

    async fn pause(&self, attempt: u32) {
        let chance = self.world.randomness.fraction();
        let pause = jittered(PAUSE, LONGEST_PAUSE, attempt, chance);
        self.world.tasks.sleep(pause).await;
    }
}

/// What the provider does about a request for a charge.
enum Answer {
    /// It answers.
    Cobro(Cobro),
    /// It fails.
    Failure,
    /// It says nothing.
    Silence,
}

/// What is under a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cuenta {
    /// How often it was written.
    rev: u64,
    movimientos: Vec<Movimiento>,
    /// How often it failed, as tokens want it.
    fallas: u32,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    rechazo: Option<String>,
    /// True once it is void: no charge is made any more.
    anulada: bool,
}

impl Cuenta {
    fn cobrar(&mut self, pago: &Pago, now: Moment) -> Answer {
        if self.anulada {
            return declined("cobro anulado");
        }
        if let Some(motivo) = &self.rechazo {
            return declined(motivo);
        }
        let charged = match self.movimientos.first() {
            Some(cargo) => cargo.pago.clone(),
            None => match pago.medio.as_str() {
                INTERMITENTE if self.fallas < FAILURES => {
                    self.fallas += 1;
                    return Answer::Failure;
                }
                VISA | TIMEOUT | INTERMITENTE => {
                    self.moves(Tipo::Cargo, pago.clone(), now);
                    pago.clone()
                }
                other => {
                    let motivo = motivo(other);
                    self.rechazo = Some(motivo.into());
                    return declined(motivo);
                }
            },
        };
        if charged.medio == TIMEOUT {
            Answer::Silence
        } else {
            Answer::Cobro(Cobro::Cobrado(charged))
        }
    }

    fn anular(&mut self, now: Moment) -> Anulacion {
        let charged = self.movimientos.first().map(|cargo| cargo.pago.clone());
        let Some(pago) = charged else {
            self.anulada = true;
            return Anulacion::SinCargo;
        };
        if !self.anulada {
            self.anulada = true;
            self.moves(Tipo::Devolucion, pago, now);
        }
        Anulacion::Devuelto
    }

    fn moves(&mut self, tipo: Tipo, pago: Pago, cuando: Moment) {
        self.movimientos.push(Movimiento { tipo, pago, cuando });
    }

    /// The write of it, if it is still what it was at `rev`.
    fn write(mut self, key: &Key, rev: u64) -> Result<Write, TableError> {
        self.rev = rev + 1;
        let item = match serde_json::to_value(&self) {
            Ok(Value::Object(item)) => item,
            other => return Err(TableError::Refused(format!("no item: {other:?}"))),
        };
        let condition = match rev {
            0 => Condition::Absent,
            rev => Condition::Equals(Path::of("rev"), rev.into()),
        };
        Ok(Write::Put {
            key: key.clone(),
            item,
            condition,
        })
    }
}

async fn read(tables: &dyn Tables, key: &Key) -> Result<Cuenta, TableError> {
    match tables.get_one(key, Consistency::Strong).await? {
        Some(item) => decode(item),
        None => Ok(Cuenta::default()),
    }
}

fn decode(item: Item) -> Result<Cuenta, TableError> {
    serde_json::from_value(Value::Object(item))
        .map_err(|error| TableError::Refused(format!("the ledger cannot be read: {error}")))
}

fn item_key(key: &str) -> Key {
    Key::new(TABLE, key, "cargo")
}

fn declined(motivo: &str) -> Answer {
    let motivo = motivo.to_owned();
    Answer::Cobro(Cobro::Rechazado { motivo })
}

/// Why a token declines.
fn motivo(medio: &str) -> &'static str {
    match medio {
        RECHAZADA => "tarjeta rechazada",
        FONDOS_INSUFICIENTES => "fondos insuficientes",
        _ => "medio desconocido",
    }
}
