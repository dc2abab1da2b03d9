//! The trace of a run: a line for each event of the run.

/// The lines of a run, or only their digest.
#[derive(Clone, Debug)]
pub struct Trace {
    digest: u64,
    lines: u64,
    kept: Option<String>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            digest: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            kept: None,
        }
    }
}

impl Trace {
    /// A trace that keeps its lines. [`Trace::default`] keeps only the digest, which costs less.
    #[must_use]
    pub fn kept() -> Self {
        Self {
            kept: Some(String::new()),
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, line: &str) {
        // The digest is FNV-1a. If the traces of two runs differ in a byte, their digests almost certainly differ.
        self.digest = line.bytes().fold(self.digest, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.lines += 1;
        if let Some(kept) = &mut self.kept {
            kept.push_str(line);
        }
    }

    /// The digest: equal for equal traces, and almost certainly different for different ones.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The number of lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The lines; empty if they were not kept.
    #[must_use]
    pub fn text(&self) -> String {
        self.kept.clone().unwrap_or_default()
    }
}
