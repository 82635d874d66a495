//! Values by label as a map from label text to value.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::Labelled;
use crate::labels::Label;

impl<L: Label, V: Serialize> Serialize for Labelled<L, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (label, value) in self.iter() {
            map.serialize_entry(label.label(), value)?;
        }
        map.end()
    }
}

impl<'de, L: Label, V: Default + Deserialize<'de>> Deserialize<'de> for Labelled<L, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelledVisitor(PhantomData))
    }
}

struct LabelledVisitor<L, V>(PhantomData<(L, V)>);

impl<'de, L: Label, V: Default + Deserialize<'de>> Visitor<'de> for LabelledVisitor<L, V> {
    type Value = Labelled<L, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map from {} to value", L::KEY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut labelled = Labelled::default();
        while let Some((text, value)) = map.next_entry::<String, V>()? {
            if let Some(label) = L::ALL.iter().find(|label| label.label() == text) {
                labelled[*label] = value;
            }
        }
        Ok(labelled)
    }
}
