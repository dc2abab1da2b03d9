//! The program behind `cargo xtask`. It prints help and usage errors at once, and replaces itself by `xtask` for all
//! other commands.

use std::{
    env,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use command_line::{eprintln, read, root};

fn main() -> ExitCode {
    let words: Vec<String> = env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match read(words.iter().cloned()) {
        Ok(_) => hand_on(&words),
        Err(code) => code,
    }
}

/// Replaces this process by `xtask`. Cargo shows its progress only the first time, when compiling takes a while.
fn hand_on(words: &[String]) -> ExitCode {
    let Some(root) = root() else {
        eprintln!(
            "error: this is no checkout of AeroAlpes: there is no infra/template.yaml above this package."
        );
        return ExitCode::FAILURE;
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut xtask = Command::new(cargo);
    xtask.arg("run");
    let built = env::current_exe().is_ok_and(|own| own.with_file_name("xtask").is_file());
    if built {
        xtask.arg("--quiet");
    }
    xtask.arg("--manifest-path").arg(root.join("Cargo.toml"));
    xtask.args(["--package", "xtask", "--"]).args(words);
    let failed = xtask.exec();
    eprintln!("error: cargo could not be started: {failed}");
    ExitCode::FAILURE
}
