//! How the API of a local runtime knows its callers.

use std::path::Path;

use crate::failure::Result;
use crate::package::{OPS, program};
use crate::shell::{capture, command};
use crate::workspace::Workspace;

/// The issuer of a run's own tokens. No server has a name in `.invalid` (RFC 2606), and none is asked.
const ISSUER: &str = "https://alpes.invalid/run";
const AUDIENCE: &str = "aeroalpes";

/// The template's parameters for this access. With `jwt`, `ops` makes the key pair of the run whose folder this is, and
/// the template gets the public key.
pub fn parameters(workspace: &Workspace, access: &str, folder: &Path) -> Result<Vec<String>> {
    let access_is = format!("Acceso={access}");
    if access != "jwt" {
        return Ok(vec![access_is]);
    }
    let mut ops = command(program(workspace, OPS, &[])?, &["token", "--keys"]);
    let keys = capture(ops.env("ALPES_RUN", folder))?;
    Ok(vec![
        access_is,
        format!("Emisor={ISSUER}"),
        format!("Audiencia={AUDIENCE}"),
        format!("Llaves={}", keys.trim()),
    ])
}
