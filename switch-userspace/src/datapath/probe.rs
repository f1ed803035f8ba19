//! What this kernel offers to the eBPF datapath, found out by asking it and never by its version.

use aya::{
    maps::MapType,
    programs::{ProgramError, ProgramType, SchedClassifier, TcAttachType},
    sys::{self, BpfHelper},
};

use crate::datapath::DatapathError;

/// An interface that every network namespace has.
const LOOPBACK: &str = "lo";

/// Whether programs can be attached at tcx: what is attached there is asked for.
///
/// # Errors
/// The kernel did not say, as where CAP_NET_ADMIN is missing.
pub fn tcx() -> Result<bool, DatapathError> {
    match SchedClassifier::query_tcx(LOOPBACK, TcAttachType::Ingress) {
        Ok(_) => Ok(true),
        // Kernels that do not know a kind of attachment call its number invalid.
        Err(ProgramError::SyscallError(failed)) if failed.io_error.raw_os_error() == Some(libc::EINVAL) => {
            Ok(false)
        }
        Err(source) => Err(unanswered("tcx", source)),
    }
}

/// Whether programs at tc can hand a frame straight to the far end of a veth pair: a program that does is loaded.
///
/// # Errors
/// The kernel did not say, as where CAP_BPF is missing.
pub fn redirect_peer() -> Result<bool, DatapathError> {
    sys::is_helper_supported(ProgramType::SchedClassifier, BpfHelper::BPF_FUNC_redirect_peer)
        .map_err(|source| unanswered("bpf_redirect_peer", source))
}

/// Whether there are ring buffers: one is made.
///
/// # Errors
/// The kernel did not say, as where CAP_BPF is missing.
pub fn ring_buffer() -> Result<bool, DatapathError> {
    sys::is_map_supported(MapType::RingBuf).map_err(|source| unanswered("ring buffer", source.into()))
}

fn unanswered(probe: &str, source: ProgramError) -> DatapathError {
    DatapathError::Program { program: format!("that asks for {probe}"), source: Box::new(source) }
}
