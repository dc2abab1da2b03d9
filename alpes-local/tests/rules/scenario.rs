//! A scenario: what it does shows some rules.

use std::{future::Future, pin::Pin};

use source_mapping::Rule;

use crate::scene::Scene;

type Seen = Pin<Box<dyn Future<Output = String> + Send>>;

/// Shows rules. Panics if one of them does not hold.
pub struct Scenario {
    pub rules: Vec<Rule>,
    show: Box<dyn Fn(Scene) -> Seen + Send + Sync>,
}

impl Scenario {
    pub fn new<F, S>(rules: &[Rule], show: F) -> Self
    where
        F: Fn(Scene) -> S + Send + Sync + 'static,
        S: Future<Output = String> + Send + 'static,
    {
        Self {
            rules: rules.to_vec(),
            show: Box::new(move |scene| Box::pin(show(scene))),
        }
    }

    /// Returns what was seen, in words.
    pub fn show(&self, scene: Scene) -> Seen {
        (self.show)(scene)
    }
}
