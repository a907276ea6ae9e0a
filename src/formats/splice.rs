//! Edits of a JSON body in place: every byte that is not edited stays as it was, key order and white space included.
//!
//! The scanner finds the members of the top-level object and skips their values; it builds no tree and does not
//! recurse. It trusts that the body is valid JSON and refuses what it cannot follow.

use std::borrow::Cow;

/// One edit of a top-level member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Sets the member (each occurrence of it) to this JSON text; adds it at the end where it is missing.
    Set(&'a str, String),
    /// Sets a member of the object under a top-level member (`stream_options` / `include_usage`); adds the object
    /// where it is missing, and puts it in the place of a value that is none (such as null).
    SetIn(&'a str, &'a str, String),
    /// Removes the member (each occurrence of it).
    Remove(&'a str),
}

/// Why a body could not be edited: it is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

/// `body` with the edits made, in their order. `body` must be valid JSON; where it is not an object, says so.
pub fn edit(body: &[u8], edits: &[Edit<'_>]) -> Result<Vec<u8>, NotAnObject> {
    let mut object = Object::scan(body)?;
    for edit in edits {
        match edit {
            Edit::Set(name, json) => object.set(name, json.clone().into_bytes()),
            Edit::SetIn(name, inner, json) => object.set_in(name, inner, json)?,
            Edit::Remove(name) => object.remove(name),
        }
    }
    object.write()
}

/// An object of the body, as places in its bytes.
struct Object<'a> {
    body: &'a [u8],
    members: Vec<Member<'a>>,
    /// Where the first byte after `{` is.
    open: usize,
    /// Members that were added, with their JSON text.
    added: Vec<(String, Vec<u8>)>,
}

struct Member<'a> {
    key: Cow<'a, str>,
    /// Where the key's quote is.
    start: usize,
    value_start: usize,
    value_end: usize,
    change: Change,
}

/// Makes a member's new JSON text from the old one, where there is one.
type NewValue<'n> = dyn Fn(Option<&[u8]>) -> Result<Vec<u8>, NotAnObject> + 'n;

enum Change {
    Keep,
    Value(Vec<u8>),
    Removed,
}

impl<'a> Object<'a> {
    fn scan(body: &'a [u8]) -> Result<Self, NotAnObject> {
        let mut cursor = Cursor { body, at: 0 };
        cursor.space();
        cursor.expect(b'{')?;
        let open = cursor.at;
        let mut members = Vec::new();
        cursor.space();
        if cursor.peek() == Some(b'}') {
            cursor.expect(b'}')?;
        } else {
            loop {
                cursor.space();
                let start = cursor.at;
                let key = cursor.key()?;
                cursor.space();
                cursor.expect(b':')?;
                cursor.space();
                let value_start = cursor.at;
                cursor.value()?;
                members.push(Member { key, start, value_start, value_end: cursor.at, change: Change::Keep });
                cursor.space();
                if cursor.peek() == Some(b'}') {
                    cursor.expect(b'}')?;
                    break;
                }
                cursor.expect(b',')?;
            }
        }
        cursor.space();
        if cursor.at != body.len() {
            return Err(NotAnObject);
        }
        Ok(Self { body, members, open, added: Vec::new() })
    }

    /// Gives each occurrence of the member the value that `new` makes of the old one; adds it where there is none.
    fn change(&mut self, name: &str, new: &NewValue<'_>) -> Result<(), NotAnObject> {
        let mut found = false;
        for member in self.members.iter_mut().filter(|member| member.key == name) {
            let old = match &member.change {
                Change::Removed => continue,
                Change::Value(value) => value.as_slice(),
                Change::Keep => self.body.get(member.value_start..member.value_end).ok_or(NotAnObject)?,
            };
            member.change = Change::Value(new(Some(old))?);
            found = true;
        }
        if found {
            return Ok(());
        }
        match self.added.iter_mut().find(|(key, _)| key == name) {
            Some((_, value)) => *value = new(Some(value))?,
            None => self.added.push((name.to_owned(), new(None)?)),
        }
        Ok(())
    }

