//! `demo`: from nothing to a reservation booked, stored and seen.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::args::Args;
use crate::failure::{Explain, Result, fail};
use crate::functions::pretty;
use crate::http::request;
use crate::ops::ops;
use crate::progress::{note, step};
use crate::up::up;
use crate::workspace::Workspace;

const SAMPLE: &str = "docs/samples/crear_reserva.json";

pub fn demo(workspace: &Workspace, args: Args) -> Result<()> {
    let target = up(workspace, args)?;
    let api = target.get("AEROALPES_API_URL")?.to_owned();
    let body =
        fs::read_to_string(workspace.path(SAMPLE)).explain(format!("Cannot read {SAMPLE}"))?;

    let id = step("book the sample reservation: POST /vuelos/reserva", || {
        let answer = request("POST", &format!("{api}/vuelos/reserva"), Some(&body))?;
        println!("{} {}", answer.status, pretty(&answer.body));
        let reply: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match reply.get("id_reserva").and_then(Value::as_str) {
            Some(id) if answer.status == 202 => Ok(id.to_owned()),
            _ => fail(
                "The API did not accept the reservation; its answer is above. See: cargo xtask logs",
            ),
        }
    })?;

    step("the event, as stored in Kinesis", || {
        ops(
            workspace,
            &target,
            "tail",
            &["--from-start", "--limit", "1", "--subject", &id],
        )
    })?;

    let path = format!("/vuelos/reserva/{id}");
    step(
        &format!("the view, once the projector has seen the event: GET {path}"),
        || {
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                let answer = request("GET", &format!("{api}{path}"), None)?;
                let row: Value = serde_json::from_str(&answer.body).unwrap_or_default();
                // Until then the stream itself answers, and says so.
                if answer.status == 200
                    && row.get("origen").and_then(Value::as_str) != Some("comando")
                {
                    println!("{}", pretty(&answer.body));
                    return Ok(());
                }
                if Instant::now() > deadline {
                    return fail(format!(
                        "The view did not show the reservation within 20 s; the last answer was {} {}. See: cargo xtask \
                     logs projector",
                        answer.status, answer.body
                    ));
                }
                sleep(Duration::from_millis(50));
            }
        },
    )?;

    println!("\nIt goes on running at {api}\n");
    println!("  curl {api}/vuelos/reserva/{id}");
    println!("  curl {api}/vuelos/reserva/{id}/eventos");
    println!("  cargo xtask tail            the log, live");
    println!("  cargo xtask logs            what the functions said");
    println!("  cargo xtask verify          streams against the log");
    println!("  cargo xtask down            stop it");
    note("cargo xtask help lists the rest");
    Ok(())
}
