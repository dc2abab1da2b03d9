//! The shop under faults: the saga kit plans one fault at a time, and the simulation draws faults from a seed.

#![cfg(test)]

mod check;
mod decisions;
mod kit;
mod planted;
mod provider;
mod seeds;
mod size;
mod world;
