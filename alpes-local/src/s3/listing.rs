//! Lists of objects.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::Connection;

use super::{
    S3,
    answers::{OWNER, document, element, iso_date},
    errors::invalid_argument,
    table::{self, Object},
};
use crate::{
    error::AwsError,
    http::{Request, Response},
};

/// The most entries of one answer.
const PAGE: usize = 1_000;
/// The characters that S3 encodes in keys if a client asks for it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'*')
    .remove(b'/');

/// The parameters of a listing.
struct Wish {
    prefix: String,
    delimiter: String,
    most: usize,
    /// The list begins after this key or common prefix.
    after: String,
    /// If `after` is inside of a common prefix: true to pass the whole prefix, as the first version of the list does.
    passes_prefix: bool,
    encoded: bool,
}

/// A part of a list.
#[derive(Default)]
struct Page {
    objects: Vec<(String, Object)>,
    common_prefixes: Vec<String>,
    /// The last key or common prefix, if the list goes on.
    next: Option<String>,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The object's key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// When the object was written, in milliseconds since 1970.
    pub modified: u64,
}

impl S3 {
    /// The second version of the list.
    pub(super) fn list_objects_v2(
        &self,
        request: &Request,
        bucket: &str,
    ) -> Result<Response, AwsError> {
        let start_after = request.parameter("start-after").unwrap_or_default();
        let token = request.parameter("continuation-token");
        let after = match &token {
            Some(token) => decoded_token(token)?,
            None => start_after.clone(),
        };
        let wish = Wish::of(request, after, false)?;
        let page = self
            .store
            .read(|connection| page(connection, bucket, &wish))?;
        let owners = request.parameter("fetch-owner").as_deref() == Some("true");
        let mut content = wish.head(bucket, &page);
        let count = page.objects.len() + page.common_prefixes.len();
        content.push_str(&element("KeyCount", &count.to_string()));
        if let Some(token) = &token {
            content.push_str(&element("ContinuationToken", token));
        }
        if let Some(next) = &page.next {
            let next = BASE64_URL_SAFE_NO_PAD.encode(next);
            content.push_str(&element("NextContinuationToken", &next));
        }
        if !start_after.is_empty() {
            content.push_str(&element("StartAfter", &wish.text(&start_after)));
        }
        content.push_str(&wish.entries(&page, owners));
        Ok(document("ListBucketResult", &content))
    }

    /// The first version of the list.
    pub(super) fn list_objects(
        &self,
        request: &Request,
        bucket: &str,
    ) -> Result<Response, AwsError> {
        let marker = request.parameter("marker").unwrap_or_default();
        let wish = Wish::of(request, marker.clone(), true)?;
        let page = self
            .store
            .read(|connection| page(connection, bucket, &wish))?;
        let mut content = wish.head(bucket, &page);
        content.push_str(&element("Marker", &wish.text(&marker)));
        // Without a delimiter, the last key is the next marker, and S3 does not repeat it.
        if let Some(next) = page.next.as_ref().filter(|_| !wish.delimiter.is_empty()) {
            content.push_str(&element("NextMarker", &wish.text(next)));
        }
        content.push_str(&wish.entries(&page, true));
        Ok(document("ListBucketResult", &content))
    }

    /// All objects of a bucket whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`.
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, AwsError> {
        let wish = Wish {
            prefix: prefix.to_owned(),
            delimiter: String::new(),
            most: usize::MAX,
            after: String::new(),
            passes_prefix: false,
            encoded: false,
        };
        let page = self
            .store
            .read(|connection| page(connection, bucket, &wish))?;
        let objects = page.objects.into_iter();
        let listed = objects.map(|(key, object)| Listed {
            key,
            size: object.size,
            modified: object.modified,
        });
        Ok(listed.collect())
    }
}

