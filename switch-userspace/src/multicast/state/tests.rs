use std::net::Ipv4Addr;

use super::*;

const A: PortId = PortId(10);
const B: PortId = PortId(11);
const ROUTER: PortId = PortId(12);
const DOMAIN: DomainId = DomainId(3);
const SCOPE: Scope = Scope { domain: DOMAIN, vlan: VlanId::NONE, is_ipv4: true };
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
const MAC: MacAddr = MacAddr::new([2, 1, 2, 3, 4, 5]);
const RESPONSE: Nanos = Nanos::from_secs(10);

fn secs(secs: u32) -> Nanos {
    Nanos::from_secs(secs)
}

fn rules(querier: Option<MacAddr>) -> NetworkRules {
    let port = PortRules { router: RouterRule::Never, fast_leave: false };
    let ports = [(A, port), (B, port), (ROUTER, PortRules { router: RouterRule::Learned, ..port })];
    NetworkRules {
        timing: Timing { interval: secs(125) },
        querier,
        vlans: [VlanId::NONE].into(),
        ports: ports.into(),
    }
}

fn snooping(rules: NetworkRules) -> Snooping {
    let mut snooping = Snooping::default();
    snooping.set_networks(secs(0), [(DOMAIN, rules)].into());
    snooping
}

fn query(source: &str) -> Message {
    let source = source.parse().expect("an address");
    Message::Query(Query { source, group: None, has_sources: false, max_response: RESPONSE })
}

fn report(is_member: bool) -> Message {
    Message::Report(vec![Membership { group: GROUP, is_member }])
}

impl Snooping {
    fn told(&mut self, at: Nanos, port: PortId, message: &Message) {
        self.expire(at);
        self.hear(at, port, VlanId::NONE, true, message);
        self.expire(at);
    }

    fn members(&self) -> Option<Vec<PortId>> {
        self.ports_of(SCOPE.key(Some(GROUP)))
    }

    fn unregistered(&self) -> Option<Vec<PortId>> {
        self.ports_of(SCOPE.key(None))
    }
}

#[test]
fn a_group_goes_to_members_and_routers_once_everybody_had_the_time_to_answer() {
    let mut snooping = snooping(rules(None));
    snooping.told(secs(1), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(2), A, &report(true));
    assert_eq!(snooping.members(), Some(vec![A, ROUTER]));
    assert_eq!(snooping.unregistered(), None, "others may not have answered yet");
    snooping.expire(secs(11));
    assert_eq!(snooping.unregistered(), Some(vec![ROUTER]));
    let changes = snooping.take_changes();
    assert!(changes.contains(&SCOPE.key(None)) && changes.contains(&SCOPE.key(Some(GROUP))));
    assert_eq!(snooping.take_changes(), BTreeSet::new());
}

#[test]
fn members_age_out_and_a_report_keeps_them() {
    let mut snooping = snooping(rules(None));
    snooping.told(secs(0), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(0), A, &report(true));
    snooping.told(secs(0), B, &report(true));
    snooping.told(secs(100), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(200), A, &report(true));
    assert_eq!(snooping.next_due(), Some(secs(260)));
    snooping.expire(secs(259));
    assert_eq!(snooping.members(), Some(vec![A, B, ROUTER]));
    snooping.expire(secs(260));
    assert_eq!(snooping.members(), Some(vec![A, ROUTER]));
    snooping.expire(secs(460));
    assert_eq!((snooping.members(), snooping.unregistered()), (None, None), "the querier is gone too");
    assert_eq!(snooping.next_due(), None, "nothing is left that could age");
}

#[test]
fn a_query_for_a_group_shortens_the_time_of_members_that_do_not_answer() {
    let mut snooping = snooping(rules(None));
    snooping.told(secs(0), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(0), A, &report(true));
    snooping.told(secs(0), B, &report(true));
    let last = Query {
        source: Ipv4Addr::new(10, 0, 0, 1).into(),
        group: Some(GROUP),
        has_sources: false,
        max_response: secs(1),
    };
    snooping.told(secs(5), ROUTER, &Message::Query(Query { has_sources: true, ..last }));
    snooping.expire(secs(8));
    assert_eq!(snooping.members(), Some(vec![A, B, ROUTER]), "it was about sources only");
    snooping.told(secs(10), ROUTER, &Message::Query(last));
    snooping.told(secs(11), B, &report(true));
    snooping.expire(secs(12));
    assert_eq!(snooping.members(), Some(vec![B, ROUTER]));
}

