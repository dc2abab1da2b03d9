//! The machine of a shard, as it begins.

use source_mapping::{
    Input, Mapping, Millis, Misuse, SequenceNumber, Settings, ShardId, StartingPosition, Step,
};

use super::{shards::Family, unkind::Choosing};
use crate::error::AwsError;

/// Where the reader of a shard begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) shard: ShardId,
    pub(super) family: Family,
    pub(super) begins: Begins,
    /// The last settled record.
    pub(super) after: Option<SequenceNumber>,
}

/// Why a machine begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// The mapping begins to read.
    WithMapping,
    /// The shard was opened after the mapping began.
    AsChild,
    /// Another machine had the shard before.
    Again,
}

impl Start {
    /// A machine that reads this shard, and the first steps of the machine.
    ///
    /// A machine has one shard only, so a mapping whose shards are all busy can still replace the machines one by one,
    /// and its shards work in parallel. A child's machine also has the child's parents, closed and without records,
    /// since the child begins after they are finished.
    pub(super) fn machine(
        &self,
        settings: &Settings,
        now: Millis,
        choosing: &mut Choosing,
    ) -> Result<(Mapping, Vec<Step>), AwsError> {
        let mut settings = settings.clone();
        settings.enabled = true;
        if self.begins == Begins::Again {
            // The starting position was found before. The machine receives no record from before the checkpoint.
            settings.starting_position = StartingPosition::TrimHorizon;
        }
        let mut machine = Mapping::new(settings, now).map_err(AwsError::internal)?;
        let mut inputs = self.opened();
        match self.begins {
            Begins::AsChild => inputs.insert(0, Input::ChangeTakesEffect),
            Begins::WithMapping | Begins::Again => inputs.push(Input::ChangeTakesEffect),
        }
        let steps: Result<_, Misuse> = inputs
            .into_iter()
            .map(|input| machine.step(input, choosing))
            .collect();
        let steps = steps.map_err(AwsError::internal)?;
        Ok((machine, steps))
    }

    fn opened(&self) -> Vec<Input> {
        match &self.family {
            Family::Root => vec![Input::Opened(self.shard.clone())],
            Family::Child { parents, reshard } => {
                let opened = parents.iter().cloned().map(Input::Opened);
                opened.chain([reshard.clone()]).collect()
            }
        }
    }
}
