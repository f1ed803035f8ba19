//! What a bug looks like from outside: a line to report, never a stack dump, and exit code 1.

use std::{
    any::Any,
    panic::{self, PanicHookInfo, UnwindSafe},
};

use super::output::say;

const ISSUES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");

/// Runs the program; `None` where it met a bug, which has been told then.
pub(super) fn told<T>(program: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    panic::set_hook(Box::new(tell));
    panic::catch_unwind(program).ok()
}

fn tell(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    say(line(&place, info.payload()));
}

fn line(place: &str, payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "error: this is a bug in wye {version} ({place}: {})\n  please report this line and the command at {ISSUES}",
        text.unwrap_or("no message")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_told_with_its_place_and_where_to_report_it() {
        let told = line("src/x.rs:1:2", &String::from("index out of bounds"));
        assert!(told.contains("src/x.rs:1:2: index out of bounds"), "{told}");
        assert!(told.contains("/issues"), "{told}");
        assert!(line("x", &"literal").contains("literal"));
    }
}
