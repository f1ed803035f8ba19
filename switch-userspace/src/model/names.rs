//! Names of networks, endpoints, Kubernetes namespaces and instances: what they may look like.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::netns::IfName;

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} cannot name {what}: {allowed}")]
pub struct NameError {
    text: String,
    what: &'static str,
    allowed: &'static str,
}

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident: $what:literal, $check:ident, $allowed:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// Says what is allowed.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    Err(NameError { text, what: $what, allowed: $allowed })
                }
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// The name of a network: a legal interface name, because the network's gateway is an interface of that name.
    NetworkName: "a network", is_interface_name,
        "use 1 to 15 printable ASCII characters without `/`, `:`, `%` and spaces, and none of `.`, `..`, `lo`, `all`, `default`";
    /// The name of an endpoint.
    EndpointName: "an endpoint", is_endpoint_name,
        "use 1 to 63 letters, digits, `_`, `.` and `-`, beginning with a letter or digit, and none of `lo`, `all`, `default`";
    /// The name of a Kubernetes namespace: a DNS label.
    Namespace: "a namespace", is_dns_label,
        "use 1 to 63 lower-case letters, digits and `-`, beginning and ending with a letter or digit";
    /// The name of an instance.
    InstanceName: "an instance", is_instance_name,
        "use 1 to 32 letters, digits, `_`, `.` and `-`, beginning with a letter or digit";
}

impl Default for Namespace {
    fn default() -> Self {
        Self(String::from("default"))
    }
}

fn is_interface_name(text: &str) -> bool {
    IfName::new(text).is_ok()
}

fn is_endpoint_name(text: &str) -> bool {
    is_word(text, 63) && !matches!(text, "lo" | "all" | "default")
}

fn is_instance_name(text: &str) -> bool {
    is_word(text, 32)
}

fn is_word(text: &str, longest: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=longest).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(allowed)
}

/// A label of RFC 1123: 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end.
pub(super) fn is_dns_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_names_are_interface_names() {
        assert!(NetworkName::new("fifteen-letters").is_ok());
        for text in ["", ".", "..", "lo", "all", "default", "%d", "a%d", "a/b", "a b", "sixteen-letters-"] {
            let error = NetworkName::new(text).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("1 to 15"), "{error}");
        }
    }

    #[test]
    fn endpoint_names_are_words() {
        for text in ["a", "web-1", "0", "A.b_c", &"x".repeat(63)] {
            assert!(EndpointName::new(text).is_ok(), "{text}");
        }
        for text in
            ["", ".", "..", ".a", "-a", "lo", "all", "default", "a%d", "a/b", "a:b", "ü", &"x".repeat(64)]
        {
            assert!(EndpointName::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn namespaces_are_dns_labels() {
        assert!(Namespace::new("kube-system").is_ok());
        for text in ["", "-a", "a-", "A", "a.b", &"x".repeat(64)] {
            assert!(Namespace::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instance_names_are_one_path_segment() {
        assert!(InstanceName::new("test-1").is_ok());
        for text in ["", ".", "..", "a/b", &"x".repeat(33)] {
            assert!(InstanceName::new(text).is_err(), "{text}");
        }
    }
}
