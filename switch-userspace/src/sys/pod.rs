//! Bytes from the kernel as ABI values.

use aya::Pod;

/// The value that `bytes` begin with; `None` where there are too few.
#[must_use]
pub fn read<T: Pod>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: enough bytes, and every bit pattern of a `Pod` is valid; the read does not need alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}
