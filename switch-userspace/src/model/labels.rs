//! Labels of endpoints, as Kubernetes writes them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::names::is_dns_label;

/// Labels of one endpoint.
pub type Labels = BTreeMap<LabelKey, LabelValue>;

/// The key of a label: `name` or `prefix/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelKey(String);

/// The value of a label; may be empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelValue(String);

/// Not a label.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// The key is not one.
    #[error(
        "{text:?} cannot be a label's key: use 1 to 63 letters, digits, `-`, `_` and `.` with a letter or digit at both \
         ends, optionally after a DNS name and `/`"
    )]
    Key {
        /// What was given.
        text: String,
    },
    /// The value is not one.
    #[error(
        "{text:?} cannot be a label's value: use at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at \
         both ends"
    )]
    Value {
        /// What was given.
        text: String,
    },
}

impl TryFrom<String> for LabelKey {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        let legal = match text.split_once('/') {
            Some((prefix, name)) => {
                prefix.len() <= 253 && prefix.split('.').all(is_dns_label) && is_qualified_name(name)
            }
            None => is_qualified_name(&text),
        };
        if legal { Ok(Self(text)) } else { Err(LabelError::Key { text }) }
    }
}

impl TryFrom<String> for LabelValue {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        if text.is_empty() || is_qualified_name(&text) {
            Ok(Self(text))
        } else {
            Err(LabelError::Value { text })
        }
    }
}

impl From<LabelKey> for String {
    fn from(key: LabelKey) -> Self {
        key.0
    }
}

impl From<LabelValue> for String {
    fn from(value: LabelValue) -> Self {
        value.0
    }
}

impl fmt::Display for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_qualified_name(text: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_follow_kubernetes() {
        for text in ["app", "a", "app.kubernetes.io/name", "A_b.c-9"] {
            assert!(LabelKey::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["", "/a", "a/", "-a", "a-", "UPPER.io/a", "a/b/c", "a b", &"x".repeat(64)] {
            assert!(LabelKey::try_from(text.to_owned()).is_err(), "{text}");
        }
        for (text, legal) in [("", true), ("v1.2", true), ("-", false), ("a b", false)] {
            assert_eq!(LabelValue::try_from(text.to_owned()).is_ok(), legal, "{text}");
        }
    }
}
