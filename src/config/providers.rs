//! `providers:`: who can be reached, where, and with which credential.

mod values;

use super::read::{Cursor, Entry, Fields, near, one_of, short};
use super::scalars::url;
use super::{Address, Plan, Provider, Url};
use crate::formats::Format;
use crate::host::{Env, Secret};
use crate::providers::{Auth, Field, Jwt, REGISTRY, Settings, Spec, bedrock_host, spec, vertex_host};
use values::{Environment, read_key, read_name, read_url};

/// The words for formats in `api:`: the names that their endpoints have in rules and records.
const APIS: &[(&str, Format)] = &[
    ("chat", Format::OpenAiChat),
    ("responses", Format::OpenAiResponses),
    ("messages", Format::AnthropicMessages),
    ("generate_content", Format::Gemini),
    ("converse", Format::BedrockConverse),
];

/// The variable without which Envoy's AWS signing has no key in the environment. It names a key, it is none.
const AWS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";

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
    let fields = entry.value.fields(&[
        "kind",
        "url",
        "api_key",
        "bearer",
        "api",
        "api_version",
        "region",
        "project",
        "location",
    ]);
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
    if let Some(spec) = spec {
        only_known(&fields, spec);
    }

    let mut environment = Environment { env, plan, unset: false };
    let settings = read_settings(&fields, spec, &mut environment);
    let found_url = match (fields.get("url"), spec) {
        (Some(url), _) => read_url(&url, spec, &mut environment),
        (None, Some(spec)) => usual_url(&fields, spec, &settings),
        (None, None) => None,
    };
    let key = read_credential(&fields, spec, &mut environment);

    let unset = environment.unset;
    let spec = spec?;
    let auth = match fields.has("bearer") || spec.auth == Auth::AwsSigV4 && fields.has("api_key") {
        true => Auth::Bearer,
        false => spec.auth,
    };
    let place = [(Field::Region, "the AWS region of the models"), (Field::Project, "the Google Cloud project")];
    for (field, what) in place.iter().filter(|(field, _)| spec.fields.contains(field)) {
        // A key and an address leave nothing that a region is needed for.
        let needed = *field == Field::Project || auth != Auth::Bearer || !fields.has("url");
        if needed && !fields.has(field.name()) {
            fields.missing(field.name(), what);
        }
    }
    let unsigned = auth == Auth::AwsSigV4 && plan.mock.is_some() && {
        // Not for the credential itself, which is Envoy's: the module has to know whether there is one.
        plan.variables.insert(AWS_KEY_ID.to_owned());
        env.var(AWS_KEY_ID).is_none_or(|id| id.trim().is_empty())
    };
    let mocked = plan.mock.is_some() && (unset || unsigned);
    let (url, key, auth) = match &plan.mock {
        Some(mock) if mocked => {
            let auth = if auth.is_envoys() { Auth::Bearer } else { auth };
            (Some(mock_url(mock, spec)), Some(Secret::new("mock".into())), auth)
        }
        _ => (found_url, key, auth),
    };
    let cluster = format!("conduit.provider.{}", entry.name);
    let name = entry.name.to_owned();
    Some(Provider { name, spec, url: url?, settings, auth, key, jwt: Jwt::default(), mocked, cluster })
}

fn kinds() -> Vec<&'static str> {
    REGISTRY.iter().map(|spec| spec.kind).collect()
}

