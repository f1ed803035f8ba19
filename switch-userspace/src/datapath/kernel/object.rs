//! Loading the kernel programs, or adopting the pinned ones of the daemon before.

use std::fs;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, ProgramArray},
    programs::{
        SchedClassifier,
        links::{FdLink, PinnedLink},
        tc::SchedClassifierLink,
    },
};
use switch_common::abi::{
    names::{self, PROG_FLOOD_RESUME, PROG_PORT_INGRESS},
    port::SwitchConfig,
};

use super::{
    attach::link_error,
    maps::{Maps, is_missing, map_error},
    pins::{Pins, io_error},
};
use crate::datapath::{DatapathError, naming};

/// The programs as the build made them; empty where it made none.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/wye-bpf.o"));

/// The loaded programs, each pinned.
pub(super) struct Programs {
    /// tcx ingress of every port.
    pub(super) port_ingress: SchedClassifier,
    /// tcx ingress of the far end of the relay pair.
    pub(super) flood_resume: SchedClassifier,
}

/// Creates or adopts the maps, and loads the programs unless the pinned ones are of this very build.
///
/// # Errors
/// There is no object, a pin is not ours, or the kernel refuses something.
pub(super) fn load(pins: &Pins) -> Result<(Maps, Programs), DatapathError> {
    if OBJECT.is_empty() {
        return Err(DatapathError::NoObject);
    }
    let build = naming::digest(OBJECT);
    check_pins(pins, build)?;
    let mut loader = EbpfLoader::new();
    for name in names::MAPS {
        loader.map_pin_path(name, pins.map(name, build));
    }
    let mut ebpf = loader.load(OBJECT).map_err(|source| DatapathError::Load { source: Box::new(source) })?;
    let mut maps = Maps::take(&mut ebpf)?;
    let before = maps.switch.get(&0, 0).map_err(map_error("read", names::MAP_SWITCH))?;
    if before.build() != build {
        replace_programs(&mut ebpf, pins)?;
    }
    let mut programs = Programs::adopt(pins)?;
    if before.build() != build {
        set_jumps(&mut maps, pins)?;
        programs.take_over_links(pins)?;
        let switch = SwitchConfig::new(before.cpu_port(), before.flood_relay(), build);
        maps.switch.set(0, switch, 0).map_err(map_error("write", names::MAP_SWITCH))?;
        pins.forget_other_builds(build)?;
    }
    Ok((maps, programs))
}

/// The verified instruction count of each program, as the kernel counted when it loaded them.
///
/// # Errors
/// The object is missing or does not load.
pub fn verified_instructions() -> Result<Vec<(&'static str, u32)>, DatapathError> {
    if OBJECT.is_empty() {
        return Err(DatapathError::NoObject);
    }
    let mut ebpf = Ebpf::load(OBJECT).map_err(|source| DatapathError::Load { source: Box::new(source) })?;
    let mut counts = Vec::new();
    for name in names::PROGRAMS {
        let program = classifier(&mut ebpf, name)?;
        program.load().map_err(program_error(name))?;
        let info = program.info().map_err(program_error(name))?;
        let count =
            info.verified_instruction_count().ok_or(DatapathError::Missing { what: "count of", name })?;
        counts.push((name, count));
    }
    Ok(counts)
}

impl Programs {
    fn adopt(pins: &Pins) -> Result<Self, DatapathError> {
        Ok(Self {
            port_ingress: pinned(pins, PROG_PORT_INGRESS)?,
            flood_resume: pinned(pins, PROG_FLOOD_RESUME)?,
        })
    }

    /// Swaps the programs inside live links: no frame passes without one.
    fn take_over_links(&mut self, pins: &Pins) -> Result<(), DatapathError> {
        for port in pins.linked_ports()? {
            swap(&mut self.port_ingress, PROG_PORT_INGRESS, &pins.port_link(port))?;
        }
        if pins.relay_link().exists() {
            swap(&mut self.flood_resume, PROG_FLOOD_RESUME, &pins.relay_link())?;
        }
        Ok(())
    }
}

fn pinned(pins: &Pins, name: &'static str) -> Result<SchedClassifier, DatapathError> {
    SchedClassifier::from_pin(pins.programs().join(name)).map_err(program_error(name))
}

fn set_jumps(maps: &mut Maps, pins: &Pins) -> Result<(), DatapathError> {
    for (position, name) in names::JUMPS {
        let target = pinned(pins, name)?;
        let fd = target.fd().map_err(program_error(name))?;
        maps.jumps.set(position, fd, 0).map_err(map_error("set", names::MAP_JUMPS))?;
    }
    Ok(())
}

/// Takes the tail-call targets out of their map: they hold the map and it holds them, which the kernel does not always untie by
/// itself when the last pin goes.
///
/// # Errors
/// The map is there and cannot be changed.
pub(super) fn clear_jumps(pins: &Pins) -> Result<(), DatapathError> {
    for path in pins.of_all_builds(names::MAP_JUMPS)? {
        let data = MapData::from_pin(&path).map_err(map_error("open", names::MAP_JUMPS))?;
        let map = Map::from_map_data(data).map_err(map_error("open", names::MAP_JUMPS))?;
        let mut jumps = ProgramArray::try_from(map).map_err(map_error("open", names::MAP_JUMPS))?;
        for (position, _) in names::JUMPS {
            match jumps.clear_index(&position) {
                Err(error) if !is_missing(&error) => return Err(map_error("clear", names::MAP_JUMPS)(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn swap(
    program: &mut SchedClassifier,
    name: &'static str,
    pin: &std::path::Path,
) -> Result<(), DatapathError> {
    let pinned = PinnedLink::from_pin(pin).map_err(link_error(pin))?;
    let link: SchedClassifierLink = FdLink::from(pinned).try_into().map_err(link_error(pin))?;
    let id = program.attach_to_link(link).map_err(program_error(name))?;
    // The pin holds the link from here on.
    program.take_link(id).map(drop).map_err(program_error(name))
}

fn check_pins(pins: &Pins, build: u64) -> Result<(), DatapathError> {
    let object = aya_obj::Object::parse(OBJECT)
        .map_err(|source| DatapathError::Load { source: Box::new(aya::EbpfError::ParseError(source)) })?;
    for name in names::MAPS {
        let expected = object.maps.get(name).ok_or(DatapathError::Missing { what: "map", name })?;
        pins.check_map(name, build, expected)?;
    }
    Ok(())
}

fn replace_programs(ebpf: &mut Ebpf, pins: &Pins) -> Result<(), DatapathError> {
    for name in names::PROGRAMS {
        let program = classifier(ebpf, name)?;
        program.load().map_err(program_error(name))?;
        let path = pins.programs().join(name);
        if path.exists() {
            fs::remove_file(&path).map_err(io_error("remove", &path))?;
        }
        program.pin(&path).map_err(|source| DatapathError::Pin { path, source: Box::new(source) })?;
    }
    Ok(())
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier, DatapathError> {
    let program = ebpf.program_mut(name).ok_or(DatapathError::Missing { what: "program", name })?;
    program.try_into().map_err(program_error(name))
}

/// A program operation that failed.
pub(super) fn program_error(program: &'static str) -> impl Fn(aya::programs::ProgramError) -> DatapathError {
    move |source| DatapathError::Program { program: String::from(program), source: Box::new(source) }
}
