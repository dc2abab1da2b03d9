//! The command `token`: signs tokens of a local run, with the run's own key.

use std::{
    env,
    error::Error,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alpes_tokens::Signer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use command_line::Words;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Outcome;

/// The private key's file, in the run's folder.
const FILE: &str = "token-key.p8";
/// The id of the run's only key.
const KID: &str = "run";
/// How long a token is valid, in minutes.
const MINUTES: u64 = 60;

pub(crate) fn run(words: &Words) -> Outcome {
    let folder = PathBuf::from(variable("ALPES_RUN")?);
    if words.flag("--keys") {
        println!("{}", signer(&folder)?.key_set()?);
        return Ok(true);
    }
    let claims = claims(words)?;
    if !folder.join(FILE).exists() {
        return Err("this run has no key of its own: its tokens come from another issuer".into());
    }
    println!("{}", signer(&folder)?.sign(&claims)?);
    Ok(true)
}

/// Checks that the words name one caller whom the API accepts, unless they ask for the keys.
pub(crate) fn check(words: &Words) -> Result<(), String> {
    match (words.value("--cliente"), words.value("--operador")) {
        (Some(id), _) if !events::vuelos::is_client(id) => Err(format!(
            "--cliente takes 1 to 64 letters, digits, '.', '_' or '-', not '{id}'."
        )),
        (_, Some(name)) if !api::is_name(name) => Err(format!(
            "--operador takes 1 to {} visible characters of ASCII, not '{name}'.",
            api::MAX_NAME
        )),
        (None, None) if !words.flag("--keys") => {
            Err("Whose token? Give --cliente ID or --operador NAME.".to_owned())
        }
        _ => Ok(()),
    }
}

fn claims(words: &Words) -> Result<Value, Box<dyn Error>> {
    let (subject, scope) = match words.value("--operador") {
        Some(name) => (name, variable("ALPES_ALCANCE_OPERADOR")?),
        None => (words.value("--cliente").unwrap_or_default(), String::new()),
    };
    let now = Timestamp::now().as_second();
    let minutes = i64::try_from(words.number("--minutes").unwrap_or(MINUTES))?;
    Ok(json!({
        "iss": variable("ALPES_EMISOR")?,
        "aud": variable("ALPES_AUDIENCIA")?,
        "sub": subject,
        "scope": scope,
        "iat": now,
        "exp": now.saturating_add(minutes.saturating_mul(60)),
    }))
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|_| {
        let up = "cargo xtask up --access jwt";
        format!("{name} is not set: the API of this runtime takes no tokens. See: {up}").into()
    })
}

/// The run's signer, whose key is made at the first use.
fn signer(folder: &Path) -> Result<Signer, Box<dyn Error>> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(key) => return Ok(Signer::new(KID, &key)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
    }
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let key = pair.to_pkcs8v1()?;
    fs::create_dir_all(folder)?;
    // Only this user can read the file, from its first byte on.
    let mut file = OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(key.as_ref())?;
    Ok(Signer::new(KID, key.as_ref()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_run_has_one_key_that_only_its_user_can_read() {
        let folder = env::temp_dir().join(format!("alpes-token-{}", std::process::id()));
        let first = signer(&folder).unwrap().key_set().unwrap();
        assert_eq!(signer(&folder).unwrap().key_set().unwrap(), first);
        assert_eq!(first["keys"][0]["kty"], "EC");
        assert!(
            first["keys"][0].get("d").is_none(),
            "no private part is told"
        );
        let mode = fs::metadata(folder.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
