//! Making frames: by hand ([`build`]) and by chance ([`generate`]).

pub mod build;
pub mod generate;