impl Wish {
    fn of(request: &Request, after: String, passes_prefix: bool) -> Result<Self, AwsError> {
        let encoded = match request.parameter("encoding-type").as_deref() {
            None => false,
            Some("url") => true,
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                return Err(invalid_argument(message, "encoding-type", other));
            }
        };
        let most = match request
            .parameter("max-keys")
            .filter(|most| !most.is_empty())
        {
            None => PAGE,
            Some(most) => most.parse::<u32>().map_or_else(
                |_| {
                    let message = "Argument max-keys must be an integer between 0 and 2147483647";
                    Err(invalid_argument(message, "max-keys", &most))
                },
                |most| Ok(usize::try_from(most).unwrap_or(PAGE).min(PAGE)),
            )?,
        };
        Ok(Self {
            prefix: request.parameter("prefix").unwrap_or_default(),
            delimiter: request.parameter("delimiter").unwrap_or_default(),
            most,
            after,
            passes_prefix,
            encoded,
        })
    }

    /// The common prefix under which a key is listed, if it is not listed itself.
    fn common_prefix(&self, key: &str) -> Option<String> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.strip_prefix(&self.prefix)?;
        let (first, _) = rest.split_once(&self.delimiter)?;
        Some([&self.prefix, first, &self.delimiter].concat())
    }

    /// The first key that may be listed; `None` if no key can be.
    fn first(&self) -> Option<String> {
        let after = match self.common_prefix(&self.after) {
            Some(prefix) if self.passes_prefix || prefix == self.after => after_prefix(&prefix)?,
            _ if self.after.is_empty() => String::new(),
            // No text is between a text and the same text with a NUL.
            _ => format!("{}\0", self.after),
        };
        Some(after.max(self.prefix.clone()))
    }

    fn text(&self, text: &str) -> String {
        if self.encoded {
            utf8_percent_encode(text, ENCODED).to_string()
        } else {
            text.to_owned()
        }
    }

    /// The elements that both versions of the list begin with.
    fn head(&self, bucket: &str, page: &Page) -> String {
        let mut head = element("Name", bucket);
        head.push_str(&element("Prefix", &self.text(&self.prefix)));
        if !self.delimiter.is_empty() {
            head.push_str(&element("Delimiter", &self.text(&self.delimiter)));
        }
        head.push_str(&element("MaxKeys", &self.most.to_string()));
        if self.encoded {
            head.push_str(&element("EncodingType", "url"));
        }
        head.push_str(&element("IsTruncated", &page.next.is_some().to_string()));
        head
    }

    fn entries(&self, page: &Page, owners: bool) -> String {
        let objects = page.objects.iter();
        let objects = objects.map(|(key, object)| self.entry(key, object, owners));
        let prefixes = page.common_prefixes.iter().map(|prefix| {
            let prefix = element("Prefix", &self.text(prefix));
            format!("<CommonPrefixes>{prefix}</CommonPrefixes>")
        });
        objects.chain(prefixes).collect()
    }

    fn entry(&self, key: &str, object: &Object, owners: bool) -> String {
        let mut entry = element("Key", &self.text(key));
        entry.push_str(&element("LastModified", &iso_date(object.modified)));
        entry.push_str(&element("ETag", &format!("\"{}\"", object.etag)));
        if let Some(checksum) = &object.checksum {
            entry.push_str(&element("ChecksumAlgorithm", checksum.algorithm.name()));
            entry.push_str(&element("ChecksumType", checksum.kind()));
        }
        entry.push_str(&element("Size", &object.size.to_string()));
        if owners {
            entry.extend(["<Owner>", &element("ID", OWNER), "</Owner>"]);
        }
        entry.push_str(&element("StorageClass", &object.class));
        format!("<Contents>{entry}</Contents>")
    }
}

fn decoded_token(token: &str) -> Result<String, AwsError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| {
            let message = "The continuation token provided is incorrect";
            invalid_argument(message, "continuation-token", token)
        })
}

/// Collects a page. After the first key of a common prefix, the search goes on behind all keys with this prefix.
fn page(connection: &Connection, bucket: &str, wish: &Wish) -> Result<Page, AwsError> {
    table::bucket(connection, bucket)?;
    let mut page = Page::default();
    let mut from = wish.first().filter(|_| wish.most > 0);
    let (mut count, mut last) = (0, None);
    while let Some(begin) = from.take() {
        table::objects_from(connection, bucket, &begin, |key, object| {
            if !key.starts_with(&wish.prefix) {
                return false;
            }
            if count == wish.most {
                page.next = last.take();
                return false;
            }
            count += 1;
            if let Some(prefix) = wish.common_prefix(&key) {
                last = Some(prefix.clone());
                from = after_prefix(&prefix);
                page.common_prefixes.push(prefix);
                return false;
            }
            last = Some(key.clone());
            page.objects.push((key, object));
            true
        })?;
    }
    Ok(page)
}

/// The first text behind all texts that begin with this prefix; `None` if there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut letters = prefix.chars();
    let last = letters.next_back()?;
    let next = match last {
        '\u{d7ff}' => Some('\u{e000}'),
        _ => char::from_u32(u32::from(last) + 1),
    };
    match next {
        Some(next) => Some(format!("{}{next}", letters.as_str())),
        // No character is behind the last one, so the text before it decides.
        None => after_prefix(letters.as_str()),
    }
}
