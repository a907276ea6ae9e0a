//! `routing:`: the default, the classes and the rules.

use super::conditions;
use super::read::{Cursor, short};
use super::targets::Chains;
use super::{ChainId, Routing};
use crate::route::Rule;
use std::collections::BTreeSet;

const TARGET: &str = "an alias, `provider/model`, or a list of them";

/// Reads the section.
pub(super) fn read<'a>(routing: &Cursor<'a>, chains: &mut Chains<'a, '_>) -> Routing {
    let fields = routing.fields(&["apply", "default", "classes", "rules"]);
    let always = fields.or("apply", false, |cursor| cursor.word(&[("auto", false), ("always", true)]));
    let default = fields.get("default").and_then(|cursor| chains.read(&cursor));
    if always && !fields.has("default") {
        fields.missing("default", &format!("{TARGET}, because `apply: always` routes every request"));
    }
    let mut found = Routing { always, default, ..Routing::default() };
    if let Some(classes) = fields.get("classes") {
        let fields = classes.fields(&["long_context", "background", "think"]);
        found.long_context = fields.get("long_context").and_then(|cursor| long_context(&cursor, chains));
        found.background = fields.get("background").and_then(|cursor| chains.read(&cursor));
        found.think = fields.get("think").and_then(|cursor| chains.read(&cursor));
    }
    let rules = fields.get("rules").filter(|cursor| !cursor.is_nothing());
    if let Some(cursor) = rules {
        match cursor.as_list() {
            None => cursor.wrong("a list of rules"),
            Some(items) => {
                let mut names = BTreeSet::new();
                found.rules = items.iter().filter_map(|item| rule(item, chains, &mut names)).collect();
                // The sort is stable: the file's order holds among equals.
                found.rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
            }
        }
    }
    found
}

fn long_context<'a>(cursor: &Cursor<'a>, chains: &mut Chains<'a, '_>) -> Option<(u64, ChainId)> {
    let fields = cursor.fields(&["above", "target"]);
    let above = fields.required("above", "a number of prompt tokens").and_then(|above| above.whole(0..=1_000_000_000));
    let target = fields.required("target", TARGET).and_then(|target| chains.read(&target));
    above.zip(target)
}

/// Reads a rule. A disabled one is read just as strictly, and left out.
fn rule<'a>(cursor: &Cursor<'a>, chains: &mut Chains<'a, '_>, names: &mut BTreeSet<&'a str>) -> Option<Rule> {
    let fields = cursor.fields(&["name", "enabled", "priority", "when", "target"]);
    let name = fields.required("name", "a name, unique in the file").and_then(|cursor| {
        let name = cursor.text("a name, unique in the file")?;
        if name.len() > 128 || name.contains(char::is_control) {
            cursor.mistake(cursor.describe(), "a name of at most 128 bytes on one line", None);
        }
        if !names.insert(name) {
            cursor.mistake(format!("a second rule `{}`", short(name)), "a name, unique in the file", None);
        }
        Some(name)
    });
    let enabled = fields.or("enabled", true, |cursor| cursor.boolean());
    let priority = fields.or("priority", 0, |cursor| cursor.whole(-1_000_000..=1_000_000_i64));
    let when = fields.required("when", "a condition").and_then(|cursor| conditions::read(&cursor));
    let chain = fields.required("target", TARGET).and_then(|cursor| chains.read(&cursor));
    let rule = Rule { name: name?.to_owned(), priority, when: when?, chain: chain? };
    enabled.then_some(rule)
}
