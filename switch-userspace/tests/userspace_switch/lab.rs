//! A userspace switch with containers at its ports, in namespaces of their own that go when the lab goes.

use std::{
    fs,
    io::Write as _,
    net::IpAddr,
    os::fd::AsFd,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use switch_common::{
    DropReason,
    abi::{
        addr::{DomainId, MacAddr, PortId, Slot},
        domain::DomainFlags,
        fdb::{FdbEntry, FdbKey, FdbKind},
        port::{PortConfig, PortFlags},
    },
    units::Nanos,
};
use switch_userspace::{
    datapath::{Datapath, userspace::UserspaceDatapath},
    netns::{AddressFlags, Family, IfIndex, IfName, LinkSettings, Netlink, Netns, NetnsError, Sysctl},
    sys::{
        packet::{self, Datagram, VNET_HEADER_BYTES},
        packet_ring::{Batch, PacketRing, Slot as RingSlot},
        socket,
    },
};

/// How long something may take that should be there at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

static NEXT: AtomicU32 = AtomicU32::new(1);

/// The domain that containers are in unless a test says otherwise.
pub(crate) const RED: DomainId = DomainId(1);
/// Another domain.
pub(crate) const BLUE: DomainId = DomainId(2);

/// Flags of a port that takes part in everything.
pub(crate) fn ready() -> PortFlags {
    PortFlags::DEFAULT.with(PortFlags::READY, true)
}

/// The switch, and the namespace that plays its host.
pub(crate) struct Lab {
    pub(crate) datapath: Option<UserspaceDatapath>,
    pub(crate) host: Netns,
    pub(crate) instance: String,
    ports: u16,
}

/// A namespace with one interface, `eth0`, at a port of the switch.
pub(crate) struct Container {
    pub(crate) netns: Arc<Netns>,
    pub(crate) interface: u32,
    pub(crate) mac: MacAddr,
    pub(crate) port: PortId,
    pub(crate) slot: Slot,
    /// Number among the ports of the lab; the end of both addresses.
    pub(crate) number: u16,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::of_instance(format!("ustest-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed)))
    }

    /// A switch of the same name as another lab's, at a host of its own.
    pub(crate) fn at_another_host(other: &Self) -> Self {
        Self::of_instance(other.instance.clone())
    }

    fn of_instance(instance: String) -> Self {
        let host = silent_namespace();
        let mut lab = Self { datapath: None, host, instance, ports: 0 };
        lab.start();
        lab
    }

    /// Starts the switch, with the two domains and nothing in them.
    pub(crate) fn start(&mut self) {
        let mut datapath = self
            .host
            .run(|| -> Result<_, NetnsError> { Ok(UserspaceDatapath::open(&self.instance)) })
            .expect("the host's namespace can be entered")
            .expect("the switch starts");
        for domain in [RED, BLUE] {
            datapath.set_domain(domain, Nanos::from_secs(300), DomainFlags::NONE).expect("a domain");
        }
        self.datapath = Some(datapath);
    }

    pub(crate) fn switch(&mut self) -> &mut UserspaceDatapath {
        self.datapath.as_mut().expect("the switch runs")
    }

    /// A container in [`RED`] whose port takes part in everything.
    pub(crate) fn container(&mut self) -> Container {
        self.container_with(RED, 1500, ready())
    }

    pub(crate) fn container_with(&mut self, domain: DomainId, mtu: u32, flags: PortFlags) -> Container {
        let netns = Netns::anonymous().expect("a container");
        let container = self.plug(Arc::new(netns), "eth0", domain, mtu, flags);
        let netlink = Netlink::open_in(&container.netns).expect("netlink");
        for (address, prefix) in [(container.ipv4(), 16), (container.ipv6(), 64)] {
            let flags = AddressFlags { nodad: true, ..AddressFlags::default() };
            let net = IpNet::new(address, prefix).expect("an address");
            netlink.add_address(container.interface.into(), net, flags).expect("an address");
        }
        container
    }

    /// A container without addresses, which says nothing by itself.
    pub(crate) fn silent_container(&mut self) -> Container {
        self.silent_container_with(RED, 1500, ready())
    }

    pub(crate) fn silent_container_with(
        &mut self,
        domain: DomainId,
        mtu: u32,
        flags: PortFlags,
    ) -> Container {
        let netns = silent_namespace();
        self.plug(Arc::new(netns), "eth0", domain, mtu, flags)
    }

    /// Makes an interface called `name` in `netns` and its other end a port.
    pub(crate) fn plug(
        &mut self,
        netns: Arc<Netns>,
        name: &str,
        domain: DomainId,
        mtu: u32,
        flags: PortFlags,
    ) -> Container {
        self.ports += 1;
        let number = self.ports;
        let [high, low] = number.to_be_bytes();
        let mac = MacAddr::new([2, 0, 0x5e, 0x77, high, low]);
        let host_name = name_of(&format!("p{number}"));
        let host = LinkSettings {
            index: Some(IfIndex::from(1000 + u32::from(number))),
            name: Some(host_name),
            mtu: Some(mtu),
            up: Some(true),
            ..LinkSettings::default()
        };
        let peer = LinkSettings {
            name: Some(name_of(name)),
            mac: Some(mac),
            mtu: Some(mtu),
            netns: Some(&netns),
            ..LinkSettings::default()
        };
        let ports = Netlink::open_in(self.switch().port_netns()).expect("netlink");
        ports.create_veth(&host, &peer).expect("a veth pair");
        let inside = Netlink::open_in(&netns).expect("netlink");
        let interface = inside.link_by_name(name).expect("the container's end").index;
        let up = LinkSettings { up: Some(true), ..LinkSettings::default() };
        inside.set_link(interface, &up).expect("the container's end is up");
        let (port, slot) = (PortId(1000 + u32::from(number)), Slot(number));
        let config = PortConfig::new(domain, slot, mac, mtu, 0, flags);
        self.switch().attach_port(port, config).expect("a port");
        let entry = FdbEntry::new(port, FdbKind::Endpoint, Nanos(0));
        self.switch().put_fdb(FdbKey::new(domain, mac), entry).expect("the port's own address");
        Container { netns, interface: interface.into(), mac, port, slot, number }
    }

    /// Waits until a drop was counted as often at a slot, and fails when it was counted more often.
    pub(crate) fn wait_for_drops(&mut self, slot: Slot, reason: DropReason, count: u64) {
        let what = format!("{reason:?} at {slot:?}");
        wait_until(&what, || self.drops(slot, reason) >= count);
        assert_eq!(self.drops(slot, reason), count, "{what}");
    }

    /// How often `reason` was counted at a slot.
    pub(crate) fn drops(&mut self, slot: Slot, reason: DropReason) -> u64 {
        let drops = self.switch().drops(slot).expect("drops");
        drops.into_iter().find(|(counted, _)| *counted == reason).map_or(0, |(_, count)| count)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(datapath) = self.datapath.take()
            && let Err(errors) = Box::new(datapath).purge()
        {
            // A panic here would hide the one that a failing test is unwinding with.
            let _written = writeln!(std::io::stderr(), "the switch left something behind: {errors:?}");
        }
    }
}

impl Container {
    pub(crate) fn ipv4(&self) -> IpAddr {
        let [high, low] = self.number.to_be_bytes();
        [10, 77, high, low].into()
    }

    pub(crate) fn ipv6(&self) -> IpAddr {
        [0xfd77, 0, 0, 0, 0, 0, 0, self.number].into()
    }

    /// Runs a program inside.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.netns
            .run(|| -> Result<_, NetnsError> { Ok(Command::new(program).args(arguments).output()) })
            .expect("the container can be entered")
            .expect("the program starts")
    }

    pub(crate) fn pings(&self, address: &str) -> bool {
        self.run("ping", &["-c", "1", "-W", "2", address]).status.success()
    }

    /// Opens a packet socket inside, to see every frame that comes in.
    pub(crate) fn listen(&self) -> PacketRing {
        listen(&self.netns)
    }

    /// Sends frames out of `eth0` as they are.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) {
        self.send_with_header(frames, [0; VNET_HEADER_BYTES]);
    }

    /// Sends frames with a `struct virtio_net_hdr` before each.
    pub(crate) fn send_with_header(&self, frames: &[Vec<u8>], vnet_header: [u8; VNET_HEADER_BYTES]) {
        let socket = self
            .netns
            .run(|| -> Result<_, NetnsError> { Ok(packet::open().expect("a packet socket")) })
            .expect("the container can be entered");
        for frame in frames {
            let datagram =
                Datagram { interface: self.interface, vnet_header, head: frame, inserted: None, tail: &[] };
            while let Err(error) = packet::send(socket.as_fd(), &[datagram]) {
                // The queue between the two ends of a veth pair is short.
                assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "{error}");
                thread::yield_now();
            }
        }
    }

    /// Frames that came in through `eth0`, as the kernel counts them.
    pub(crate) fn received(&self) -> u64 {
        let table = self
            .netns
            .run(|| -> Result<_, NetnsError> { Ok(fs::read_to_string("/proc/thread-self/net/dev")) })
            .expect("the container can be entered")
            .expect("the kernel's table");
        let line = table.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")).expect("eth0");
        line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a count")
    }
}

