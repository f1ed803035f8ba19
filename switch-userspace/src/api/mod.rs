//! The API: HTTP and JSON over a unix socket. The command line and every other client speak it and nothing else.

pub mod client;
pub mod routes;
pub mod server;
pub mod types;
