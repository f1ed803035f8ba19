//! How the types of other crates are written into the store.

use serde::{Deserialize, Serialize};
use switch_common::abi::addr::{DomainId, PortId, Slot};

/// Values that are stored as the text that they print as.
pub(super) mod text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DomainId", transparent)]
pub(super) struct StoredDomainId(u16);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Slot", transparent)]
pub(super) struct StoredSlot(u16);

#[derive(Serialize, Deserialize)]
#[serde(remote = "PortId", transparent)]
pub(super) struct StoredPortId(u32);