    fn set(&mut self, name: &str, json: Vec<u8>) {
        // The new value depends on no old one, so nothing here can fail.
        let _ = self.change(name, &|_| Ok(json.clone()));
    }

    fn set_in(&mut self, name: &str, inner: &str, json: &str) -> Result<(), NotAnObject> {
        self.change(name, &|old| {
            let old = old.filter(|value| value.first() == Some(&b'{')).unwrap_or(b"{}");
            let mut object = Object::scan(old)?;
            object.set(inner, json.as_bytes().to_vec());
            object.write()
        })
    }

    fn remove(&mut self, name: &str) {
        for member in self.members.iter_mut().filter(|member| member.key == name) {
            member.change = Change::Removed;
        }
        self.added.retain(|(key, _)| key != name);
    }

    /// The object's bytes. What stands between two members (comma and white space) belongs to the later one and goes
    /// with it; what stands before the first goes with the brace.
    fn write(&self) -> Result<Vec<u8>, NotAnObject> {
        let slice = |from: usize, to: usize| self.body.get(from..to).ok_or(NotAnObject);
        let grown: usize = self.added.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
        let mut out = Vec::with_capacity(self.body.len().saturating_add(grown).saturating_add(64));
        let first = self.members.first().map_or(self.open, |member| member.start);
        out.extend_from_slice(slice(0, first)?);
        let mut empty = true;
        let mut end = self.open;
        for member in &self.members {
            let before = std::mem::replace(&mut end, member.value_end);
            if matches!(member.change, Change::Removed) {
                continue;
            }
            if !empty {
                out.extend_from_slice(slice(before, member.start)?);
            }
            empty = false;
            match &member.change {
                Change::Value(value) => {
                    out.extend_from_slice(slice(member.start, member.value_start)?);
                    out.extend_from_slice(value);
                }
                Change::Keep | Change::Removed => out.extend_from_slice(slice(member.start, member.value_end)?),
            }
        }
        for (key, value) in &self.added {
            if !std::mem::take(&mut empty) {
                out.push(b',');
            }
            out.extend_from_slice(serde_json::Value::from(key.as_str()).to_string().as_bytes());
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.extend_from_slice(slice(end, self.body.len())?);
        Ok(out)
    }
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.body.len());
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip(1);
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotAnObject> {
        if self.peek() != Some(byte) {
            return Err(NotAnObject);
        }
        self.skip(1);
        Ok(())
    }

