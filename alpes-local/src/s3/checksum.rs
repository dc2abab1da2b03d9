//! The checksums by which clients check that S3 has received what they sent.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::errors::invalid_request;
use crate::error::AwsError;

/// An algorithm of S3's checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// The algorithm of S3 where the client wants none.
    pub const DEFAULT: Self = Self::Crc64Nvme;

    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that has such a checksum: `x-amz-checksum-crc32`.
    pub fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_lowercase())
    }

    /// The element that has such a checksum: `ChecksumCRC32`.
    pub fn element(self) -> String {
        format!("Checksum{}", self.name())
    }

    /// The algorithm of this name.
    pub fn named(name: &str) -> Result<Self, AwsError> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                invalid_request(
                    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                     [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
                )
            })
    }

    /// True if the checksum of a whole can be that of its bytes even if it was uploaded in parts.
    pub fn is_crc(self) -> bool {
        !matches!(self, Self::Sha1 | Self::Sha256)
    }

    pub fn hasher(self) -> Hasher {
        match self {
            Self::Crc32 => Hasher::Crc32(crc32fast::Hasher::new()),
            Self::Crc32c => Hasher::Crc32c(u32::MAX),
            Self::Crc64Nvme => Hasher::Crc64Nvme(u64::MAX),
            Self::Sha1 => Hasher::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            Self::Sha256 => Hasher::Sha(Context::new(&SHA256)),
        }
    }

    /// The checksum of some bytes, in Base64.
    pub fn of(self, bytes: &[u8]) -> String {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Checks that a client's value can be a checksum at all.
    pub fn check_form(self, value: &str) -> Result<(), AwsError> {
        let length = match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        };
        if BASE64_STANDARD
            .decode(value)
            .is_ok_and(|bytes| bytes.len() == length)
        {
            return Ok(());
        }
        Err(invalid_request(format!(
            "Value for {} header is invalid.",
            self.header()
        )))
    }
}

/// A checksum of a stored object or part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checksum {
    pub algorithm: Algorithm,
    /// In Base64. The checksum of parts' checksums ends with `-` and the number of parts.
    pub value: String,
}

impl Checksum {
    /// The kind: of the bytes, or of the parts' checksums.
    pub fn kind(&self) -> &'static str {
        if self.value.contains('-') {
            COMPOSITE
        } else {
            FULL_OBJECT
        }
    }
}

pub(super) const COMPOSITE: &str = "COMPOSITE";
pub(super) const FULL_OBJECT: &str = "FULL_OBJECT";

/// Computes a checksum piece by piece.
pub(super) enum Hasher {
    Crc32(crc32fast::Hasher),
    Crc32c(u32),
    Crc64Nvme(u64),
    Sha(Context),
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(state) => {
                for byte in bytes {
                    let [low, ..] = state.to_le_bytes();
                    *state = (*state >> 8) ^ lookup(&CRC32C, low ^ byte);
                }
            }
            Self::Crc64Nvme(state) => {
                for byte in bytes {
                    let [low, ..] = state.to_le_bytes();
                    *state = (*state >> 8) ^ lookup(&CRC64_NVME, low ^ byte);
                }
            }
            Self::Sha(context) => context.update(bytes),
        }
    }

    pub fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => BASE64_STANDARD.encode(hasher.finalize().to_be_bytes()),
            Self::Crc32c(state) => BASE64_STANDARD.encode((!state).to_be_bytes()),
            Self::Crc64Nvme(state) => BASE64_STANDARD.encode((!state).to_be_bytes()),
            Self::Sha(context) => BASE64_STANDARD.encode(context.finish()),
        }
    }
}

fn lookup<T: Copy + Default>(table: &[T; 256], index: u8) -> T {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

static CRC32C: [u32; 256] = crc32c_table();
static CRC64_NVME: [u64; 256] = crc64_nvme_table();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a table of 256 entries, at compile time"
)]
const fn crc32c_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = remainder(index as u64, 0x82f6_3b78) as u32;
        index += 1;
    }
    table
}

#[expect(
    clippy::indexing_slicing,
    reason = "a table of 256 entries, at compile time"
)]
const fn crc64_nvme_table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = remainder(index as u64, 0x9a6c_9329_ac4b_c9b5);
        index += 1;
    }
    table
}

/// The remainder of a byte by a reflected polynomial.
const fn remainder(byte: u64, polynomial: u64) -> u64 {
    let mut state = byte;
    let mut bit = 0;
    while bit < 8 {
        state = if state & 1 == 1 {
            (state >> 1) ^ polynomial
        } else {
            state >> 1
        };
        bit += 1;
    }
    state
}
