//! Names on the host that derive from the instance.

use std::hash::{DefaultHasher, Hasher};

/// The instance that is served when nobody names one.
pub const DEFAULT_INSTANCE: &str = "default";

/// What the names of the instance's interfaces begin with, 3 or 6 bytes: `wye` for the default instance, else `w` and
/// five hex digits of a hash, so that several switches on one host do not meet.
#[must_use]
pub fn interface_prefix(instance: &str) -> String {
    if instance == DEFAULT_INSTANCE {
        return String::from("wye");
    }
    format!("w{:05x}", digest(instance.as_bytes()) & 0xf_ffff)
}

/// What the network namespace that wye makes for an endpoint is called: as the endpoint, `EP@INSTANCE` beside the default
/// instance. Neither part can have an `@` of its own.
#[must_use]
pub fn endpoint_netns(instance: &str, endpoint: &str) -> String {
    if instance == DEFAULT_INSTANCE { endpoint.to_owned() } else { format!("{endpoint}@{instance}") }
}

/// A digest that is the same in every run of this program. Not for secrets.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_have_prefixes_of_their_own() {
        assert_eq!(interface_prefix(DEFAULT_INSTANCE), "wye");
        assert_ne!(interface_prefix("a"), interface_prefix("b"));
        assert_eq!(interface_prefix("a").len(), 6);
    }

    #[test]
    fn endpoints_of_two_instances_have_namespaces_of_their_own() {
        assert_eq!(endpoint_netns(DEFAULT_INSTANCE, "web"), "web");
        assert_eq!(endpoint_netns("lab", "web"), "web@lab");
    }
}
