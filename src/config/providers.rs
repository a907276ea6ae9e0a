//! `providers:`: who can be reached, where, and with which credential.

use super::read::{Cursor, Entry, near, one_of, short};
use super::scalars::{Piece, is_variable, pieces, url};
use super::{Address, Plan, Provider, Url};
use crate::host::{Env, Secret};
use crate::providers::{REGISTRY, Settings, Spec, spec};

/// Reads the providers. One that cannot be used keeps its name, so that what names it is not a second mistake.
pub(super) fn read(providers: &Cursor<'_>, plan: &mut Plan, env: &dyn Env) -> Vec<(String, Option<Provider>)> {
    let entries = providers.entries("a map of providers");
    if entries.is_empty() && (providers.is_nothing() || providers.node.is_map()) {
        providers.mistake("no provider", "at least one, such as `openai: {api_key: \"${OPENAI_API_KEY}\"}`", None);
    }
    entries.iter().map(|entry| (entry.name.to_owned(), read_one(entry, plan, env))).collect()
}

fn read_one(entry: &Entry<'_>, plan: &mut Plan, env: &dyn Env) -> Option<Provider> {
    let name_is_good = !entry.name.is_empty()
        && entry.name.len() <= 64
        && entry.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !name_is_good {
        let found = format!("the name {:?}", short(entry.name));
        entry.key.mistake(found, "a provider's name of at most 64 letters, digits, `_` and `-`", None);
    }
    let fields = entry.value.fields(&["kind", "url", "api_key"]);
    let spec = match fields.get("kind") {
        Some(kind) => read_kind(&kind),
        // What is no map at all has one mistake already.
        None if !fields.is_usable() => spec(entry.name),
        None => spec(entry.name).or_else(|| {
            let near = near(entry.name, kinds()).map(|kind| format!("kind: {kind}"));
            let expected = format!("a provider's name that is a kind, or `kind:` with {}", one_of(&kinds()));
            entry.key.mistake(format!("`{}` without `kind:`", short(entry.name)), expected, near);
            None
        }),
    };

    let mut environment = Environment { env, plan, unset: false };
    let found_url = match (fields.get("url"), spec) {
        (Some(url), _) => read_url(&url, spec, &mut environment),
        (None, Some(spec)) => match spec.url {
            Some(usual) => url(usual).ok(),
            None => {
                let expected = format!("the server's base URL, which kind `{}` has no default for", spec.kind);
                fields.missing("url", &expected);
                None
            }
        },
        (None, None) => None,
    };
    let key = match (fields.get("api_key"), spec) {
        (Some(key), _) => read_key(&key, spec, &mut environment),
        (None, Some(spec)) if !spec.key_optional => {
            fields.missing("api_key", &format!("\"${{{}}}\"", spec.key_variable));
            None
        }
        (None, _) => None,
    };

    let mocked = environment.unset;
    let (url, key) = match (&plan.mock, mocked) {
        (Some(mock), true) => (Some(mock_url(mock)), Some(Secret::new("mock".into()))),
        _ => (found_url, key),
    };
    let cluster = format!("conduit.provider.{}", entry.name);
    let spec = spec?;
    let settings = Settings::default();
    Some(Provider { name: entry.name.to_owned(), spec, url: url?, settings, auth: spec.auth, key, mocked, cluster })
}

fn kinds() -> Vec<&'static str> {
    REGISTRY.iter().map(|spec| spec.kind).collect()
}

fn read_kind(kind: &Cursor<'_>) -> Option<&'static Spec> {
    let words: Vec<(&str, &'static Spec)> = REGISTRY.iter().map(|spec| (spec.kind, *spec)).collect();
    kind.word(&words)
}

fn mock_url(mock: &Address) -> Url {
    Url { tls: false, host: mock.address.clone(), port: mock.port, path: "/v1".into() }
}

/// The environment as one provider sees it.
struct Environment<'e> {
    env: &'e dyn Env,
    plan: &'e mut Plan,
    /// Whether a variable was not set and `conduit mock` stands in.
    unset: bool,
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

fn read_url(cursor: &Cursor<'_>, spec: Option<&Spec>, environment: &mut Environment<'_>) -> Option<Url> {
    const EXPECTED: &str = "`http://` or `https://`, a host, and where needed a port and a base path";
    let text = cursor.text(EXPECTED)?;
    let Some(pieces) = pieces(text) else {
        cursor.mistake(cursor.describe(), "`${NAME}` with the name of an environment variable", None);
        return None;
    };
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
        Ok(found) => match spec.and_then(|spec| found.path.strip_suffix(spec.chat_path)) {
            None => Some(found),
            Some(_) => {
                let base = spec.and_then(|spec| filled.trim_end_matches('/').strip_suffix(spec.chat_path));
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

/// Reads a credential. What stands there is never shown: it may be one.
fn read_key(cursor: &Cursor<'_>, spec: Option<&Spec>, environment: &mut Environment<'_>) -> Option<Secret> {
    let usual = spec.map(|spec| spec.key_variable).filter(|name| !name.is_empty()).unwrap_or("API_KEY");
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
