//! One test for each datapath.

/// Makes a test of each function, which takes a `Mode`, for each datapath.
#[macro_export]
macro_rules! both_datapaths {
    ($($test:ident),* $(,)?) => {
        mod ebpf {
            $(#[test] fn $test() { super::$test(switch_userspace::datapath::Mode::Ebpf); })*
        }
        mod userspace {
            $(#[test] fn $test() { super::$test(switch_userspace::datapath::Mode::Userspace); })*
        }
    };
}
