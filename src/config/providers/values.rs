//! The values of a provider's fields: addresses, names and credentials, with what the environment has of them.

use super::super::read::Cursor;
use super::super::scalars::{Piece, is_variable, pieces, url};
use super::super::{Plan, Url};
use crate::host::{Env, Secret};
use crate::providers::Spec;

/// The environment as one provider sees it.
pub(super) struct Environment<'e> {
    pub env: &'e dyn Env,
    pub plan: &'e mut Plan,
    /// Whether a variable was not set and `conduit mock` stands in.
    pub unset: bool,
}

impl Environment<'_> {
    /// The text with its variables replaced; `None` where one is not set, which is a mistake unless there is a mock.
    fn fill(&mut self, at: &Cursor<'_>, pieces: &[Piece<'_>]) -> Option<String> {
        let mut filled = Some(String::new());
        for piece in pieces {
            let value = match piece {
                Piece::Literal(text) => Some((*text).to_owned()),
                Piece::Variable(name) => {
                    self.plan.variables.insert((*name).to_owned());
                    let value = self.env.var(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
                    if value.is_none() {
                        self.unset = true;
                    }
                    if value.is_none() && self.plan.mock.is_none() {
                        let expected =
                            format!("`{name}` in the environment, or `mock:` to stand in for providers without a key");
                        at.mistake(format!("the variable `{name}`, which is not set"), expected, None);
                    }
                    value
                }
            };
            filled = filled.zip(value).map(|(text, value)| text + &value);
        }
        filled
    }
}

/// The pieces of a text; that they are none is reported.
fn pieces_of<'a>(cursor: &Cursor<'a>, expected: &str) -> Option<Vec<Piece<'a>>> {
    let text = cursor.text(expected)?;
    let found = pieces(text);
    if found.is_none() {
        cursor.mistake(cursor.describe(), "`${NAME}` with the name of an environment variable", None);
    }
    found
}

/// Reads a name that becomes part of an address or a path: letters, digits, `-` and `more`.
pub(super) fn read_name(
    cursor: &Cursor<'_>,
    expected: &str,
    more: &str,
    environment: &mut Environment<'_>,
) -> Option<String> {
    let pieces = pieces_of(cursor, expected)?;
    let filled = environment.fill(cursor, &pieces)?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || more.contains(c);
    if filled.is_empty() || filled.len() > 100 || !filled.chars().all(good) {
        let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)));
        let once = if has_variables { " once filled in" } else { "" };
        cursor.mistake(format!("{}{once}", cursor.describe()), expected, None);
        return None;
    }
    Some(filled)
}

pub(super) fn read_url(cursor: &Cursor<'_>, spec: Option<&Spec>, environment: &mut Environment<'_>) -> Option<Url> {
    const EXPECTED: &str = "`http://` or `https://`, a host, and where needed a port and a base path";
    let pieces = pieces_of(cursor, EXPECTED)?;
    let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)));
    let filled = environment.fill(cursor, &pieces)?;
    // What came out of the environment may be secret, and so is what stands before an `@`: neither is shown.
    let shown = match (has_variables, filled.contains('@')) {
        (true, _) => format!("{} once filled in", cursor.describe()),
        (false, true) => "a URL (not shown)".to_owned(),
        (false, false) => cursor.describe(),
    };
    match url(&filled) {
        Err(why) => {
            let near = (why == "has no scheme" && !has_variables && !filled.contains('@'))
                .then(|| format!("https://{filled}"));
            cursor.mistake(format!("{shown}, which {why}"), EXPECTED, near.filter(|near| url(near).is_ok()));
            None
        }
        Ok(found) => match spec.and_then(|spec| endpoint_in(&found.path, spec)) {
            None => Some(found),
            Some(endpoint) => {
                let base = filled.trim_end_matches('/').strip_suffix(endpoint);
                let near = base.filter(|_| !has_variables).map(str::to_owned);
                cursor.mistake(
                    format!("{shown}, which names the endpoint"),
                    "the base path that stands before it",
                    near,
                );
                None
            }
        },
    }
}

/// The end of a path that belongs to the endpoint. Where the provider's paths begin at the root, so does their beginning.
fn endpoint_in(path: &str, spec: &Spec) -> Option<&'static str> {
    let ends = spec.chat_path.match_indices('/').skip(1).filter_map(|(at, _)| spec.chat_path.get(..at));
    let beginnings: Vec<&str> = if spec.mock_path.is_empty() { ends.collect() } else { Vec::new() };
    std::iter::once(spec.chat_path).chain(beginnings.into_iter().rev()).find(|end| path.ends_with(end))
}

/// Reads a credential. What stands there is never shown: it may be one.
pub(super) fn read_key(cursor: &Cursor<'_>, usual: &str, environment: &mut Environment<'_>) -> Option<Secret> {
    let expected = format!("the name of an environment variable, such as \"${{{usual}}}\"");
    let Some(text) = cursor.as_text() else {
        let found = if cursor.is_nothing() { "nothing" } else { "no string" };
        cursor.mistake(found, expected, None);
        return None;
    };
    let pieces = pieces(text).filter(|pieces| pieces.iter().any(|piece| matches!(piece, Piece::Variable(_))));
    let Some(pieces) = pieces else {
        let bare = text.strip_prefix('$').filter(|name| is_variable(name));
        let found = if bare.is_some() { "a variable without braces" } else { "a literal key (not shown)" };
        cursor.mistake(found, expected, bare.map(|name| format!("${{{name}}}")));
        return None;
    };
    let filled = environment.fill(cursor, &pieces)?;
    if filled.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        cursor.mistake("a key with characters that no header may have (not shown)", "visible ASCII", None);
        return None;
    }
    Some(Secret::new(filled))
}
