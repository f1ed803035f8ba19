//! The control plane ends and comes back; traffic does not notice.

use std::{fs, process::Command, thread, time::Instant};

use switch_userspace::{
    api::{
        client::{Client, ClientError},
        routes,
        server::{self, Api},
        types::{EndpointState, NetnsChoice, Status, Stop, Stopped},
    },
    events::Hub,
    model::EndpointNetns,
    netns::{Netns, NetnsError, named_path},
    run_dir,
};

use crate::support::{PATIENCE, Switch, inside, ip};

#[test]
fn everything_is_the_same_after_a_restart() {
    let mut switch = Switch::new();
    switch.create("red", &["10.1.0.0/24", "fd01::/64"]);
    switch.create("blue", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    switch.add("c", "blue");
    let lists = |switch: &Switch| {
        switch.ask(|control| {
            (control.networks(), control.endpoints(), control.fdb(&Default::default()).expect("fdb"))
        })
    };
    let before = (lists(&switch), switch.traces());
    switch.kill();
    assert!(switch.reaches(&a, &ip(&b)), "traffic needs no control plane");
    switch.start();
    assert_eq!((lists(&switch), switch.traces()), before);
    assert_eq!(switch.status().warnings, Vec::<String>::new());
    assert!(switch.reaches(&a, &ip(&b)));
}

#[test]
fn a_transfer_in_flight_loses_nothing_over_a_restart() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let target = ip(&b);
    let ping = std::thread::scope(|scope| {
        let netns = inside(&a);
        let ping = scope.spawn(move || {
            let ping =
                || Command::new("ping").args(["-c", "400", "-i", "0.005", "-W", "1", "-q", &target]).output();
            netns.run(|| Ok::<_, NetnsError>(ping())).expect("entering a namespace").expect("ping runs")
        });
        for _ in 0..5 {
            switch.restart();
        }
        ping.join().expect("the pinging thread")
    });
    let text = String::from_utf8_lossy(&ping.stdout);
    assert!(text.contains("400 packets transmitted, 400 received"), "{text}");
}

#[test]
fn what_a_crash_left_half_made_is_removed() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    switch.add("a", "red");
    let stored = fs::read(switch.state_dir().join("state.json")).expect("the state");
    let before = switch.traces();
    let name = switch.name("theirs");
    Netns::create_named(&name).expect("a namespace");
    let added = switch.try_add(switch.wish("b", "red", NetnsChoice::Existing(name.clone())));
    switch.kill();
    fs::write(switch.state_dir().join("state.json"), stored).expect("as before the crash");
    switch.start();
    Netns::delete_named(&name).expect("deleted");
    added.expect("an endpoint");
    assert_eq!(switch.traces(), before);
}

#[test]
fn a_namespace_that_a_crash_left_without_endpoint_is_removed_and_nobody_elses_is() {
    let mut switch = Switch::new();
    let before = switch.traces();
    let name = switch.name("half");
    let left = |dev_of: &Netns| EndpointNetns {
        path: named_path(&name).expect("a path"),
        owned: true,
        dev: dev_of.id().dev,
        ino: dev_of.id().ino,
    };
    let made = Netns::create_named(&name).expect("a namespace");
    run_dir::begin_netns(switch.state_dir(), &left(&made)).expect("noted");
    drop(made);
    switch.restart();
    assert_eq!(switch.traces(), before);
    let theirs = Netns::create_named(&name).expect("a namespace");
    run_dir::begin_netns(switch.state_dir(), &left(&Netns::anonymous().expect("another one")))
        .expect("noted");
    switch.restart();
    let is_there = Netns::open_name(&name).is_ok_and(|netns| netns == theirs);
    Netns::delete_named(&name).expect("deleted");
    assert!(is_there);
}

#[test]
fn a_daemon_whose_control_thread_died_can_still_be_stopped() {
    let mut switch = Switch::new();
    let control = switch.control();
    control.post(|_| panic!("on purpose")).expect("running");
    let socket = switch.state_dir().join(routes::SOCKET_NAME);
    let path = socket.clone();
    let daemon = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (stop, _) = tokio::sync::watch::channel(false);
            let down = String::from("wye down --instance lab");
            let listener = server::bind(&path).expect("bound");
            server::serve(listener, Api { control, hub: Hub::default(), down, stop }).await
        })
    });
    let client = Client::new(&socket).expect("a client");
    let status = || client.get::<Status>(routes::STATUS);
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        match status() {
            Err(ClientError::NoSocket { .. } | ClientError::NotListening { .. })
                if Instant::now() < deadline => {}
            answer => break answer.expect_err("the control thread is dead").to_string(),
        }
    };
    assert!(refused.contains("`wye down --instance lab`"), "{refused}");
    client.post::<Stopped>(routes::STOP, &Stop { purge: false }).expect("stopped");
    daemon.join().expect("no panic").expect("served");
    fs::remove_file(socket).expect("removed");
    switch.start();
}

#[test]
fn with_damaged_state_traffic_goes_on_and_numbers_are_not_given_twice() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    let names = [a.name.clone(), b.name.clone()];
    let stored = fs::read(switch.state_dir().join("state.json")).expect("the state");
    switch.kill();
    fs::write(switch.state_dir().join("state.json"), "damaged").expect("damage");
    switch.start();
    assert!(switch.reaches(&a, &ip(&b)));
    let warnings = switch.status().warnings.join("\n");
    assert!(warnings.contains("damaged") && warnings.contains("3 ports"), "{warnings}");
    switch.restart();
    assert!(
        switch.reaches(&a, &ip(&b)),
        "a second start leaves them alone, though nothing was changed before it"
    );
    switch.create("green", &[]);
    let c = switch.add("c", "green");
    assert!(names.iter().all(|name| *name != c.name));
    assert!(![&a, &b].iter().any(|old| old.attachments[0].slot == c.attachments[0].slot));
    switch.restart();
    assert!(switch.reaches(&a, &ip(&b)), "a third start leaves them alone, too");
    assert_eq!(switch.endpoint("c").state, EndpointState::Ready);
    // The test needs the old state once more, to have its namespaces removed.
    switch.remove("c");
    switch.kill();
    fs::write(switch.state_dir().join("state.json"), stored).expect("as before");
    switch.start();
    assert!(switch.reaches(&a, &ip(&b)));
}
