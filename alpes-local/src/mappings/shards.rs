//! The order of a stream's shards: which of them may be read, and by which split or merge they were opened.

use std::collections::BTreeSet;

use source_mapping::{Input, ShardId};

use super::sources::ShardInfo;

/// How a shard was opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Family {
    /// Without a parent that the stream still has.
    Root,
    /// By a split or a merge.
    Child {
        parents: Vec<ShardId>,
        reshard: Input,
    },
}

impl Family {
    pub(super) fn of(shard: &ShardInfo, shards: &[ShardInfo]) -> Self {
        let reshard = match shard.parents.as_slice() {
            [one, other] => Some(Input::Merged {
                parents: [one.clone(), other.clone()],
                child: shard.id.clone(),
            }),
            [parent] => split(parent, shards),
            _ => None,
        };
        match reshard {
            None => Self::Root,
            Some(reshard) => Self::Child {
                parents: shard.parents.clone(),
                reshard,
            },
        }
    }
}

/// The split of a shard, if the stream still has both children.
fn split(parent: &ShardId, shards: &[ShardInfo]) -> Option<Input> {
    let is_child = |shard: &&ShardInfo| shard.parents.as_slice() == std::slice::from_ref(parent);
    let children = shards.iter().filter(is_child).map(|shard| shard.id.clone());
    let children: Vec<_> = children.collect();
    let children = children.try_into().ok()?;
    Some(Input::Split {
        parent: parent.clone(),
        children,
    })
}

/// The shards whose parents are all finished, or gone from the stream.
pub(super) fn ready<'a>(
    shards: &'a [ShardInfo],
    finished: &'a BTreeSet<ShardId>,
) -> impl Iterator<Item = &'a ShardInfo> {
    let there: BTreeSet<_> = shards.iter().map(|shard| &shard.id).collect();
    shards.iter().filter(move |shard| {
        let done = |parent: &ShardId| finished.contains(parent) || !there.contains(parent);
        shard.parents.iter().all(done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str]) -> ShardInfo {
        ShardInfo {
            id: id.into(),
            parents: parents
                .iter()
                .map(|parent| ShardId::from(*parent))
                .collect(),
            closed: false,
        }
    }

    fn ready_names(shards: &[ShardInfo], finished: &[&str]) -> Vec<String> {
        let finished = finished.iter().map(|id| ShardId::from(*id)).collect();
        ready(shards, &finished)
            .map(|shard| shard.id.to_string())
            .collect()
    }

    #[test]
    fn children_wait_for_all_parents_that_there_still_are() {
        let shards = [
            shard("b", &["gone"]),
            shard("c", &[]),
            shard("d", &["b", "c"]),
            shard("e", &["d"]),
        ];
        assert_eq!(ready_names(&shards, &[]), ["b", "c"]);
        assert_eq!(ready_names(&shards, &["b"]), ["b", "c"]);
        assert_eq!(ready_names(&shards, &["b", "c"]), ["b", "c", "d"]);
        assert_eq!(ready_names(&shards, &["b", "c", "d"]), ["b", "c", "d", "e"]);
    }

    #[test]
    fn splits_and_merges_are_told_apart() {
        let shards = [
            shard("l", &["p"]),
            shard("r", &["p"]),
            shard("m", &["l", "r"]),
        ];
        let id = ShardId::from;
        let Family::Child { reshard, .. } = Family::of(&shards[1], &shards) else {
            panic!("a child");
        };
        let children = [id("l"), id("r")];
        assert_eq!(
            reshard,
            Input::Split {
                parent: id("p"),
                children
            }
        );
        let merged = Input::Merged {
            parents: [id("l"), id("r")],
            child: id("m"),
        };
        let parents = vec![id("l"), id("r")];
        assert_eq!(
            Family::of(&shards[2], &shards),
            Family::Child {
                parents,
                reshard: merged
            }
        );
        assert_eq!(
            Family::of(&shards[0], &shards[..1]),
            Family::Root,
            "its sibling is gone"
        );
    }
}
