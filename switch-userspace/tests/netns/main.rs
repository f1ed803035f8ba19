//! The plumbing against the real kernel. Needs root; every namespace is made by the test, and those with a name lose it with
//! the test, so nothing outlives one, failed or not.

mod addressing;
mod links;
mod monitor;
mod namespaces;
mod support;
mod tap;
mod undoing;
