//! Frames, namespaces, switches under test, and the census of what they leave behind.

pub mod census;
mod modes;
pub mod netns;
pub mod packet;
pub mod scenario;
pub mod segment;
pub mod sys;
pub mod topology;
pub mod wye;
