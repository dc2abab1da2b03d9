//! The views, a file each.

pub mod reservas;
