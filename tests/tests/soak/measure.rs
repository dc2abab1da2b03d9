//! The measurements of each step, and the rule by which they have grown.

use std::{collections::BTreeMap, env, fmt, fs, path::Path, time::Duration};

use e2e::Api;

/// Memory or time may differ by this factor between a warm runtime and the end. Machines are noisy, and a leak grows on.
const NOISE: f64 = 1.25;
/// Memory below this many MB does not count as growth: a process of a few MB differs by one or two for no reason.
const LITTLE_MB: f64 = 8.0;
/// Latency below this many ms does not count as growth.
const LITTLE_MS: f64 = 25.0;

/// The state of the runtime at one time.
pub struct Measured {
    /// Resident memory, in MB.
    runtime: f64,
    /// The processes of each function, with the resident memory of each, in MB.
    functions: BTreeMap<String, Vec<f64>>,
    /// The size of the runtime's data on disk, in MB.
    disk: f64,
}

/// A step of the plot.
#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Duration,
    pub requests: usize,
    pub p50: f64,
    pub p99: f64,
    pub runtime: f64,
    /// For each function the number of its processes, and the median of their memory in MB.
    pub functions: BTreeMap<String, (usize, f64)>,
    pub disk: f64,
}

impl Measured {
    pub fn of(api: &Api) -> Self {
        let run = env::var("ALPES_RUN").expect("ALPES_RUN: the folder of a local runtime");
        let run = Path::new(&run);
        let pid = fs::read_to_string(run.join("pid")).expect("the pid of the runtime");
        let mut functions: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for sandbox in api.get("/_alpes/sandboxes").expect(200).as_array().unwrap() {
            let (name, pid) = (sandbox["function"].as_str(), sandbox["pid"].as_u64());
            // A process may have ended since.
            if let Some((name, memory)) = name.zip(pid.and_then(|pid| resident(&pid.to_string()))) {
                functions.entry(name.to_owned()).or_default().push(memory);
            }
        }
        Self {
            runtime: resident(pid.trim()).expect("the memory of the runtime"),
            functions,
            disk: megabytes(size(&run.join("data"))),
        }
    }

    pub fn sample(self, at: Duration, latencies: &[Duration]) -> Sample {
        let latencies: Vec<_> = latencies
            .iter()
            .map(|one| one.as_secs_f64() * 1e3)
            .collect();
        let functions = self.functions.into_iter();
        let functions = functions.map(|(name, all)| (name, (all.len(), quantile(&all, 0.5))));
        Sample {
            at,
            requests: latencies.len(),
            p50: quantile(&latencies, 0.5),
            p99: quantile(&latencies, 0.99),
            runtime: self.runtime,
            functions: functions.collect(),
            disk: self.disk,
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processes: usize = self.functions.values().map(|(count, _)| count).sum();
        write!(
            formatter,
            "{:>5} s: {} requests, p50 {:.0} ms, p99 {:.0} ms, runtime {:.0} MB, {processes} processes, {:.0} MB on disk",
            self.at.as_secs(),
            self.requests,
            self.p50,
            self.p99,
            self.runtime,
            self.disk
        )
    }
}

/// Sentences on all that has grown between the first samples after `warm` and the last ones. Data on disk must grow, so
/// there the growth itself must not.
pub fn grown(samples: &[Sample], warm: Duration) -> Vec<String> {
    let samples: Vec<_> = samples.iter().filter(|one| one.at >= warm).collect();
    let part = samples.len() / 4;
    let (early, late) = (&samples[..part], &samples[samples.len() - part..]);
    let mut grown = vec![];
    let mut compare = |what: &str, little: f64, of: &dyn Fn(&Sample) -> Option<f64>| {
        let median = |samples: &[&Sample]| {
            let values: Vec<_> = samples.iter().filter_map(|one| of(one)).collect();
            quantile(&values, 0.5)
        };
        let (before, after) = (median(early), median(late));
        if after > before * NOISE && after - before > little {
            grown.push(format!("{what}: from {before:.1} to {after:.1}"));
        }
    };
    compare("memory of the runtime, MB", LITTLE_MB, &|one| {
        Some(one.runtime)
    });
    compare("p50, ms", LITTLE_MS, &|one| Some(one.p50));
    compare("p99, ms", LITTLE_MS, &|one| Some(one.p99));
    let names = samples.iter().flat_map(|one| one.functions.keys());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let what = format!("memory of {name}, MB");
        compare(&what, LITTLE_MB, &|one| Some(one.functions.get(name)?.1));
    }
    let rate = |samples: &[&Sample]| match (samples.first(), samples.last()) {
        (Some(first), Some(last)) if last.at > first.at => {
            (last.disk - first.disk) / last.at.saturating_sub(first.at).as_secs_f64()
        }
        _ => 0.0,
    };
    let half = samples.len() / 2;
    let (before, after) = (rate(&samples[..half]), rate(&samples[half..]));
    if after > before * NOISE {
        grown.push(format!(
            "growth on disk, MB a second: from {before:.2} to {after:.2}"
        ));
    }
    grown
}

fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let place = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(place).copied().unwrap_or_default()
}

/// The resident memory of a process, in MB.
fn resident(pid: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(megabytes(kilobytes * 1024))
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes of this machine")]
    let bytes = bytes as f64;
    bytes / 1e6
}

/// The size of all files below a folder.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries.filter_map(Result::ok);
    // A file may be gone since.
    let sizes = entries.filter_map(|entry| {
        let kind = entry.metadata().ok()?;
        Some(if kind.is_dir() {
            size(&entry.path())
        } else {
            kind.len()
        })
    });
    sizes.sum()
}

fn steady(seconds: u64) -> Sample {
    #[expect(clippy::cast_precision_loss)]
    let disk = seconds as f64;
    Sample {
        at: Duration::from_secs(seconds),
        requests: 300,
        p50: 10.0,
        p99: 30.0,
        runtime: 80.0,
        functions: [("projector".to_owned(), (2, 20.0))].into(),
        disk,
    }
}

#[test]
fn only_what_grows_after_the_warm_up_is_told() {
    let warm = Duration::from_mins(5);
    let hour = || (0..240).map(|step| steady(step * 15));
    assert_eq!(
        grown(&hour().collect::<Vec<_>>(), warm),
        Vec::<String>::new()
    );

    let mut before = hour().collect::<Vec<_>>();
    before[..20].iter_mut().for_each(|one| one.runtime = 10.0);
    assert!(grown(&before, warm).is_empty(), "growth until it is warm");

    let leaks: [fn(&mut Sample, f64); 4] = [
        |one, by| one.runtime += by,
        |one, by| one.p99 += by,
        |one, by| one.functions.get_mut("projector").unwrap().1 += by,
        |one, by| one.disk += by * by / 10.0,
    ];
    for leak in leaks {
        let mut samples = hour().collect::<Vec<_>>();
        for (sample, by) in samples.iter_mut().zip(0..) {
            leak(sample, f64::from(by));
        }
        assert_eq!(grown(&samples, warm).len(), 1);
    }
}
