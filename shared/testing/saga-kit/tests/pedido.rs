//! A saga of an unusual shape: many steps, steps that cannot fail, steps that cannot be undone, and commands that are
//! built from several events. Its participants are minimal.

#![cfg(test)]

use std::{sync::Arc, time::Duration};

use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableName, Tables, Update, World, WriteError,
};
use alpes_saga::{
    Answer, Call, Compensation, Definition, Dispatch, Expiry, Fact, Mapping, NoAnswer,
    Participants, Retry, Saga, SagaId, SagaMode, Status, Step, StepNumber, Texts,
};
use async_trait::async_trait;
use futures::executor::block_on;
use saga_kit::{Play, Setting, campaign};
use serde_json::{Value, json};
use uuid::Uuid;

const TABLE: TableName = TableName("things");

const RETRY: Retry = Retry {
    attempts: 4,
    patience: Duration::from_secs(5),
    pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(5),
};

fn call(participant: &'static str, data: Mapping) -> Call {
    Call {
        participant,
        data,
        retry: RETRY,
    }
}

fn undo(participant: &'static str, command: &'static str, success: &'static str) -> Compensation {
    Compensation {
        command,
        call: call(participant, Mapping::empty().field("motivo", "saga.reason")),
        success,
    }
}

fn definition() -> Definition {
    let step = |command, participant, data, success, failure, compensation| Step {
        command,
        call: Some(call(participant, data)),
        success,
        failure,
        compensation,
    };
    let articulo = || Mapping::empty().field("articulo", "PedidoRecibido.linea.articulo");
    let cobro = Mapping::empty()
        .field("precio", "MercanciaApartada.precio")
        .field("tarjeta", "PedidoRecibido.tarjeta")
        .text("moneda", "COP");
    Definition {
        name: "pedido",
        version: 3,
        expiry: Expiry {
            after: Duration::from_hours(48),
            reason: "viejo",
        },
        patience: Duration::from_mins(1),
        texts: Texts::ENGLISH,
        steps: vec![
            Step {
                command: "RecibirPedido",
                call: None,
                success: "PedidoRecibido",
                failure: None,
                compensation: None,
            },
            step(
                "ApartarMercancia",
                "bodega",
                articulo(),
                "MercanciaApartada",
                Some("MercanciaAgotada"),
                Some(undo("bodega", "LiberarMercancia", "MercanciaLiberada")),
            ),
            step(
                "AvisarTaller",
                "taller",
                articulo(),
                "TallerAvisado",
                None,
                None,
            ),
            step(
                "CobrarTarjeta",
                "caja",
                cobro,
                "TarjetaCobrada",
                Some("TarjetaRechazada"),
                Some(undo("caja", "DevolverCobro", "CobroDevuelto")),
            ),
            step(
                "PedirTransporte",
                "transporte",
                Mapping::empty(),
                "TransportePedido",
                None,
                Some(undo(
                    "transporte",
                    "DespedirTransporte",
                    "TransporteDespedido",
                )),
            ),
            step(
                "EnviarRecibo",
                "correo",
                Mapping::empty().field("precio", "MercanciaApartada.precio"),
                "ReciboEnviado",
                Some("CorreoRebotado"),
                None,
            ),
        ],
    }
}

/// Participants that keep one item for each participant and saga: the events, each with the id of its command.
struct Things {
    tables: Arc<dyn Tables>,
    world: World,
    fails_at: Option<StepNumber>,
}

fn key(subject: Uuid, participant: &str) -> Key {
    Key::new(TABLE, format!("{participant}-{subject}"), "thing")
}