fn read_kind(kind: &Cursor<'_>) -> Option<&'static Spec> {
    let words: Vec<(&str, &'static Spec)> = REGISTRY.iter().map(|spec| (spec.kind, *spec)).collect();
    kind.word(&words)
}

/// Reports each field that this kind does not know, with the kinds that do.
fn only_known(fields: &Fields<'_>, spec: &Spec) {
    for field in Field::ALL.iter().filter(|field| !spec.fields.contains(field)) {
        if let Some(cursor) = fields.get(field.name()) {
            let found = format!("`{}` for kind `{}`, which has no use for it", field.name(), spec.kind);
            let knowing: Vec<&str> =
                REGISTRY.iter().filter(|spec| spec.fields.contains(field)).map(|spec| spec.kind).collect();
            let expected = match field {
                // Nearly all know it.
                Field::ApiKey => "a token in `bearer`, or none where Envoy fetches it".to_owned(),
                _ => format!("it only for {}", one_of(&knowing)),
            };
            cursor.mistake(found, expected, None);
        }
    }
}

fn read_settings(fields: &Fields<'_>, spec: Option<&Spec>, environment: &mut Environment<'_>) -> Settings {
    let api = fields.get("api").and_then(|cursor| {
        let has = |format: &Format| spec.is_none_or(|spec| spec.formats.contains(format));
        let words: Vec<(&str, Format)> = APIS.iter().filter(|(_, format)| has(format)).copied().collect();
        let found = cursor.as_text().and_then(|text| APIS.iter().find(|(name, _)| *name == text));
        match (found, spec) {
            (Some((name, format)), Some(spec)) if !has(format) => {
                let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
                let found = format!("`{name}`, which kind `{}` does not serve", spec.kind);
                cursor.mistake(found, one_of(&names), None);
                None
            }
            _ => cursor.word(&words),
        }
    });
    let mut read = |field: Field, expected: &str, more: &str| {
        let known = spec.is_none_or(|spec| spec.fields.contains(&field));
        let cursor = fields.get(field.name()).filter(|_| known)?;
        read_name(&cursor, expected, more, environment)
    };
    Settings {
        api,
        api_version: read(Field::ApiVersion, "a version of the API, such as \"2024-10-21\"", "."),
        region: read(Field::Region, "an AWS region, such as us-east-1", ""),
        project: read(Field::Project, "the id of a Google Cloud project", ".:"),
        location: read(Field::Location, "a Google Cloud location, such as global or europe-west1", ""),
    }
}

/// Where a provider is that has no `url:`. What is missing to know it is reported.
fn usual_url(fields: &Fields<'_>, spec: &Spec, settings: &Settings) -> Option<Url> {
    if let Some(usual) = spec.url {
        return url(usual).ok();
    }
    if spec.fields.contains(&Field::Location) {
        return url(&format!("https://{}", vertex_host(settings.location.as_deref()))).ok();
    }
    if spec.fields.contains(&Field::Region) {
        return url(&format!("https://{}", bedrock_host(settings.region.as_deref()?))).ok();
    }
    let example = if spec.kind == "azure" { ", such as https://NAME.openai.azure.com" } else { "" };
    let expected = format!("the server's base URL{example}, which kind `{}` has no default for", spec.kind);
    fields.missing("url", &expected);
    None
}

/// Reads `api_key:` or `bearer:`; that neither is there is reported where the kind cannot do without.
fn read_credential(fields: &Fields<'_>, spec: Option<&Spec>, environment: &mut Environment<'_>) -> Option<Secret> {
    let knows = |field| spec.is_none_or(|spec| spec.fields.contains(&field));
    let usual = spec.map(|spec| spec.key_variable).filter(|name| !name.is_empty());
    let api_key = fields.get("api_key").filter(|_| knows(Field::ApiKey));
    let bearer = fields.get("bearer").filter(|_| knows(Field::Bearer));
    if let (Some(_), Some(bearer)) = (&api_key, &bearer) {
        bearer.mistake("`api_key` and `bearer` side by side", "one of them", None);
    }
    if api_key.is_none() && bearer.is_none() {
        if let Some(spec) = spec.filter(|spec| !spec.key_optional) {
            let or = if knows(Field::Bearer) { ", or a token in `bearer`" } else { "" };
            fields.missing("api_key", &format!("\"${{{}}}\"{or}", spec.key_variable));
        }
        return None;
    }
    let token = match usual {
        // The usual variable of a kind with both is the key's.
        Some(_) if knows(Field::ApiKey) => "AZURE_TOKEN",
        usual => usual.unwrap_or("TOKEN"),
    };
    let api_key = api_key.and_then(|cursor| read_key(&cursor, usual.unwrap_or("API_KEY"), environment));
    let bearer = bearer.and_then(|cursor| read_key(&cursor, token, environment));
    api_key.or(bearer)
}

/// The mock's address, with the base path at which it plays this kind.
fn mock_url(mock: &Address, spec: &Spec) -> Url {
    Url { tls: false, host: mock.address.clone(), port: mock.port, path: spec.mock_path.into() }
}
