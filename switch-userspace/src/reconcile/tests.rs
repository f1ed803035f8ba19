use std::time::SystemTime;

use switch_common::{
    abi::{addr::MacAddr, port::PortConfig, port::PortFlags},
    units::Nanos,
};

use super::*;
use crate::{
    datapath::Port,
    model::{
        AttachmentSpec, EndpointNetns, EndpointSpec, HostSide, InstanceName, Labels, LostPort, Namespace,
        NetworkSpec, PortSettings, SetType, StaticEntry, Timestamp, Uplink,
    },
};

const RED: &str = "red";

/// A network `red`, endpoints `a` and `b` on it at ports 1001 and 1002, and all that the kernel has for them.
struct Fixture {
    model: Model,
    actual: Actual,
}

impl Fixture {
    fn new() -> Self {
        let mut fixture = Self { model: Model::default(), actual: Actual::default() };
        let created = Timestamp::new(SystemTime::UNIX_EPOCH);
        fixture.model.add_network(&red(), NetworkSpec::default(), &[], created).expect("red");
        fixture.add("a");
        fixture.add("b");
        fixture
    }

    fn add(&mut self, name: &str) {
        let created = Timestamp::new(SystemTime::UNIX_EPOCH);
        let slot = self.model.free_slot().expect("a slot");
        let netns = EndpointNetns {
            path: format!("/run/netns/{name}").into(),
            owned: true,
            dev: 4,
            ino: slot.0.into(),
        };
        let spec = EndpointSpec { namespace: Namespace::default(), labels: Labels::new(), netns };
        self.model.add_endpoint(&endpoint(name), spec, created).expect("endpoint");
        let ifname = IfName::new(format!("wyep{}", slot.0)).expect("name");
        let host = HostSide { ifname, port: PortId(1000 + u32::from(slot.0)), slot };
        let instance = InstanceName::new("default").expect("name");
        let attachment = self
            .model
            .attach(&instance, &endpoint(name), &red(), AttachmentSpec::default(), host)
            .expect("attachment");
        self.actual.host_sides.push(link(attachment.port, attachment.host_ifname.as_str()));
        self.actual.ports.push(port(attachment.port, self.domain(), slot));
    }

    fn domain(&self) -> DomainId {
        self.model.network(&red()).expect("red").domain
    }

    fn steps(&self) -> Vec<Step> {
        plan(&self.model, &self.actual)
            .into_iter()
            .filter(|step| !matches!(step, Step::SetDomain { .. }))
            .collect()
    }

    fn lose_link(&mut self, port: u32) {
        self.actual.host_sides.retain(|link| link.index != port.into());
    }

    fn fixed_entries(&self) -> Vec<(FdbKey, FdbEntry)> {
        let entry = |port: PortRef<'_>| {
            let key = FdbKey::new(self.domain(), port.mac());
            (key, FdbEntry::new(port.id(), FdbKind::Endpoint, Nanos(0)))
        };
        self.model.ports().map(entry).collect()
    }

    fn fdb_steps(&self, actual: &[(FdbKey, FdbEntry)]) -> Vec<FdbStep> {
        let attached = self.model.ports().map(|port| port.slot()).collect();
        plan_fdb(&self.model, &attached, actual)
    }
}

fn red() -> NetworkName {
    NetworkName::new(RED).expect("name")
}

fn endpoint(name: &str) -> EndpointName {
    EndpointName::new(name).expect("name")
}

fn link(port: PortId, name: &str) -> Link {
    Link {
        index: port.into(),
        name: name.to_owned(),
        mac: None,
        mtu: 1500,
        up: true,
        carrier: true,
        promiscuous: false,
        arp: true,
        kind: Some(String::from("veth")),
        peer: Some(2.into()),
        peer_netns: Some(1),
        master: None,
        group: 0,
    }
}

fn port(id: PortId, domain: DomainId, slot: Slot) -> Port {
    Port { id, config: PortConfig::new(domain, slot, MacAddr::ZERO, 1500, 0, PortFlags::DEFAULT) }
}

fn adopt(name: &str, slot: u16) -> Step {
    Step::Adopt { endpoint: endpoint(name), slot: Slot(slot) }
}

#[test]
fn what_is_whole_is_adopted_and_nothing_else_happens() {
    let fixture = Fixture::new();
    assert_eq!(fixture.steps(), [adopt("a", 1), adopt("b", 2)]);
    assert_eq!(fixture.fdb_steps(&fixture.fixed_entries()), []);
}

#[test]
fn domains_come_before_ports() {
    let fixture = Fixture::new();
    let first = plan(&fixture.model, &fixture.actual).into_iter().next();
    let flags = fixture.model.networks.values().next().expect("a network").flags();
    assert_eq!(first, Some(Step::SetDomain { domain: fixture.domain(), ageing_secs: 300, flags }));
}

#[test]
fn a_missing_interface_is_made_again_after_its_port_is_detached() {
    let mut fixture = Fixture::new();
    fixture.lose_link(1001);
    let replug = Step::Replug { endpoint: endpoint("a"), slot: Slot(1) };
    assert_eq!(fixture.steps(), [Step::DetachPort { port: PortId(1001) }, replug, adopt("b", 2)]);
}

