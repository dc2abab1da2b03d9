//! Measures the functions and their peers by the plan that `cargo xtask bench` writes: see `docs/benchmarks.md`.

mod calls;
mod commands;
mod endpoint;
mod load;
mod peers;
mod plan;
mod process;
mod report;
mod runtime_api;
mod starts;
mod stats;

use std::{fs, process::ExitCode, time::Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use endpoint::Endpoint;
use plan::Plan;
use report::{Machine, Report};

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
    let (body, sample) = request(plan)?;

    let calls = part("calls", || tokio.block_on(calls::count(&sample)))?;
    let candidates = starts::candidates(plan, &endpoint)?;
    let starts = part("starts", || starts::measure(&candidates, &endpoint, rounds))?;
    let warm = part("warm invocations, in turns with Python", || {
        starts::against_python(&candidates, &endpoint, rounds)
    })?;
    let peers = part("event stores, in turns", || {
        tokio.block_on(peers::compare(&endpoint, &sample, rounds))
    })?;
    let load = part("the API on the local runtime", || {
        load::run(&plan.api, &body, rounds.requests)
    })?;
    Ok(Report {
        machine,
        emulator: plan.emulator.clone(),
        quick: plan.quick,
        starts,
        calls,
        peers,
        warm,
        load,
    })
}

fn part<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    eprintln!("    {name} …");
    let done = work().with_context(|| format!("measuring {name}"))?;
    eprintln!("    {name}: {:.1} s", start.elapsed().as_secs_f32());
    Ok(done)
}

/// The body of the sample request, as text and as what it says.
fn request(plan: &Plan) -> Result<(String, Value)> {
    let event = &plan.function(starts::PEER_OF_PYTHON)?.event;
    let text =
        fs::read_to_string(event).with_context(|| format!("cannot read {}", event.display()))?;
    let event: Value = serde_json::from_str(&text)?;
    let body = event.get("body").and_then(Value::as_str);
    let body = body.context("the sample event of http-commands has no body")?;
    Ok((body.to_owned(), serde_json::from_str(body)?))
}
