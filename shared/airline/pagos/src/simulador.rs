//! A simulated payment provider. The simulator moves no money, and keeps a ledger of the movements that it would have
//! made.
//!
//! The payment token decides the outcome of a charge:
//!
//! | token | outcome |
//! | --- | --- |
//! | [`VISA`] | pays |
//! | [`RECHAZADA`], [`FONDOS_INSUFICIENTES`] | decline |
//! | [`TIMEOUT`] | charges without an answer: each call fails after [`WAIT`] |
//! | [`INTERMITENTE`] | fails twice with nothing charged, then pays |
//! | any other | declines, because the token is unknown |
//!
//! Each key is one item of the ledger, and each call is one conditional write of that item, so concurrent calls take
//! turns. A call whose answer was lost has written either all of its change or nothing, and the repeated call continues
//! from the stored item.

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

/// The ledger: one item for each key, with the sort key `cargo`.
pub const TABLE: TableName = TableName("ledger");

/// The token whose charge succeeds.
pub const VISA: &str = "tok_visa";
/// The token whose charge is declined.
pub const RECHAZADA: &str = "tok_rechazada";
/// The token whose charge is declined for lack of funds.
pub const FONDOS_INSUFICIENTES: &str = "tok_fondos_insuficientes";
/// The token whose charge succeeds without an answer.
pub const TIMEOUT: &str = "tok_timeout";
/// The token whose charge fails twice and then succeeds.
pub const INTERMITENTE: &str = "tok_intermitente";

/// Time for which a caller waits for the missing answer of [`TIMEOUT`].
pub const WAIT: Duration = Duration::from_secs(1);

/// Number of times that [`INTERMITENTE`] fails before it pays.
const FAILURES: u32 = 2;

/// Number of attempts to write an item. An attempt fails if a concurrent call has written the item.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The direction of a movement of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tipo {
    /// A charge: money from the client.
    Cargo,
    /// A refund: money back to the client.
    Devolucion,
}

/// A movement of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movimiento {
    /// The direction of the movement.
    pub tipo: Tipo,
    /// The amount, and the payment token.
    #[serde(flatten)]
    pub pago: Pago,
    /// Time of the movement.
    pub cuando: Moment,
}

/// Reads the movements under a key, in order. The list is empty if nothing was charged.
///
/// # Errors
///
/// See [`TableError`].
pub async fn ledger(tables: &dyn Tables, key: &str) -> Result<Vec<Movimiento>, TableError> {
    Ok(read(tables, &item_key(key)).await?.movimientos)
}

/// The sum charged and not refunded, tax included.
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
            Answer::Failure => Err(NoAnswer("the provider failed transiently".into())),
            Answer::Silence => {
                self.world.tasks.sleep(WAIT).await;
                Err(NoAnswer(format!("no answer within {} s", WAIT.as_secs())))
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
    /// Makes a provider that keeps its ledger in `tables`.
    #[must_use]
    pub fn new(tables: Arc<dyn Tables>, world: World) -> Self {
        Self { tables, world }
    }

    /// Applies a change to the item under `key`, without losing concurrent changes.
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
                // Another writer was faster, or an earlier write of this call succeeded and its answer was lost. The
                // next read of the item shows which of the two it was.
                Err(WriteError::ConditionFailed) => self.pause(attempt).await,
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
        let text = format!("ledger item {} is too busy", key.pk);
        Err(TableError::Unavailable(text))
    }

    async fn pause(&self, attempt: u32) {
        let chance = self.world.randomness.fraction();
        let pause = jittered(PAUSE, LONGEST_PAUSE, attempt, chance);
        self.world.tasks.sleep(pause).await;
    }
}

/// The provider's reaction to a charge.
enum Answer {
    /// The provider answers with this outcome.
    Cobro(Cobro),
    /// The provider fails at once.
    Failure,
    /// The provider does not answer.
    Silence,
}

/// The ledger's item for a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cuenta {
    /// Number of writes of the item.
    rev: u64,
    movimientos: Vec<Movimiento>,
    /// Number of failures so far, for [`INTERMITENTE`].
    fallas: u32,
    /// The reason for which the charge was declined; `None` if no charge was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    rechazo: Option<String>,
    /// True once the key is void. A void key is never charged.
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

    /// The write of the item, on condition that its `rev` is unchanged.
    fn write(mut self, key: &Key, rev: u64) -> Result<Write, TableError> {
        self.rev = rev + 1;
        let item = match serde_json::to_value(&self) {
            Ok(Value::Object(item)) => item,
            other => return Err(TableError::Refused(format!("not an item: {other:?}"))),
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

/// The reason for which the charge of a declining token is declined.
fn motivo(medio: &str) -> &'static str {
    match medio {
        RECHAZADA => "tarjeta rechazada",
        FONDOS_INSUFICIENTES => "fondos insuficientes",
        _ => "medio desconocido",
    }
}
