//! Source MAC to FDB: learn, refresh, move.
//!
//! Enforces: the interface's own MAC needs no learning; only learned entries move; a port learns no more MACs than its
//! cap, and a frame from one MAC more is dropped; a locked port learns nothing and lets known MACs send only.

use crate::{
    abi::{
        addr::PortId,
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
    },
    stage::{
        env::{Clock, InsertError, Tables},
        headers::Headers,
    },
    units::Nanos,
    verdict::DropReason,
    wire::vlan::VlanId,
};

/// An entry is refreshed at most this often: precise enough for ageing in seconds, and most frames write nothing.
pub const REFRESH_INTERVAL: Nanos = Nanos(250_000_000);

/// Notes where the source of a frame is.
///
/// # Errors
/// The port holds as many learned MACs as it may, or is locked.
#[inline(always)]
pub fn learn_source<T: Tables, C: Clock>(
    headers: &Headers,
    vlan: VlanId,
    port_id: PortId,
    port: &PortConfig,
    tables: &T,
    clock: &C,
) -> Result<(), DropReason> {
    if headers.src == port.mac() && vlan == port.native_vlan() {
        return Ok(());
    }
    let key = FdbKey::new(port.domain(), headers.src).in_vlan(vlan);
    let is_locked = port.flags().has(PortFlags::LOCKED);
    if !is_locked && !port.flags().has(PortFlags::LEARNING) {
        return Ok(());
    }
    let seen = FdbEntry::new(port_id, FdbKind::Learned, clock.now());
    let known = tables.fdb_lookup(key);
    if is_locked && known.is_none_or(|entry| entry.port() != port_id) {
        return Err(DropReason::Locked);
    }
    match known {
        None => insert(key, seen, port, tables),
        Some(known) if !known.is_learned() => Ok(()),
        Some(known) if known.port() == port_id => {
            if seen.last_seen().since(known.last_seen()) >= REFRESH_INTERVAL {
                tables.fdb_refresh(key, known, seen.last_seen());
            }
            Ok(())
        }
        Some(known) => move_entry(key, known, seen, port, tables),
    }
}

#[inline(always)]
fn insert<T: Tables>(key: FdbKey, seen: FdbEntry, port: &PortConfig, tables: &T) -> Result<(), DropReason> {
    if !tables.claim_learned(port.slot(), port.max_macs()) {
        return Err(DropReason::MacLimit);
    }
    match tables.fdb_insert(key, seen) {
        Ok(()) => {}
        Err(InsertError::Exists) => tables.release_learned(port.slot()),
        Err(InsertError::Full) => {
            tables.release_learned(port.slot());
            tables.count_not_learned(port.slot());
        }
    }
    Ok(())
}

#[inline(always)]
fn move_entry<T: Tables>(
    key: FdbKey,
    known: FdbEntry,
    seen: FdbEntry,
    port: &PortConfig,
    tables: &T,
) -> Result<(), DropReason> {
    if !tables.claim_learned(port.slot(), port.max_macs()) {
        return Err(DropReason::MacLimit);
    }
    if !tables.fdb_move(key, known, seen) {
        tables.release_learned(port.slot());
    } else if let Some(left) = tables.port(known.port()) {
        tables.release_learned(left.slot());
    }
    Ok(())
}