/// A namespace whose interfaces say nothing by themselves.
pub(crate) fn silent_namespace() -> Netns {
    let netns = Netns::anonymous().expect("a namespace");
    netns
        .run(|| Sysctl::family(Family::Ipv6, "conf/default/disable_ipv6").set("1"))
        .expect("a namespace without IPv6");
    netns
}

/// Opens a packet socket in `netns`, to see every frame that comes in.
pub(crate) fn listen(netns: &Netns) -> PacketRing {
    netns
        .run(|| -> Result<_, NetnsError> {
            let ring = PacketRing::open(4096, 1 << 24).expect("a ring");
            packet::bind(ring.as_fd(), 0).expect("bound");
            Ok(ring)
        })
        .expect("the namespace can be entered")
}

/// A frame as a container's packet socket saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) interface: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) tag: Option<(u16, u16)>,
    pub(crate) vnet_header: [u8; VNET_HEADER_BYTES],
}

fn read(batch: &Batch<'_>, slot: &RingSlot<'_>) -> Seen {
    let mut bytes = slot.bytes.to_vec();
    if slot.is_queued {
        let mut whole = vec![0; VNET_HEADER_BYTES + slot.length];
        let length = batch.receive_queued(&mut whole).expect("the whole frame");
        assert_eq!(length, whole.len());
        bytes = whole.split_off(VNET_HEADER_BYTES);
    }
    let vnet_header = slot.vnet_header.expect("a header");
    Seen { interface: slot.interface, bytes, tag: slot.tag, vnet_header }
}

/// The frames that `ring` receives until `is_last` says so of one.
pub(crate) fn collect_until(ring: &mut PacketRing, mut is_last: impl FnMut(&Seen) -> bool) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        // One at a time: the others stay for the next call.
        let batch = ring.ready(1);
        for slot in batch.slots() {
            let frame = read(&batch, &slot);
            let last = is_last(&frame);
            seen.push(frame);
            if last {
                return seen;
            }
        }
        let is_idle = batch.is_empty();
        drop(batch);
        if is_idle {
            let ready = socket::wait_readable(ring.as_fd(), Some(PATIENCE))
                .expect("a packet socket can be waited for");
            assert!(ready, "no further frame came after {}", seen.len());
        }
    }
}

/// Waits until `is_done`.
pub(crate) fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::yield_now();
    }
}

fn name_of(name: &str) -> IfName {
    IfName::new(name).expect("a valid name")
}
