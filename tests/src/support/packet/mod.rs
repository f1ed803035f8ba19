//! Frames: made by hand ([`build`]) and by chance ([`generate`]), sent and received ([`socket`]).

pub mod build;
pub mod generate;
pub mod socket;
