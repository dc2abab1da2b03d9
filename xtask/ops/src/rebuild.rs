//! `rebuild`: a view is built anew from archive and log, while it serves.

use std::time::Duration;

use lambda_kit::Environment;
use ports::{CallError, Functions};
use projections::REBUILDER;
use serde::Deserialize;
use serde_json::json;

use crate::Outcome;

/// How long one call works: less than a call waits for its answer.
const STRETCH: u64 = 8;

/// Before asking again.
const PAUSE: Duration = Duration::from_secs(2);
/// How often in a row no answer is borne.
const PATIENCE: u32 = 10;

/// What the function answers.
#[derive(Deserialize)]
struct Done {
    vista: String,
    generacion: u32,
    fase: String,
    eventos: u64,
    omitidos: u64,
    hasta: Option<String>,
    esperar_segundos: u64,
    terminada: bool,
}

impl Done {
    fn describe(&self) -> String {
        let Self {
            vista,
            generacion,
            eventos,
            ..
        } = self;
        match self.fase.as_str() {
            "listado" => format!("{vista}.{generacion}: lists the archive"),
            "archivo" | "log" => {
                let source = if self.fase == "log" { "log" } else { "archive" };
                let until = self.hasta.as_deref().unwrap_or("the beginning");
                format!(
                    "{vista}.{generacion}: replays the {source}, {eventos} events, up to {until}"
                )
            }
            "retiro" => format!(
                "{vista}.{generacion} lives, of {eventos} events; the old generation is kept while somebody may read it"
            ),
            "borrado" => format!("{vista}: a generation that nobody reads is deleted"),
            other => other.to_owned(),
        }
    }
}

pub(crate) async fn run(environment: &Environment, view: &str, action: &str) -> Outcome {
    let (functions, tasks) = (environment.functions(), environment.world().tasks);
    let mut action = action;
    let mut said = String::new();
    let mut unanswered = 0;
    loop {
        let order = json!({ "vista": view, "accion": action, "segundos": STRETCH });
        let answer = functions
            .call(REBUILDER, order.to_string().as_bytes())
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(CallError::Failed { error_type, .. }) if error_type == "Overtaken" => {
                // The timers went on with it, or somebody else does.
                tasks.sleep(PAUSE).await;
                action = "seguir";
                continue;
            }
            Err(CallError::Failed { error_type, .. })
                if error_type == "NotRebuilding" && !said.is_empty() =>
            {
                println!("done, by another run");
                return Ok(true);
            }
            Err(CallError::Unavailable(cause)) if unanswered < PATIENCE => {
                eprintln!("no answer, asking again: {cause}");
                unanswered += 1;
                tasks.sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let done: Done = serde_json::from_slice(&answer)?;
        unanswered = 0;
        if done.terminada {
            println!(
                "done: {} events were folded, each as often as it was read",
                done.eventos
            );
            if done.omitidos > 0 {
                println!(
                    "{} records were passed by, that are no events of this build: cargo xtask parked",
                    done.omitidos
                );
            }
            return Ok(true);
        }
        let text = done.describe();
        if text != said {
            println!("{text}");
            said = text;
        }
        tasks
            .sleep(Duration::from_secs(done.esperar_segundos.min(STRETCH)))
            .await;
        action = "seguir";
    }
}
