//! Who a port may speak for: its own MAC and addresses, and pairs that somebody allowed.

use crate::{
    abi::{
        addr::{MacAddr, PortId},
        host::HostAddress,
        port::{PortConfig, PortFlags},
        source::{SourceKey, SourceScope},
    },
    stage::{env::Tables, gateway},
    wire::{ipv4, ipv6},
};

/// A frame's source MAC at a port.
pub(super) struct Source<'t, T> {
    /// The source MAC.
    pub(super) mac: MacAddr,
    /// The ingress port.
    pub(super) id: PortId,
    /// The ingress port's record.
    pub(super) port: &'t PortConfig,
    /// Where addresses and allowed pairs are.
    pub(super) tables: &'t T,
}

impl<T: Tables> Source<'_, T> {
    /// Whether the port may use the MAC.
    #[inline(always)]
    pub(super) fn may_use_mac(&self) -> bool {
        self.mac == self.port.mac() || self.scope().is_some()
    }

    /// Whether the port may be a multicast router's.
    #[inline(always)]
    pub(super) fn may_ask_for_members(&self) -> bool {
        self.port.flags().has(PortFlags::MCAST_ROUTER)
    }

    /// Whether the MAC may use an IPv4 address.
    #[inline(always)]
    pub(super) fn may_use_ipv4(&self, ip: [u8; 4]) -> bool {
        let own = || self.own().is_some_and(|own| own.ipv4() == ip && ip != ipv4::UNSPECIFIED);
        own()
            || gateway::may_use(self.mac, HostAddress::ipv4(ip), self.port, self.tables)
            || self.is_listed(SourceKey::ipv4(self.port.slot(), self.mac, ip))
    }

    /// Whether the MAC may use an IPv6 address. The link-local one that a MAC makes (RFC 4291, appendix A) is always its own.
    #[inline(always)]
    pub(super) fn may_use_ipv6(&self, ip: [u8; 16]) -> bool {
        let own = || self.own().is_some_and(|own| own.ipv6() == ip && ip != ipv6::UNSPECIFIED);
        own()
            || ip == ipv6::link_local(self.mac)
            || gateway::may_use(self.mac, HostAddress::ipv6(ip), self.port, self.tables)
            || self.is_listed(SourceKey::ipv6(self.port.slot(), self.mac, ip))
    }

    /// The port's record, where the MAC is its own. It is looked up again: addresses that were carried along from the first
    /// lookup would fill the kernel programs' stack.
    #[inline(always)]
    fn own(&self) -> Option<PortConfig> {
        if self.mac == self.port.mac() { self.tables.port(self.id) } else { None }
    }

    #[inline(always)]
    fn is_listed(&self, key: SourceKey) -> bool {
        self.port.flags().has(PortFlags::MORE_SOURCES)
            && (self.scope() == Some(SourceScope::AnyAddress) || self.tables.source(key).is_some())
    }

    #[inline(always)]
    fn scope(&self) -> Option<SourceScope> {
        if self.port.flags().has(PortFlags::MORE_SOURCES) {
            self.tables.source(SourceKey::mac(self.port.slot(), self.mac))
        } else {
            None
        }
    }
}
