//! Measures the functions, and the programs with which they are compared, by the plan that `cargo xtask bench` writes.
//! See `docs/benchmarks.md`.

/// The `println!` and `eprintln!` of `command_line` replace those of std, which panic when the reader has closed the pipe.
#[macro_use]
extern crate command_line;

mod calls;
mod commands;
mod endpoint;
mod load;
mod peers;
mod plan;
mod process;
mod replay;
mod report;
mod runtime_api;
mod sagas;
mod starts;
mod stats;

use std::{fs, process::ExitCode, time::Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use endpoint::Endpoint;
use load::{CLIENTS, Shop};
use plan::Plan;
use report::{Machine, Report};
use sagas::{
    calls::{Engine, ORCHESTRATOR},
    load::{Flights, SagaLoad},
    prices::{Durations, costs},
    report::Sagas,
};
use starts::{Start, Warm};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let file = std::env::args().nth(1);
    let plan = Plan::read(&file.context("started by cargo xtask bench, with a plan")?)?;
    let report = measure(&plan)?;
    let json = plan.root.join(".local/bench.json");
    let document = plan.root.join("docs/benchmarks.md");
    fs::write(&json, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("cannot write {}", json.display()))?;
    fs::write(&document, report.document())
        .with_context(|| format!("cannot write {}", document.display()))?;
    println!("{}", report.summary());
    Ok(())
}

fn measure(plan: &Plan) -> Result<Report> {
    let rounds = plan.rounds();
    let machine = Machine::this();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let endpoint = tokio.block_on(Endpoint::prepare(&plan.endpoint))?;
    let (request, sample) = request(plan)?;

    let calls = part("calls", || tokio.block_on(calls::count(&sample)))?;
    let candidates = starts::candidates(plan, &endpoint)?;
    let starts = part("starts", || starts::measure(&candidates, &endpoint, rounds))?;
    let warm = part("warm invocations, in turns with Python", || {
        starts::against_python(&candidates, &endpoint, rounds)
    })?;
    let peers = part("event stores, in turns", || {
        tokio.block_on(peers::compare(&endpoint, &sample, rounds))
    })?;
    let calls_of_saga = part("calls of a saga", || {
        tokio.block_on(sagas::calls::count(&request, Engine::Own))
    })?;
    let calls_of_machine = part("calls of a saga by Step Functions", || {
        tokio.block_on(sagas::calls::count(&request, Engine::StepFunctions))
    })?;
    let engines = part("saga engines, in turns", || {
        tokio.block_on(sagas::engines::compare(&calls_of_saga.facts, rounds))
    })?;
    let shop = Shop {
        api: plan.api.clone(),
        flights: Flights::of(&sample),
    };
    let sagas_load = part("sagas on the local runtime", || {
        let runs = CLIENTS.into_iter().zip(rounds.sagas);
        let runs = runs.flat_map(|(clients, count)| {
            let all = [Engine::Own, Engine::StepFunctions, Engine::Choreography];
            all.map(|engine| (engine, clients, count))
        });
        runs.map(|(engine, clients, count)| sagas::load::run(&shop, engine, clients, count))
            .collect::<Result<Vec<_>>>()
    })?;
    let load = part("the API on the local runtime", || {
        load::run(&shop, rounds.requests)
    })?;
    let replay = part("replays", || {
        tokio.block_on(replay::measure(&sample, rounds))
    })?;
    let durations = durations(&starts, &warm, &sagas_load)?;
    let sagas = Sagas {
        costs: costs(&calls_of_saga, &calls_of_machine, durations),
        calls: calls_of_saga,
        by_machine: calls_of_machine,
        engines,
        load: sagas_load,
    };
    Ok(Report {
        machine,
        peer: plan.peer.clone(),
        quick: plan.quick,
        starts,
        calls,
        peers,
        warm,
        load,
        replay,
        sagas,
    })
}

/// The durations of sagas that run alone in the system.
fn durations(starts: &[Start], warm: &[Warm], sagas: &[SagaLoad]) -> Result<Durations> {
    let alone = sagas.first().context("no sagas were measured")?;
    let idle = starts.iter().find(|start| start.name == ORCHESTRATOR);
    let api = warm.iter().find(|warm| warm.name == starts::PEER_OF_PYTHON);
    Ok(Durations {
        saga: alone.saga,
        idle: idle.context("the orchestrator was not started")?.invocation,
        api: api.context("http-commands was not invoked")?.p50,
    })
}

fn part<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    eprintln!("    {name} …");
    let done = work().with_context(|| format!("measuring {name}"))?;
    eprintln!("    {name}: {:.1} s", start.elapsed().as_secs_f32());
    Ok(done)
}

/// The sample event of `http-commands`, and the body of its request.
fn request(plan: &Plan) -> Result<(String, Value)> {
    let event = &plan.function(starts::PEER_OF_PYTHON)?.event;
    let text =
        fs::read_to_string(event).with_context(|| format!("cannot read {}", event.display()))?;
    let event: Value = serde_json::from_str(&text)?;
    let body = event.get("body").and_then(Value::as_str);
    let body = body.context("the sample event of http-commands has no body")?;
    let sample = serde_json::from_str(body)?;
    Ok((text, sample))
}
