//! Serde for numbers that have to survive JSON, used as `#[serde(with = "crate::exact")]`.
//!
//! Many readers of JSON, every one in JavaScript among them, keep numbers as floats, and round those beyond 2^53.
//! Such a number is written as a string of its digits there, and a smaller one as a number. Both are read. BCS has
//! the plain number.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::{NumberFromU64, parse_or_number};

/// The largest number up to which floats have all whole numbers.
const MAX_EXACT: u64 = 1 << 53;

pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match *number > MAX_EXACT && serializer.is_human_readable() {
        true => serializer.collect_str(number),
        false => serializer.serialize_u64(*number),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match deserializer.is_human_readable() {
        true => parse_or_number(deserializer),
        false => u64::deserialize(deserializer),
    }
}

impl NumberFromU64 for u64 {
    fn from_u64(value: u64) -> Self {
        value
    }
}

/// The same for the values of a map.
pub(crate) mod values {
    use super::{BTreeMap, Deserialize, Deserializer, Exact, Serialize, Serializer};

    pub(crate) fn serialize<K: Serialize, S: Serializer>(
        map: &BTreeMap<K, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, number)| (key, Exact(*number))))
    }

    pub(crate) fn deserialize<'de, K, D>(deserializer: D) -> Result<BTreeMap<K, u64>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        D: Deserializer<'de>,
    {
        let map = BTreeMap::<K, Exact>::deserialize(deserializer)?;
        Ok(map
            .into_iter()
            .map(|(key, Exact(number))| (key, number))
            .collect())
    }
}

struct Exact(u64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Exact)
    }
}

#[cfg(test)]
mod tests {
    use crate::{AccountOwner, ChainOwnership, Resources, TimeDelta, Timestamp};

    use super::*;

    #[test]
    fn json_writes_what_floats_cannot_hold_as_strings_and_reads_both() {
        let table = [
            (0, "0"),
            (MAX_EXACT, "9007199254740992"),
            (MAX_EXACT + 1, "\"9007199254740993\""),
            (u64::MAX, "\"18446744073709551615\""),
        ];
        for (number, json) in table {
            let time = Timestamp::from(number);
            assert_eq!(serde_json::to_string(&time).unwrap(), json);
            for json in [json.to_owned(), number.to_string(), format!("\"{number}\"")] {
                assert_eq!(
                    serde_json::from_str::<Timestamp>(&json).unwrap(),
                    time,
                    "{json}"
                );
            }
            assert_eq!(bcs::to_bytes(&time), Ok(number.to_le_bytes().to_vec()));
            assert_eq!(bcs::from_bytes(&number.to_le_bytes()), Ok(time));
        }
        for json in ["-1", "1.5", "\"\"", "null", "18446744073709551616"] {
            assert!(serde_json::from_str::<TimeDelta>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn no_number_of_the_larger_types_is_rounded() {
        let owner = AccountOwner::Reserved(7);
        let mut ownership = ChainOwnership::single(owner);
        ownership.owners.insert(owner, u64::MAX);
        let used = Resources {
            wasm_fuel: u64::MAX,
            http_requests: 3,
            ..Resources::default()
        };
        let json = serde_json::to_value((&ownership, &used)).unwrap();
        check_numbers(&json);
        assert_eq!(json[1]["http_requests"], 3);
        assert_eq!(
            serde_json::from_value::<(ChainOwnership, Resources)>(json).unwrap(),
            (ownership.clone(), used)
        );
        let bytes = bcs::to_bytes(&ownership).unwrap();
        assert_eq!(bcs::from_bytes(&bytes), Ok(ownership));
    }

    fn check_numbers(json: &serde_json::Value) {
        match json {
            serde_json::Value::Number(number) => {
                assert!(
                    number.as_u64().is_some_and(|number| number <= MAX_EXACT),
                    "{number}"
                );
            }
            serde_json::Value::Array(values) => values.iter().for_each(check_numbers),
            serde_json::Value::Object(values) => values.values().for_each(check_numbers),
            _ => {}
        }
    }
}
