//! A header map as Envoy holds it: lower-case names, order kept, repeated names allowed.

use std::fmt;

/// A header map.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// A map of `pairs`.
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        let mut map = Self::default();
        for (name, value) in pairs {
            map.add(name, value.as_bytes());
        }
        map
    }

    /// The first value of that name, as Envoy answers a lookup.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let name = name.to_ascii_lowercase();
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_slice())
    }

    /// The first value of that name as text; bytes that are not UTF-8 show as `�`.
    pub fn get(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Replaces every value of that name by one.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        match self.0.iter().position(|(n, _)| *n == name) {
            Some(at) => {
                self.0[at].1 = value.to_vec();
                let mut index = 0;
                self.0.retain(|(n, _)| {
                    index += 1;
                    index <= at + 1 || *n != name
                });
            }
            None => self.0.push((name, value.to_vec())),
        }
    }

    /// Removes every value of that name.
    pub fn remove(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        self.0.retain(|(n, _)| *n != name);
    }

    /// The pairs in order.
    pub fn pairs(&self) -> &[(String, Vec<u8>)] {
        &self.0
    }

    /// `:status` as a number; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.get(":status").and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The wire form of ABI 0.2.1: count, the sizes of all names and values, then each of them with a NUL behind it.
    pub fn to_wire(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut wire = (self.0.len() as u32).to_le_bytes().to_vec();
        for (name, value) in &self.0 {
            wire.extend((name.len() as u32).to_le_bytes());
            wire.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in &self.0 {
            wire.extend(name.as_bytes());
            wire.push(0);
            wire.extend(value);
            wire.push(0);
        }
        wire
    }

    /// Reads the wire form; `None` where it is cut short or a name is not UTF-8.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        if wire.is_empty() {
            return Some(Self::default());
        }
        let number = |at: usize| Some(u32::from_le_bytes(wire.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize);
        let count = number(0)?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        let mut map = Self::default();
        for entry in 0..count {
            let (name_size, value_size) = (number(4 + entry * 8)?, number(8 + entry * 8)?);
            let name = wire.get(at..at.checked_add(name_size)?)?;
            at += name_size + 1;
            let value = wire.get(at..at.checked_add(value_size)?)?;
            at += value_size + 1;
            map.add(std::str::from_utf8(name).ok()?, value);
        }
        Some(map)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(n, v)| (n, String::from_utf8_lossy(v)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_survives_a_round_trip() {
        for pairs in [&[][..], &[(":path", "/"), ("x", "")], &[("a", "1"), ("a", "2"), ("b", "é")]] {
            let map = Headers::new(pairs);
            assert_eq!(Headers::from_wire(&map.to_wire()), Some(map));
        }
        // The layout itself, as proxy-wasm's SDKs read it.
        assert_eq!(Headers::new(&[("ab", "c")]).to_wire(), b"\x01\0\0\0\x02\0\0\0\x01\0\0\0ab\0c\0");
    }

    #[test]
    fn a_cut_wire_form_is_refused() {
        let wire = Headers::new(&[("name", "value"), ("b", "c")]).to_wire();
        for cut in 1..wire.len() - 1 {
            assert_eq!(Headers::from_wire(&wire[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn names_are_lower_case_and_the_first_value_answers() {
        let mut map = Headers::new(&[("X-A", "1"), ("x-b", "2"), ("x-a", "3")]);
        assert_eq!(map.get("x-A").as_deref(), Some("1"));
        map.set("X-a", b"4");
        assert_eq!(map, Headers::new(&[("x-a", "4"), ("x-b", "2")]));
        map.remove("X-B");
        assert_eq!(map.get("x-b"), None);
    }
}
