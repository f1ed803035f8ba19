//! The `wye` program.

fn main() {}
