//! The command `alpes-local`.

fn main() {}