    /// Skips a string; says whether it holds an escape.
    fn string(&mut self) -> Result<bool, NotAnObject> {
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            let run = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\')).ok_or(NotAnObject)?;
            self.skip(run);
            if self.peek() == Some(b'"') {
                self.skip(1);
                return Ok(escaped);
            }
            escaped = true;
            self.skip(2);
        }
    }

    fn key(&mut self) -> Result<Cow<'a, str>, NotAnObject> {
        let start = self.at;
        let escaped = self.string()?;
        let quoted = self.body.get(start..self.at).ok_or(NotAnObject)?;
        if escaped {
            // A key with a lone surrogate is no text; it equals no name that is asked for.
            return Ok(serde_json::from_slice::<String>(quoted).map(Cow::Owned).unwrap_or_default());
        }
        let inside = quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(NotAnObject)?;
        std::str::from_utf8(inside).map(Cow::Borrowed).map_err(|_| NotAnObject)
    }

    fn value(&mut self) -> Result<(), NotAnObject> {
        let mut depth: usize = 0;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth = depth.saturating_add(1);
                    self.skip(1);
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth = depth.saturating_sub(1);
                    self.skip(1);
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') if depth > 0 => self.skip(1),
                Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    let scalar = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                    self.skip(self.rest().iter().take_while(|byte| scalar(byte)).count());
                }
                _ => return Err(NotAnObject),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn set<'a>(name: &'a str, json: &str) -> Edit<'a> {
        Edit::Set(name, json.to_owned())
    }

    fn usage(json: &str) -> Edit<'static> {
        Edit::SetIn("stream_options", "include_usage", json.to_owned())
    }

    #[test]
    fn only_the_edited_bytes_change() {
        let nested = r#"{"x":{"model":"in"},"y":["}","\"",{"model":1}]}"#;
        let cases: &[(&str, Vec<Edit<'_>>, &str)] = &[
            ("{}", vec![], "{}"),
            ("{}", vec![set("a", "1")], r#"{"a":1}"#),
            ("  { \n } \n", vec![set("a", "1"), set("b", "2")], "  {\"a\":1,\"b\":2 \n } \n"),
            (r#"{ "a" : 1 , "b" : [ ] }"#, vec![set("a", "\"x\"")], r#"{ "a" : "x" , "b" : [ ] }"#),
            (r#"{ "a" : 1 , "b" : [ ] }"#, vec![set("c", "null")], r#"{ "a" : 1 , "b" : [ ],"c":null }"#),
            (r#"{"mod\u0065l":"x","model":"y"}"#, vec![set("model", "\"z\"")], r#"{"mod\u0065l":"z","model":"z"}"#),
            (r#"{"a":1, "b":2, "c":3}"#, vec![Edit::Remove("a")], r#"{"b":2, "c":3}"#),
            (r#"{"a":1, "b":2, "c":3}"#, vec![Edit::Remove("b")], r#"{"a":1, "c":3}"#),
            (r#"{"a":1, "b":2, "c":3}"#, vec![Edit::Remove("c")], r#"{"a":1, "b":2}"#),
            (r#"{"a":1, "b":2, "a":3 }"#, vec![Edit::Remove("a")], r#"{"b":2 }"#),
            (r#"{ "a":1 }"#, vec![Edit::Remove("a")], r#"{  }"#),
            (r#"{ "a":1 }"#, vec![Edit::Remove("a"), set("a", "2")], r#"{ "a":2 }"#),
            (r#"{"a":1}"#, vec![set("b", "1"), Edit::Remove("b")], r#"{"a":1}"#),
            (r#"{"a":1}"#, vec![set("b", "1"), set("b", "2")], r#"{"a":1,"b":2}"#),
            (r#"{"a":1}"#, vec![Edit::Remove("x")], r#"{"a":1}"#),
            (r#"{"a":1}"#, vec![usage("true")], r#"{"a":1,"stream_options":{"include_usage":true}}"#),
            (r#"{"stream_options":null}"#, vec![usage("true")], r#"{"stream_options":{"include_usage":true}}"#),
            (r#"{"stream_options":[1]}"#, vec![usage("true")], r#"{"stream_options":{"include_usage":true}}"#),
            (
                r#"{"stream_options":{ "a" : 1, "include_usage":false }, "z":0}"#,
                vec![usage("true")],
                r#"{"stream_options":{ "a" : 1, "include_usage":true }, "z":0}"#,
            ),
            (nested, vec![set("model", "1")], r#"{"x":{"model":"in"},"y":["}","\"",{"model":1}],"model":1}"#),
            (r#"{"a\\":"\\","b":"é\u00e9"}"#, vec![Edit::Remove("a\\")], r#"{"b":"é\u00e9"}"#),
            (r#"{"\ud800":1,"b":2}"#, vec![set("b", "3")], r#"{"\ud800":1,"b":3}"#),
        ];
        for (body, edits, want) in cases {
            let got = edit(body.as_bytes(), edits).unwrap_or_else(|_| panic!("{body}"));
            assert_eq!(String::from_utf8(got).unwrap(), *want, "{body} {edits:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in [
            "",
            " ",
            "[]",
            "null",
            "\"{}\"",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\":\"",
            "{\"a\":\"\\",
            "{\"a\":[1,{\"b\":2}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":}",
            "{\"a\":1}{",
            "{} x",
            "{\"a\":1 \"b\":2}",
            "{\"a\":,}",
            "\u{feff}{}",
        ] {
            assert_eq!(edit(body.as_bytes(), &[set("a", "1")]), Err(NotAnObject), "{body}");
        }
        assert_eq!(edit(b"{\"\xff\":1}", &[]), Err(NotAnObject));
    }

    #[test]
    fn a_deep_body_needs_no_stack() {
        let body = format!("{{\"a\":{}{},\"model\":1}}", "[".repeat(500_000), "]".repeat(500_000));
        let got = edit(body.as_bytes(), &[set("model", "2")]).unwrap();
        assert_eq!(got.len(), body.len());
        assert!(got.ends_with(b",\"model\":2}"));
    }

    /// `proptest` is for native tests only.
    #[cfg(not(target_family = "wasm"))]
    mod generated {
        use super::*;
        use proptest::prelude::*;
        use serde_json::{Map, Value, json};

        fn value() -> impl Strategy<Value = Value> {
            let leaf = prop_oneof![
                Just(Value::Null),
                any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                any::<f32>().prop_map(|n| json!(f64::from(n))),
                any::<String>().prop_map(Value::from),
            ];
            leaf.prop_recursive(4, 32, 5, |inner| {
                prop_oneof![
                    prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                    prop::collection::vec((key(), inner), 0..5)
                        .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
                ]
            })
        }

        fn key() -> impl Strategy<Value = String> {
            prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("é\"\\\n".to_owned()), any::<String>()]
        }

        #[derive(Clone, Debug)]
        enum Change {
            Set(String, Value),
            SetIn(String, String, Value),
            Remove(String),
        }

        fn change() -> impl Strategy<Value = Change> {
            prop_oneof![
                (key(), value()).prop_map(|(k, v)| Change::Set(k, v)),
                (key(), key(), value()).prop_map(|(k, i, v)| Change::SetIn(k, i, v)),
                key().prop_map(Change::Remove),
            ]
        }

        fn apply(tree: &mut Map<String, Value>, change: &Change) {
            match change {
                Change::Set(name, value) => {
                    tree.insert(name.clone(), value.clone());
                }
                Change::SetIn(name, inner, value) => {
                    let slot = tree.entry(name.clone()).or_insert(Value::Null);
                    if !slot.is_object() {
                        *slot = json!({});
                    }
                    slot[inner] = value.clone();
                }
                Change::Remove(name) => {
                    tree.shift_remove(name);
                }
            }
        }

        proptest! {
            #[test]
            fn an_edited_text_is_the_edited_tree(
                members in prop::collection::vec((key(), value()), 0..6),
                changes in prop::collection::vec(change(), 0..5),
                pretty: bool,
            ) {
                let mut tree: Map<String, Value> = members.into_iter().collect();
                let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
                let edits: Vec<Edit<'_>> = changes
                    .iter()
                    .map(|change| match change {
                        Change::Set(name, value) => Edit::Set(name, value.to_string()),
                        Change::SetIn(name, inner, value) => Edit::SetIn(name, inner, value.to_string()),
                        Change::Remove(name) => Edit::Remove(name),
                    })
                    .collect();
                let got = edit(text.as_bytes(), &edits).unwrap();
                for change in &changes {
                    apply(&mut tree, change);
                }
                prop_assert_eq!(serde_json::from_slice::<Value>(&got).unwrap(), Value::from(tree));
                prop_assert_eq!(edit(text.as_bytes(), &[]).unwrap(), text.as_bytes());
            }

            #[test]
            fn no_bytes_make_it_panic_or_lose_any(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ a1nt".to_vec()), 0..40)) {
                if let Ok(same) = edit(&bytes, &[]) {
                    prop_assert_eq!(same, bytes.clone());
                }
                let _ = edit(&bytes, &[set("a", "1"), Edit::SetIn("n", "a", "1".into()), Edit::Remove("t")]);
            }
        }
    }
}