#[test]
fn fast_leave_ends_a_membership_at_once_and_nobody_is_asked() {
    let mut rules = rules(Some(MAC));
    rules.ports.get_mut(&A).expect("a port").fast_leave = true;
    let mut snooping = snooping(rules);
    snooping.told(secs(0), A, &report(true));
    snooping.take_asks();
    snooping.told(secs(1), A, &report(false));
    assert_eq!(snooping.members(), None);
    assert_eq!(snooping.take_asks(), vec![]);
}

#[test]
fn the_switch_as_querier_asks_the_port_that_somebody_left() {
    let mut snooping = snooping(rules(Some(MAC)));
    snooping.told(secs(0), A, &report(true));
    snooping.told(secs(0), B, &report(true));
    snooping.take_asks();
    snooping.told(secs(20), A, &report(false));
    let asks = snooping.take_asks();
    assert_eq!(asks.iter().map(|ask| (ask.port, ask.group)).collect::<Vec<_>>(), [(Some(A), Some(GROUP))]);
    assert_eq!(snooping.members(), Some(vec![A, B]), "another host behind the port may be a member");
    snooping.expire(secs(22));
    assert_eq!(snooping.members(), Some(vec![B]));
}

#[test]
fn the_switch_as_querier_asks_twice_at_the_start_then_once_an_interval_in_both_families() {
    let mut snooping = snooping(rules(Some(MAC)));
    let mut asked = Vec::new();
    for at in 0..300 {
        snooping.expire(secs(at));
        asked.extend(snooping.take_asks().into_iter().map(|ask| (at, ask.scope.is_ipv4)));
    }
    let times = [0, 32, 157, 282].into_iter().flat_map(|at| [(at, false), (at, true)]);
    assert_eq!(asked, times.collect::<Vec<_>>());
    assert_eq!(snooping.unregistered(), Some(vec![]), "there is no router");
}

