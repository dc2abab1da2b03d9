//! Measures each function's start time, memory and size, and compares them with plain Python.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    endpoint::{Endpoint, strings},
    plan::{Plan, Rounds},
    process::{Process, Program},
    stats::{Samples, milliseconds},
};

/// The name of the Python handler among the measured programs.
pub const PYTHON: &str = "python";
/// The function that the Python handler is compared with.
pub const PEER_OF_PYTHON: &str = "http-commands";
const PROJECTOR: &str = "projector";

/// The measurements of a program's start. Sizes are in MB of 1,048,576 bytes, times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Start {
    pub name: String,
    pub starts: usize,
    pub median: f64,
    pub p95: f64,
    /// Median processor time until the program asked for its first event. Other load on the machine affects processor
    /// time less than wall time.
    pub cpu: f64,
    /// Median start time with the local runtime as endpoint, which means plain HTTP without TLS.
    pub median_at_endpoint: f64,
    pub resident: f64,
    /// The number of invocations.
    pub invocations: usize,
    /// The median time of an invocation.
    pub invocation: f64,
    pub resident_after: f64,
    /// The size of the binary; `None` for Python, which is not compiled.
    pub binary: Option<f64>,
    pub zip: Option<f64>,
}

/// The measurements of one program's invocations on the local runtime.
#[derive(Debug, Serialize)]
pub struct Warm {
    pub name: String,
    pub invocations: usize,
    pub p50: f64,
    pub p99: f64,
    /// Mean processor time of one invocation, in milliseconds.
    pub cpu: f64,
}

pub struct Candidate {
    program: Program,
    event: Arc<str>,
    sizes: Option<(f64, f64)>,
}

/// The functions and the Python handler.
pub fn candidates(plan: &Plan, endpoint: &Endpoint) -> Result<Vec<Candidate>> {
    let mut environment = plan.environment.clone();
    environment.extend(endpoint.names());
    // As on AWS, there are session credentials and no endpoint variable.
    environment.remove("AWS_ENDPOINT_URL");
    // As in production, there is no table of test faults.
    environment.remove("ALPES_FAULTS_TABLE");
    environment.extend(strings([
        ("AWS_SESSION_TOKEN", "test"),
        ("RUST_LOG", "info"),
    ]));
    let program = |name: &str, command: Vec<_>| Program {
        name: name.to_owned(),
        command,
        environment: environment.clone(),
        scratch: plan.scratch.clone(),
    };
    let mut candidates = vec![];
    for function in &plan.functions {
        candidates.push(Candidate {
            program: program(&function.name, vec![function.binary.clone()]),
            event: read(&function.event)?,
            sizes: Some((megabytes(&function.binary)?, megabytes(&function.zip)?)),
        });
    }
    let runtime = plan.root.join("bench/python/runtime.py");
    candidates.push(Candidate {
        program: program(PYTHON, vec![plan.python.clone(), runtime]),
        event: read(&plan.function(PEER_OF_PYTHON)?.event)?,
        sizes: None,
    });
    Ok(candidates)
}

fn read(file: &Path) -> Result<Arc<str>> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.into())
}

fn megabytes(file: &Path) -> Result<f64> {
    let found = fs::metadata(file).with_context(|| format!("cannot find {}", file.display()))?;
    let kilobytes = u32::try_from(found.len() / 1024)?;
    Ok(f64::from(kilobytes) / 1024.0)
}

#[derive(Default)]
struct Seen {
    times: Samples,
    cpu: Samples,
    at_endpoint: Samples,
    resident: Vec<f64>,
}

/// Starts all programs in turns.
pub fn measure(
    candidates: &[Candidate],
    endpoint: &Endpoint,
    rounds: Rounds,
) -> Result<Vec<Start>> {
    let address = endpoint.address();
    let mut seen: Vec<Seen> = candidates.iter().map(|_| Seen::default()).collect();
    // The first round fills the page cache, and is not counted.
    for round in 0..=rounds.starts {
        for (candidate, seen) in candidates.iter().zip(&mut seen) {
            let process = candidate.program.start()?;
            let at_endpoint = candidate.program.with(&address).start()?;
            if round > 0 {
                seen.times.push(process.to_next);
                seen.cpu.push(process.on_cpu()?);
                seen.resident.push(process.resident()?);
                seen.at_endpoint.push(at_endpoint.to_next);
            }
        }
    }
    // The sample events of queries ask for the data that the projector's events create.
    if let Ok(projector) = find(candidates, PROJECTOR) {
        projector.at(&address)?.invoke(&projector.event)?;
    }
    let mut starts = vec![];
    for (candidate, mut seen) in candidates.iter().zip(seen) {
        let mut process = candidate.at(&address)?;
        let mut invocations = Samples::default();
        for _ in 0..rounds.invocations {
            invocations.push(process.invoke(&candidate.event)?);
        }
        seen.resident.sort_by(f64::total_cmp);
        starts.push(Start {
            name: candidate.program.name.clone(),
            starts: seen.times.count(),
            median: seen.times.median(),
            p95: seen.times.percentile(95),
            cpu: seen.cpu.median(),
            median_at_endpoint: seen.at_endpoint.median(),
            resident: seen
                .resident
                .get(seen.resident.len() / 2)
                .copied()
                .unwrap_or_default(),
            invocations: rounds.invocations,
            invocation: invocations.median(),
            resident_after: process.resident()?,
            binary: candidate.sizes.map(|(binary, _)| binary),
            zip: candidate.sizes.map(|(_, zip)| zip),
        });
    }
    Ok(starts)
}

fn find<'a>(candidates: &'a [Candidate], name: &str) -> Result<&'a Candidate> {
    let mut all = candidates.iter();
    all.find(|candidate| candidate.program.name == name)
        .with_context(|| format!("there is no function {name}"))
}

impl Candidate {
    fn at(&self, address: &BTreeMap<String, String>) -> Result<Process> {
        self.program.with(address).start()
    }
}

/// Invokes the Python handler and `http-commands` in turns, with the same event.
pub fn against_python(
    candidates: &[Candidate],
    endpoint: &Endpoint,
    rounds: Rounds,
) -> Result<Vec<Warm>> {
    let address = endpoint.address();
    let mut contest = vec![];
    for name in [PEER_OF_PYTHON, PYTHON] {
        let candidate = find(candidates, name)?;
        let mut process = candidate.at(&address)?;
        for _ in 0..5 {
            process.invoke(&candidate.event)?;
        }
        let before = process.on_cpu()?;
        contest.push((candidate, process, before, Samples::default()));
    }
    for _ in 0..rounds.turns {
        for (candidate, process, _, samples) in &mut contest {
            for _ in 0..rounds.per_turn {
                samples.push(process.invoke(&candidate.event)?);
            }
        }
    }
    let mut warm = vec![];
    for (candidate, process, before, samples) in contest {
        let spent: Duration = process.on_cpu()?.saturating_sub(before);
        let invocations = u32::try_from(samples.count()).unwrap_or(u32::MAX).max(1);
        warm.push(Warm {
            name: candidate.program.name.clone(),
            invocations: samples.count(),
            p50: samples.median(),
            p99: samples.percentile(99),
            cpu: milliseconds(spent / invocations),
        });
    }
    Ok(warm)
}
