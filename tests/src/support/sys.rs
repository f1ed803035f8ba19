//! System calls that no crate of the tests wraps: every `unsafe` line of the tests is in here.
#![allow(unsafe_code, reason = "the one place of the tests that calls libc; each block proves itself")]

use std::{
    collections::BTreeMap,
    env, io, mem,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
    ptr,
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use switch_common::wire::vlan::{TPID_8021Q, Tag};

/// Room for frames that wait in a packet socket: a burst of a test is never lost.
const RECEIVE_BUFFER_BYTES: libc::c_int = 256 << 20;
/// Frames that one call sends at most.
const BATCH: usize = 256;
/// The command of bpf(2) that makes a link.
const BPF_LINK_CREATE: u64 = 28;
/// How long a receive waits for a frame.
const RECEIVE_TIMEOUT_MICROSECONDS: libc::suseconds_t = 50_000;

/// Keeps the calling thread on the CPU that it runs on, and says which one that is.
///
/// # Errors
/// As sched_setaffinity(2).
pub fn stay_on_this_cpu() -> io::Result<usize> {
    // SAFETY: takes nothing and returns a number.
    let cpu = usize::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: a cpu_set_t is an array of integers: all-zero bytes are the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the macro checks the number against the set's size.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set lives until the call returns, and its size is given.
    check(unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) })?;
    Ok(cpu)
}

/// Opens a packet socket on an interface of the calling thread's namespace, or on all of them where it is 0: it sends raw frames, and sees every frame
/// that comes in, whomever it is for.
///
/// # Errors
/// EPERM without CAP_NET_RAW and CAP_NET_ADMIN; ENODEV without such an interface.
pub fn packet_socket(interface: u32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: a descriptor that the kernel just made and nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER_BYTES)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, &1)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1)?;
    let timeout = libc::timeval { tv_sec: 0, tv_usec: RECEIVE_TIMEOUT_MICROSECONDS };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &timeout)?;
    // SAFETY: a sockaddr_ll is integers and byte arrays: all-zero bytes are a valid one.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: the address lives until the call returns, and its length is right.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), length_of(&address)) })?;
    Ok(socket)
}

/// Whether to wait for a frame where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// A fraction of a second.
    AWhile,
}

/// Receives one frame into `buffer`: its length, and the tag that the kernel took out of it. `None` when none came.
///
/// # Errors
/// ENETDOWN when the interface went down.
pub fn receive_frame(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: Wait,
) -> io::Result<Option<(usize, Option<Tag>)>> {
    let flags = libc::MSG_TRUNC | if wait == Wait::No { libc::MSG_DONTWAIT } else { 0 };
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0_u64; 16];
    // SAFETY: a msghdr is integers and pointers: all-zero bytes are a valid one.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control);
    // SAFETY: the message points at the buffer, the vector and the control bytes, with their lengths; all outlive the call.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let Ok(len) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        let nothing_came = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        return if nothing_came { Ok(None) } else { Err(error) };
    };
    Ok(Some((len, offloaded_tag(&message))))
}

/// Sends some of the frames, the first ones, and says how many.
///
/// # Errors
/// As sendmmsg(2), where not even the first was taken.
pub fn send_frames(socket: BorrowedFd<'_>, frames: &[Vec<u8>]) -> io::Result<usize> {
    let mut vectors: Vec<libc::iovec> = frames
        .iter()
        .take(BATCH)
        .map(|frame| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: an mmsghdr is integers and pointers: all-zero bytes are a valid one.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = libc::c_uint::try_from(messages.len()).unwrap_or_default();
    // SAFETY: every message points at a vector of its own and that at a frame, which the kernel only reads; all outlive the
    // call, and there are `count` of them.
    let sent = check(unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, 0) })?;
    Ok(usize::try_from(sent).unwrap_or_default())
}

fn offloaded_tag(message: &libc::msghdr) -> Option<Tag> {
    // SAFETY: the kernel filled the control bytes that the message points at.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: the macros return pointers to whole headers within the control bytes, which are aligned for them.
        let (level, kind, data) =
            unsafe { ((*header).cmsg_level, (*header).cmsg_type, libc::CMSG_DATA(header)) };
        if level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA {
            // SAFETY: a control message of this kind carries a tpacket_auxdata, for which any bytes are valid.
            let aux: libc::tpacket_auxdata = unsafe { ptr::read_unaligned(data.cast()) };
            let has = |flag| aux.tp_status & flag != 0;
            let tpid = if has(libc::TP_STATUS_VLAN_TPID_VALID) { aux.tp_vlan_tpid } else { TPID_8021Q };
            return has(libc::TP_STATUS_VLAN_VALID).then_some(Tag { tpid, tci: aux.tp_vlan_tci });
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

/// Makes a program run as on a kernel that knows no bpf links: making one is refused as such a kernel refuses it.
///
/// # Errors
/// The filter cannot be made for this processor.
pub fn without_bpf_links(command: &mut Command) -> Result<(), seccompiler::BackendError> {
    let is_link_create =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, BPF_LINK_CREATE)?;
    let rules = BTreeMap::from([(libc::SYS_bpf, vec![SeccompRule::new(vec![is_link_create])?])]);
    let refusal = SeccompAction::Errno(libc::EINVAL.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    // SAFETY: between fork and exec the child only makes the two system calls of apply_filter, on a program that was made
    // before; it allocates nothing unless they fail.
    unsafe {
        command.pre_exec(move || seccompiler::apply_filter(&program).map_err(io::Error::other));
    }
    Ok(())
}

fn set_option<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads the bytes of the value, which lives until the call returns, and no more than its length.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length_of(value))
    })?;
    Ok(())
}

#[allow(clippy::cast_possible_truncation, reason = "addresses and options are a few bytes long")]
fn length_of<T>(_: &T) -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
