//! Names of maps and programs: the loader, the programs and the tests take them from here.

/// Entry program of every port (tcx ingress).
pub const PROG_PORT_INGRESS: &str = "port_ingress";
/// Judges whether a guarded port speaks for itself; tail-called.
pub const PROG_GUARD: &str = "guard";
/// Learns, and forwards to one station; tail-called.
pub const PROG_SWITCH: &str = "switch";
/// Learns, and answers or forwards what is for a group; tail-called.
pub const PROG_SWITCH_GROUP: &str = "switch_group";
/// Decides who is told of a packet that there is no way for; tail-called.
pub const PROG_REFUSE: &str = "refuse";
/// Makes the frame its own reply and sends it back; tail-called.
pub const PROG_RESPOND: &str = "respond";
/// Copies a frame to the ports of a domain; tail-called.
pub const PROG_FLOOD: &str = "flood";
/// Goes on with a long flood at the far end of the relay pair (tcx ingress).
pub const PROG_FLOOD_RESUME: &str = "flood_resume";

/// All programs.
pub const PROGRAMS: [&str; 8] = [
    PROG_PORT_INGRESS,
    PROG_GUARD,
    PROG_SWITCH,
    PROG_SWITCH_GROUP,
    PROG_REFUSE,
    PROG_RESPOND,
    PROG_FLOOD,
    PROG_FLOOD_RESUME,
];

/// Ports by interface index: `u32` to `PortConfig`.
pub const MAP_PORTS: &str = "PORTS";
/// Domains by number: `u32` to `DomainConfig`.
pub const MAP_DOMAINS: &str = "DOMAINS";
/// Forwarding database: `FdbKey` to `FdbEntry`.
pub const MAP_FDB: &str = "FDB";
/// Sources that ports may use beside their own: `SourceKey` to `u32` (a `SourceScope`).
pub const MAP_SOURCES: &str = "SOURCES";
/// VLANs that trunk ports carry, by slot: `u32` to `VlanSet`.
pub const MAP_VLANS: &str = "VLANS";
/// Who is at an address: `NeighbourKey` to `Neighbour`.
pub const MAP_NEIGHBOURS: &str = "NEIGHBOURS";
/// Addresses that the host has: `HostAddress` to `u32`.
pub const MAP_HOST_ADDRESSES: &str = "HOST_ADDRESSES";
/// Storm control by `gate_index`: `u32` to `StormGate`; memory-mapped by the daemon.
pub const MAP_STORM: &str = "STORM";
/// Groups: `GroupKey` to `ListId`.
pub const MAP_GROUPS: &str = "GROUPS";
/// Positions in use, holes included, by `ListId`: `u32` to `u32`.
pub const MAP_LIST_LENGTHS: &str = "LIST_LENGTHS";
/// Copies of membership messages.
pub const MAP_SNOOPED: &str = "SNOOPED";
/// The lists' entries: `FloodKey` to `PortId`.
pub const MAP_FLOOD_LIST: &str = "FLOOD_LIST";
/// Accounts by slot: `u32` to `PortState`; memory-mapped by the daemon.
pub const MAP_PORT_STATE: &str = "PORT_STATE";
/// Traffic counters by slot, one record a CPU: `u32` to `PortCounters`.
pub const MAP_PORT_COUNTERS: &str = "PORT_COUNTERS";
/// Drop counters by `drop_index`: `u32` to `u64`; memory-mapped by the daemon.
pub const MAP_DROPS: &str = "DROPS";
/// The switch's own interfaces: one `SwitchConfig`.
pub const MAP_SWITCH: &str = "SWITCH";
/// Event ring.
pub const MAP_EVENTS: &str = "EVENTS";
/// Rate limit of events, by reason and CPU: `u32` to `EventGate`.
pub const MAP_EVENT_GATES: &str = "EVENT_GATES";
/// Verdict of the last frame on each CPU: one `u64`.
pub const MAP_LAST_VERDICT: &str = "LAST_VERDICT";
/// Headers of the frame that each CPU is at: the programs' own memory.
pub const MAP_HEADERS: &str = "HEADERS";
/// Tail-call targets.
pub const MAP_JUMPS: &str = "JUMPS";

/// All maps.
pub const MAPS: [&str; 21] = [
    MAP_PORTS,
    MAP_DOMAINS,
    MAP_FDB,
    MAP_SOURCES,
    MAP_VLANS,
    MAP_NEIGHBOURS,
    MAP_HOST_ADDRESSES,
    MAP_STORM,
    MAP_GROUPS,
    MAP_LIST_LENGTHS,
    MAP_FLOOD_LIST,
    MAP_SNOOPED,
    MAP_PORT_STATE,
    MAP_PORT_COUNTERS,
    MAP_DROPS,
    MAP_SWITCH,
    MAP_EVENTS,
    MAP_EVENT_GATES,
    MAP_LAST_VERDICT,
    MAP_HEADERS,
    MAP_JUMPS,
];

/// Maps that programs of one build share among themselves only: what lies in them may look different in another build.
pub const MAPS_OF_BUILD: [&str; 2] = [MAP_HEADERS, MAP_JUMPS];

/// Position of [`PROG_FLOOD`] in [`MAP_JUMPS`].
pub const JUMP_FLOOD: u32 = 0;
/// Position of [`PROG_GUARD`].
pub const JUMP_GUARD: u32 = 1;
/// Position of [`PROG_SWITCH`].
pub const JUMP_SWITCH: u32 = 2;
/// Position of [`PROG_RESPOND`].
pub const JUMP_RESPOND: u32 = 3;
/// Position of [`PROG_SWITCH_GROUP`].
pub const JUMP_SWITCH_GROUP: u32 = 4;
/// Position of [`PROG_REFUSE`].
pub const JUMP_REFUSE: u32 = 5;

/// All tail-call targets with their positions.
pub const JUMPS: [(u32, &str); 6] = [
    (JUMP_FLOOD, PROG_FLOOD),
    (JUMP_GUARD, PROG_GUARD),
    (JUMP_SWITCH, PROG_SWITCH),
    (JUMP_RESPOND, PROG_RESPOND),
    (JUMP_SWITCH_GROUP, PROG_SWITCH_GROUP),
    (JUMP_REFUSE, PROG_REFUSE),
];
