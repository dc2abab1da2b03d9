//! `reacciones`: what the contexts put off, and deadlines.
//!
//! Where nobody coordinates, a context notes with a time what it could not do at once. It does it itself; this finds it.

use events::Context;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use lambda_kit::{
    metrics::Unit,
    participant::{Resume, Resumed},
};
use participant::ReactionKey;
use reserva_saga::function_of;

use crate::{App, Done, TaskFailed};

/// Reactions of one call: as many as a participant does side by side, so that it answers soon.
const AT_A_CALL: usize = 16;
/// Calls at a time.
const CALLS: usize = 4;

impl App {
    pub(crate) async fn reacciones(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let start = self.world.clock.now();
        let due = self.reactions.due(self.limits.reactions).await;
        let due = due.map_err(TaskFailed::because)?;
        let calls = calls(&due.reactions);
        let calls = stream::iter(calls).map(|(context, keys)| self.resume(context, keys, until));
        let resumed: Vec<Resumed> = calls.buffer_unordered(CALLS).collect().await;
        let age = due
            .oldest
            .map_or(0, |oldest| start.duration_since(oldest).as_secs());
        let encontradas = due.reactions.len();
        self.metrics.emit(
            self.world.clock.now(),
            &[
                (
                    "ReactionsWaiting",
                    Unit::Count,
                    u64::try_from(encontradas).unwrap_or(u64::MAX),
                ),
                (
                    "ReactionLate",
                    Unit::Seconds,
                    u64::try_from(age).unwrap_or(0),
                ),
            ],
        );
        let hechas = resumed.iter().map(|resumed| resumed.hechas).sum();
        let aplazadas = resumed.iter().map(|resumed| resumed.aplazadas).sum();
        let fallidas = encontradas.saturating_sub(hechas + aplazadas);
        tracing::info!(
            encontradas,
            hechas,
            aplazadas,
            fallidas,
            "reactions resumed"
        );
        Ok(Done::Reacciones {
            encontradas,
            hechas,
            aplazadas,
            fallidas,
            mas_antigua: due.oldest.map(|oldest| oldest.to_string()),
        })
    }

    /// Has a context do what it put off; what came of it, nothing if it does not answer.
    async fn resume(
        &self,
        context: Context,
        reacciones: Vec<ReactionKey>,
        until: Timestamp,
    ) -> Resumed {
        const NOTHING: Resumed = Resumed {
            hechas: 0,
            aplazadas: 0,
        };
        if self.world.clock.now() >= until {
            return NOTHING;
        }
        let called = async {
            let payload = serde_json::to_vec(&Resume { reacciones });
            let payload = payload.map_err(|error| error.to_string())?;
            let called = self.functions.call(function_of(context), &payload).await;
            let answer = called.map_err(|error| error.to_string())?;
            serde_json::from_slice(&answer).map_err(|error| error.to_string())
        };
        called.await.unwrap_or_else(|error| {
            let contexto = context.name();
            tracing::error!(contexto, error, "what was put off was not resumed");
            NOTHING
        })
    }
}

/// The calls that these make: each of one context, those that wait longest first.
fn calls(due: &[ReactionKey]) -> Vec<(Context, Vec<ReactionKey>)> {
    let of_context = |context| {
        let its = due.iter().filter(move |key| key.context() == Some(context));
        let its: Vec<_> = its.cloned().collect();
        its.chunks(AT_A_CALL)
            .map(|keys| (context, keys.to_vec()))
            .collect::<Vec<_>>()
    };
    Context::ALL.into_iter().flat_map(of_context).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_context_is_called_for_what_is_its_own() {
        let key = |place: usize| ReactionKey {
            pk: format!("{}-{place}", ["gds", "pagos", "nadie"][place % 3]),
            sk: String::new(),
        };
        let due: Vec<_> = (0..60).map(key).collect();
        let calls = calls(&due);
        let told: Vec<_> = calls.iter().map(|(of, keys)| (*of, keys.len())).collect();
        let (pagos, gds) = (Context::Pagos, Context::Gds);
        assert_eq!(told, [(pagos, 16), (pagos, 4), (gds, 16), (gds, 4)]);
        for (context, keys) in calls {
            let mut of = keys.iter().map(ReactionKey::context);
            assert!(of.all(|of| of == Some(context)));
            assert!(keys.is_sorted_by_key(|key| due.iter().position(|known| known == key)));
        }
    }
}