#[test]
fn the_switch_keeps_silent_while_a_router_asks_and_takes_over_when_it_is_gone() {
    let mut snooping = snooping(rules(Some(MAC)));
    snooping.told(secs(1), ROUTER, &query("10.0.0.1"));
    snooping.take_asks();
    let asked_between = |snooping: &mut Snooping, times: std::ops::Range<u32>| {
        times
            .filter(|at| {
                snooping.expire(secs(*at));
                snooping.take_asks().iter().any(|ask| ask.scope.is_ipv4)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(asked_between(&mut snooping, 2..256), Vec::<u32>::new());
    assert_eq!(asked_between(&mut snooping, 256..260), [256]);
    snooping.told(secs(300), ROUTER, &query("0.0.0.0"));
    assert_ne!(asked_between(&mut snooping, 300..500), Vec::<u32>::new(), "nobody yields to a switch");
}

#[test]
fn of_two_routers_the_one_with_the_lower_address_asks_and_both_ports_are_routers() {
    let mut rules = rules(None);
    rules.ports.get_mut(&B).expect("a port").router = RouterRule::Learned;
    let mut snooping = snooping(rules);
    let querier = |snooping: &Snooping| {
        let kinds = snooping.entries().into_iter().map(|entry| entry.kind);
        kinds.filter(|kind| matches!(kind, EntryKind::Querier(_))).collect::<Vec<_>>()
    };
    for (port, source, best) in [
        (B, "10.0.0.9", "10.0.0.9"),
        (ROUTER, "10.0.0.2", "10.0.0.2"),
        (B, "10.0.0.9", "10.0.0.2"),
        (B, "0.0.0.0", "10.0.0.2"),
    ] {
        snooping.told(secs(1), port, &query(source));
        assert_eq!(querier(&snooping), [EntryKind::Querier(Some(best.parse().expect("an address")))]);
    }
    snooping.expire(secs(20));
    assert_eq!(snooping.unregistered(), Some(vec![B, ROUTER]));
}

#[test]
fn a_port_that_is_never_a_routers_does_not_become_one_by_asking() {
    let mut snooping = snooping(rules(None));
    snooping.told(secs(1), A, &query("10.0.0.1"));
    snooping.expire(secs(30));
    assert_eq!((snooping.unregistered(), snooping.entries()), (None, vec![]));
}

#[test]
fn a_port_that_is_always_a_routers_gets_every_group() {
    let mut rules = rules(None);
    rules.ports.get_mut(&B).expect("a port").router = RouterRule::Always;
    let mut snooping = snooping(rules);
    snooping.told(secs(0), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(0), A, &report(true));
    snooping.expire(secs(10));
    assert_eq!(snooping.members(), Some(vec![A, B, ROUTER]));
    assert_eq!(snooping.unregistered(), Some(vec![B, ROUTER]));
}

#[test]
fn what_was_there_before_a_restart_gets_a_fresh_time() {
    let mut snooping = snooping(rules(None));
    let groups = [
        Group { key: SCOPE.key(None), ports: vec![ROUTER] },
        Group { key: SCOPE.key(Some(GROUP)), ports: vec![A, ROUTER, PortId(99)] },
    ];
    snooping.adopt(secs(1_000), &groups);
    assert_eq!(snooping.unregistered(), Some(vec![ROUTER]));
    assert_eq!(snooping.members(), Some(vec![A, ROUTER]), "a port that is gone is not kept");
    snooping.expire(secs(1_254));
    assert_eq!(snooping.members(), Some(vec![A, ROUTER]));
    snooping.expire(secs(1_260));
    assert_eq!((snooping.unregistered(), snooping.members()), (None, None));
}

#[test]
fn joins_beyond_the_caps_are_refused_and_counted() {
    let join = |number: usize| {
        let [.., high, low] = number.to_be_bytes();
        Message::Report(vec![Membership { group: Ipv4Addr::new(239, 9, high, low).into(), is_member: true }])
    };
    let port = PortRules { router: RouterRule::Never, fast_leave: true };
    let mut crowded = rules(None);
    crowded.ports = (0..10).map(|number| (PortId(number), port)).collect();
    let mut snooping = snooping(crowded);
    for number in 0..GROUPS_PER_PORT + 7 {
        snooping.told(secs(1), PortId(0), &join(number));
    }
    assert_eq!(snooping.count_of(PortId(0)), (GROUPS_PER_PORT as u64, 7));
    snooping.told(secs(1), PortId(0), &join(3));
    assert_eq!(snooping.count_of(PortId(0)).1, 7, "who is a member may say so again");
    for port in 1..10 {
        for number in 0..GROUPS_PER_PORT {
            snooping.told(secs(1), PortId(port), &join(1_000 * port as usize + number));
        }
    }
    let groups: BTreeSet<_> =
        snooping.entries().into_iter().map(|entry| format!("{:?}", entry.kind)).collect();
    assert_eq!(groups.len(), GROUPS_PER_NETWORK);
    assert_eq!(snooping.count_of(PortId(9)), (0, GROUPS_PER_PORT as u64));
    snooping.told(secs(2), PortId(9), &join(3));
    assert_eq!(snooping.count_of(PortId(9)).0, 1, "a group that there is takes no more room");
}

#[test]
fn a_network_that_stops_to_snoop_leaves_nothing() {
    let mut snooping = snooping(rules(None));
    snooping.told(secs(0), ROUTER, &query("10.0.0.1"));
    snooping.told(secs(0), A, &report(true));
    snooping.expire(secs(10));
    snooping.take_changes();
    snooping.set_networks(secs(11), BTreeMap::new());
    assert_eq!(snooping.take_changes().len(), 2);
    assert_eq!((snooping.unregistered(), snooping.members()), (None, None));
}
