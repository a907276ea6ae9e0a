//! Tool calls of a streamed choice, put together from pieces. OpenAI sends id and name once and numbers the calls;
//! other servers send whole calls, leave the number out, use one number for all, repeat the id, or cut the name.

use super::super::super::canonical::StreamEvent;
use super::super::text;
use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Call {
    /// The number that the provider gives it.
    wire: Option<u64>,
    id: String,
    name: String,
    /// What the provider needs to take it back.
    signature: Option<String>,
    /// [`StreamEvent::ToolStart`] is out: the name is whole once arguments or another call follow it.
    started: bool,
    /// Some of its arguments are out.
    argued: bool,
}

/// A piece of a call.
pub(super) struct Piece<'a> {
    /// The number that the provider gives the call.
    pub wire: Option<u64>,
    /// The call's id.
    pub id: Option<&'a str>,
    /// Name and arguments, or pieces of them.
    pub function: &'a Value,
    /// The call's signature.
    pub signature: Option<String>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes a piece of a call.
    pub(super) fn piece(&mut self, choice: u64, answer: &str, piece: Piece<'_>, out: &mut Vec<StreamEvent>) {
        let Piece { wire, id, function, signature } = piece;
        let name = text(function, "name");
        let at = match self.find(wire, id, name) {
            Some(at) => at,
            None => {
                // What came before is whole now.
                let last = self.calls.len().checked_sub(1);
                if let Some(last) = last {
                    self.start(last, choice, answer, out);
                }
                self.calls.push(Call { wire, ..Call::default() });
                last.map_or(0, |last| last.saturating_add(1))
            }
        };
        if let Some(call) = self.calls.get_mut(at).filter(|call| !call.started) {
            if let Some(id) = id {
                id.clone_into(&mut call.id);
            }
            call.signature = signature.or(call.signature.take());
            // A name that comes again whole is a repetition, anything else the next piece of it.
            if let Some(name) = name.filter(|name| call.name != *name) {
                call.name.push_str(name);
            }
        }
        let json = match function.get("arguments") {
            Some(Value::String(json)) => json.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        if json.is_empty() {
            return;
        }
        self.start(at, choice, answer, out);
        if let (Some(call), Ok(index)) = (self.calls.get_mut(at), u64::try_from(at)) {
            call.argued = true;
            out.push(StreamEvent::ToolArguments { choice, index, json });
        }
    }

    /// The call that a piece belongs to; `None`: a new one.
    fn find(&self, wire: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let same_id = |call: &Call| id.is_some_and(|id| call.id == id) && (wire.is_none() || call.wire == wire);
        if let Some(at) = self.calls.iter().rposition(same_id) {
            return Some(at);
        }
        let last = match wire {
            Some(_) => self.calls.iter().rposition(|call| call.wire == wire),
            None => self.calls.len().checked_sub(1),
        };
        let call = last.and_then(|at| self.calls.get(at))?;
        // Another id with a name is another call, even under the same number; without a name it is a server that makes
        // up an id for each piece. Without ids, a name after arguments is another call.
        let another = match id {
            Some(_) => !call.id.is_empty() && (wire.is_none() || name.is_some()),
            None => wire.is_none() && name.is_some() && call.argued,
        };
        if another { None } else { last }
    }

    fn start(&mut self, at: usize, choice: u64, answer: &str, out: &mut Vec<StreamEvent>) {
        let Some(call) = self.calls.get_mut(at).filter(|call| !call.started) else { return };
        call.started = true;
        let Ok(index) = u64::try_from(at) else { return };
        if call.id.is_empty() {
            // Unique in the conversation, in letters that every provider takes for an id.
            let answer: String =
                answer.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
            call.id = format!("call_{answer}_{choice}_{index}");
        }
        out.push(StreamEvent::ToolStart {
            choice,
            index,
            id: call.id.clone(),
            name: call.name.clone(),
            signature: call.signature.clone(),
        });
    }

    /// The choice is over: calls that got no arguments begin now and have none.
    pub(super) fn close(&mut self, choice: u64, answer: &str, out: &mut Vec<StreamEvent>) {
        for at in 0..self.calls.len() {
            self.start(at, choice, answer, out);
            if let (Some(call), Ok(index)) = (self.calls.get_mut(at).filter(|call| !call.argued), u64::try_from(at)) {
                call.argued = true;
                out.push(StreamEvent::ToolArguments { choice, index, json: "{}".to_owned() });
            }
        }
    }
}