#[test]
fn an_endpoint_without_its_namespace_is_noted_and_not_made_again() {
    let mut fixture = Fixture::new();
    fixture.lose_link(1001);
    fixture.actual.gone.insert(endpoint("a"), String::from("gone"));
    let stale = Step::NoteStale { endpoint: endpoint("a"), reason: String::from("gone") };
    assert_eq!(fixture.steps(), [Step::DetachPort { port: PortId(1001) }, adopt("b", 2), stale]);
}

#[test]
fn what_nobody_knows_is_removed() {
    let mut fixture = Fixture::new();
    fixture.model.remove_endpoint(&endpoint("a")).expect("a");
    let delete = Step::DeleteLink { port: PortId(1001), name: String::from("wyep1") };
    assert_eq!(fixture.steps(), [delete, Step::DetachPort { port: PortId(1001) }, adopt("b", 2)]);
    let entries = Fixture::new().fixed_entries();
    let steps = fixture.fdb_steps(&entries);
    assert_eq!(steps, [FdbStep::Remove { key: entries[0].0 }]);
}

#[test]
fn ports_whose_description_was_lost_stay() {
    let whole = Fixture::new();
    let lost =
        |port: &Port| LostPort { port: port.id, slot: port.config.slot(), domain: port.config.domain() };
    let model = Model { lost: whole.actual.ports.iter().map(lost).collect(), ..Model::default() };
    assert_eq!(plan(&model, &whole.actual), []);
    assert_eq!(plan_fdb(&model, &BTreeSet::new(), &whole.fixed_entries()), []);
    assert_eq!(model.free_slot().expect("a slot"), Slot(3));
    assert_ne!(model.free_domain().expect("a domain"), whole.domain());
}

#[test]
fn a_port_with_the_numbers_of_another_is_detached_first() {
    let mut fixture = Fixture::new();
    fixture.actual.ports[0] = port(PortId(1001), fixture.domain(), Slot(9));
    assert_eq!(fixture.steps(), [Step::DetachPort { port: PortId(1001) }, adopt("a", 1), adopt("b", 2)]);
}

#[test]
fn an_uplink_is_found_by_its_name_under_another_index() {
    let mut fixture = Fixture::new();
    let ifname = IfName::new("eth1").expect("name");
    let uplink = Uplink {
        ifname: ifname.clone(),
        port: PortId(7),
        mac: MacAddr::new([2, 0, 0, 0, 0, 7]),
        slot: Slot(3),
        settings: PortSettings::default(),
        was_promiscuous: false,
    };
    fixture.model.add_uplink(&red(), uplink).expect("uplink");
    assert_eq!(fixture.steps(), [adopt("a", 1), adopt("b", 2)], "it is not there");
    fixture.actual.host_links.push(link(PortId(8), "eth1"));
    let step = Step::AdoptUplink { network: red(), ifname, port: PortId(8) };
    assert_eq!(fixture.steps(), [adopt("a", 1), adopt("b", 2), step]);
}

#[test]
fn a_gateway_is_adopted_where_its_interfaces_are_and_made_where_they_are_not() {
    let mut fixture = Fixture::new();
    let instance = InstanceName::new("default").expect("name");
    let ifname = IfName::new("wyep3").expect("name");
    let host = HostSide { ifname, port: PortId(1003), slot: Slot(3) };
    fixture.model.add_gateway(&instance, &red(), host).expect("a gateway");
    let made = Step::PlugGateway { network: red() };
    assert_eq!(fixture.steps(), [adopt("a", 1), adopt("b", 2), made.clone()]);
    fixture.actual.host_sides.push(link(PortId(1003), "wyep3"));
    fixture.actual.ports.push(port(PortId(1003), fixture.domain(), Slot(3)));
    let adopted = Step::AdoptGateway { network: red() };
    assert_eq!(fixture.steps(), [adopt("a", 1), adopt("b", 2), adopted]);
    fixture.lose_link(1003);
    let detach = Step::DetachPort { port: PortId(1003) };
    assert_eq!(fixture.steps(), [detach, adopt("a", 1), adopt("b", 2), made]);
}

#[test]
fn fixed_entries_are_put_where_they_are_missing_or_wrong() {
    let mut fixture = Fixture::new();
    let mac = MacAddr::new([2, 0, 0, 0, 0, 9]);
    let entry = StaticEntry { mac, vlan: 0, slot: Slot(2), kind: SetType::Sticky };
    fixture.model.put_static_entry(&red(), entry).expect("entry");
    let mut actual = fixture.fixed_entries();
    let key = FdbKey::new(fixture.domain(), mac);
    let put = FdbStep::Put { key, port: PortId(1002), kind: FdbKind::Sticky };
    assert_eq!(fixture.fdb_steps(&actual), [put]);
    actual.push((key, FdbEntry::new(PortId(1001), FdbKind::Learned, Nanos(5))));
    assert_eq!(fixture.fdb_steps(&actual), [put]);
    actual[2].1 = FdbEntry::new(PortId(1002), FdbKind::Sticky, Nanos(0));
    assert_eq!(fixture.fdb_steps(&actual), []);
}

#[test]
fn learned_entries_are_left_alone() {
    let fixture = Fixture::new();
    let mut actual = fixture.fixed_entries();
    let key = FdbKey::new(fixture.domain(), MacAddr::new([2, 0, 0, 0, 0, 9]));
    actual.push((key, FdbEntry::new(PortId(1002), FdbKind::Learned, Nanos(5))));
    assert_eq!(fixture.fdb_steps(&actual), []);
}