fn facts_of(item: &Item) -> Vec<Value> {
    item.get("events")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn fact(value: &Value) -> Fact {
    Fact {
        mode: SagaMode::Orchestration,
        kind: value["kind"].as_str().unwrap().to_owned(),
        id: value["id"].as_str().unwrap().parse().unwrap(),
        stream: value["stream"].as_str().unwrap().to_owned(),
        version: u32::try_from(value["version"].as_u64().unwrap()).unwrap(),
        subject: value["subject"].as_str().unwrap().parse().unwrap(),
        time: value["time"].as_str().unwrap().parse().unwrap(),
        trace: None,
        data: value["data"].clone(),
    }
}

impl Things {
    fn event(&self, stream: &str, subject: Uuid, kind: &str, version: usize) -> Value {
        json!({
            "kind": kind, "id": self.world.ids.fresh(), "stream": stream, "version": version, "subject": subject,
            "time": self.world.clock.now(), "data": {"precio": "10", "linea": {"articulo": "silla"}, "tarjeta": "t"},
        })
    }

    async fn take(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let silence = |error: &dyn std::fmt::Display| NoAnswer(error.to_string());
        let key = key(dispatch.subject, dispatch.participant);
        let item = self.tables.get_one(&key, Consistency::Strong).await;
        let item = item.map_err(|error| silence(&error))?;
        let events = item.as_ref().map(facts_of).unwrap_or_default();
        let id = dispatch.command.to_string();
        let done = events.iter().find(|event| event["command"] == json!(id));
        if let Some(event) = done {
            return Ok(Answer::Events(vec![fact(event)]));
        }
        let definition = definition();
        let step = definition.step(dispatch.step).unwrap();
        let undoes = step
            .compensation
            .as_ref()
            .filter(|undo| undo.command == dispatch.kind);
        let has = |kind: &str| events.iter().any(|event| event["kind"] == json!(kind));
        let undone = step
            .compensation
            .as_ref()
            .is_some_and(|undo| has(undo.success));
        let kind = match (undoes, self.fails_at == Some(dispatch.step), step.failure) {
            (Some(undo), _, _) => undo.success,
            (None, _, _) if undone => return Ok(Answer::Rejected("undone".into())),
            (None, true, None) => return Ok(Answer::Rejected("no".into())),
            (None, true, Some(failure)) => failure,
            (None, false, _) => step.success,
        };
        let mut event = self.event(&key.pk, dispatch.subject, kind, events.len() + 1);
        event["command"] = json!(id);
        let rev = i64::try_from(events.len()).unwrap();
        let commit = Update::of(key)
            .when(match item {
                None => Condition::Absent,
                Some(_) => Condition::Equals(Path::of("rev"), rev.into()),
            })
            .set(Path::of("rev"), rev + 1)
            .append(Path::of("events"), vec![event.clone()]);
        match self.tables.write(&commit.into()).await {
            Ok(()) => Ok(Answer::Events(vec![fact(&event)])),
            Err(error @ (WriteError::ConditionFailed | WriteError::Table(_))) => {
                Err(silence(&error))
            }
        }
    }
}

#[async_trait]
impl Participants for Things {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        self.take(dispatch).await
    }
}

struct Pedido;

async fn items(setting: &Setting) -> Vec<Item> {
    let (mut items, mut after) = (vec![], None);
    loop {
        let page = setting.tables.scan(TABLE, after.as_ref()).await.unwrap();
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

#[async_trait]
impl Play for Pedido {
    fn definition(&self) -> Definition {
        definition()
    }

    fn participants(
        &self,
        setting: &Setting,
        fails_at: Option<StepNumber>,
    ) -> Arc<dyn Participants> {
        Arc::new(Things {
            tables: Arc::new(setting.faults.tables(setting.tables.clone())),
            world: setting.world.clone(),
            fails_at,
        })
    }

    async fn open(&self, setting: &Setting, _fails_at: Option<StepNumber>) -> (SagaId, Fact) {
        let things = Things {
            tables: setting.tables.clone(),
            world: setting.world.clone(),
            fails_at: None,
        };
        let subject = Uuid::from_u128(77);
        let key = key(subject, "pedidos");
        let event = things.event(&key.pk, subject, "PedidoRecibido", 1);
        let put = Update::of(key).append(Path::of("events"), vec![event.clone()]);
        setting.tables.write(&put.into()).await.unwrap();
        (SagaId(Uuid::from_u128(99)), fact(&event))
    }

    async fn facts(&self, setting: &Setting) -> Vec<Fact> {
        let items = items(setting).await;
        let mut facts: Vec<_> = items
            .iter()
            .flat_map(facts_of)
            .map(|event| fact(&event))
            .collect();
        facts.sort_by_key(|fact| fact.id);
        facts
    }

    async fn check(&self, setting: &Setting, saga: &Saga) -> Vec<String> {
        let mut found = vec![];
        let facts = self.facts(setting).await;
        let has = |kind: &str| facts.iter().any(|fact| fact.kind == kind);
        for step in definition().steps.into_iter().skip(1) {
            let stands = has(step.success)
                && !step
                    .compensation
                    .as_ref()
                    .is_some_and(|undo| has(undo.success));
            match (saga.status, &step.compensation) {
                (Status::Completed, _) if !stands => {
                    found.push(format!("{} does not stand", step.command));
                }
                (Status::Compensated, Some(_)) if stands => {
                    found.push(format!("{} still stands", step.command));
                }
                _ => {}
            }
        }
        found
    }
}

#[test]
fn the_definition_can_be_run() {
    assert_eq!(definition().faults(), Vec::<String>::new());
}

#[test]
fn a_saga_of_another_shape_ends_as_it_must_whatever_happens() {
    let report = block_on(campaign(&Pedido));
    println!("{report}");
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.runs > 1_000, "{report}");
}
