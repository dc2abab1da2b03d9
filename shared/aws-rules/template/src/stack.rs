//! The stack that a template becomes, and the names that AWS would generate in it.

use sha2::{Digest, Sha256, digest::Output};

/// The longest name that every kind of resource allows.
const LONGEST_NAME: usize = 63;
/// The length of the part that makes a generated name unlike all others.
const UNIQUE: usize = 12;
/// A long logical id is shortened to this length.
const LONGEST_ID: usize = 24;

const LETTERS_AND_DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The stack, account and region for which a template is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The name of the stack.
    pub name: String,
    /// The account: twelve digits.
    pub account: String,
    /// The region, for example `us-east-1`.
    pub region: String,
}

impl Stack {
    /// A stack in `us-east-1` and in the account 123456789012, for templates that are read and not deployed.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    /// An ARN in this account and region: `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let (region, account) = (&self.region, &self.account);
        format!("arn:aws:{service}:{region}:{account}:{resource}")
    }

    /// An ARN in this account of a service without regions: `arn:aws:iam::ACCOUNT:RESOURCE`.
    #[must_use]
    pub fn global_arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}::{}:{resource}", self.account)
    }

    /// The name of a resource whose template gives it none. AWS draws a part of such a name at random; here the part
    /// depends on the stack and the logical id, so that the next deployment finds the resource again.
    #[must_use]
    pub fn generated_name(&self, kind: &str, id: &str) -> String {
        match kind {
            "AWS::S3::Bucket" => self.stack_id_unique(id).to_lowercase(),
            "AWS::SSM::Parameter" => format!("CFN-{id}-{}", self.unique(id)),
            "AWS::Serverless::Api" => self.digest_text(id, 10),
            "AWS::KMS::Key" => self.uuid(id),
            _ => self.stack_id_unique(id),
        }
    }

    fn stack_id_unique(&self, id: &str) -> String {
        let room = LONGEST_NAME - UNIQUE - 2;
        let fits = self.name.len() + id.len() <= room;
        let most = if fits { room } else { LONGEST_ID };
        let short: String = id.chars().take(most).collect();
        let left = room.saturating_sub(short.len());
        let stack: String = self.name.chars().take(left).collect();
        format!("{stack}-{short}-{}", self.unique(id))
    }

    fn unique(&self, id: &str) -> String {
        self.digest_text(id, UNIQUE).to_uppercase()
    }

    /// Letters and digits that depend on the stack and the logical id.
    fn digest_text(&self, id: &str, length: usize) -> String {
        let digest = self.digest(id);
        let letter = |byte: &u8| {
            let place = usize::from(*byte) % LETTERS_AND_DIGITS.len();
            LETTERS_AND_DIGITS.get(place).copied().map(char::from)
        };
        digest.iter().take(length).filter_map(letter).collect()
    }

    pub(crate) fn uuid(&self, id: &str) -> String {
        let digest = self.digest(id);
        let half = digest.first_chunk().copied().map(u128::from_be_bytes);
        let hex = format!("{:032x}", half.unwrap_or_default());
        let part = |from, to| hex.get(from..to).unwrap_or_default();
        let (a, b, c) = (part(0, 8), part(8, 12), part(13, 16));
        format!("{a}-{b}-4{c}-8{}-{}", part(17, 20), part(20, 32))
    }

    fn digest(&self, id: &str) -> Output<Sha256> {
        let Self {
            name,
            account,
            region,
        } = self;
        Sha256::digest(format!("{account}/{region}/{name}/{id}"))
    }
}
