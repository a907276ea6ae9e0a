//! The compiled configuration: what the request path reads.

use crate::admit::rules::{Budget, Limit, Scope};
use crate::admit::{Consumers, Identity};
use crate::cost::Price;
use crate::host::Secret;
use crate::providers::{Auth, Jwt, Settings, Spec};
use crate::route::Rule;
use crate::tokens::Tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A provider's place in [`Plan::providers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(pub usize);

/// A chain's place in [`Plan::chains`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub usize);

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `enabled: false` is the kill switch: requests pass untouched to [`Plan::passthrough`].
    pub enabled: bool,
    /// Where clients connect.
    pub listen: Address,
    /// Where Envoy's admin interface (metrics) is.
    pub admin: Address,
    /// Where `conduit mock` stands in for providers without a key; `None`: a missing key is a mistake.
    pub mock: Option<Address>,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Providers, in the order of the file.
    pub providers: Vec<Provider>,
    /// Every distinct ordered list of targets that the file names.
    pub chains: Vec<Chain>,
    /// The composite clusters by the providers that they try in their order: for every chain of several targets, and for
    /// what can be left of one when others of its targets are left out. Chains of the same providers share one.
    pub composites: BTreeMap<Vec<ProviderId>, String>,
    /// Aliases by name, in the order of the file.
    pub aliases: Vec<(String, ChainId)>,
    /// Routing.
    pub routing: Routing,
    /// What `models:` says, by `provider/model`.
    pub models: BTreeMap<String, Arc<Target>>,
    /// Which providers the file itself names a model at, in `models:` or as a target, by the bare model name.
    pub named: BTreeMap<String, Vec<ProviderId>>,
    /// The provider that serves paths of `/v1/` that Conduit has no format for: that of the default target where it is
    /// OpenAI-compatible, else the first that is.
    pub passthrough: Option<ProviderId>,
    /// Every environment variable that the file names: the VM needs them.
    pub variables: BTreeSet<String>,
    /// Where access-log records go; `None`: standard output.
    pub access_log: Option<String>,
    /// Who may call; empty: everyone, as one.
    pub consumers: Consumers,
    /// Budgets, those of single consumers included.
    pub budgets: Vec<Budget>,
    /// Limits, those of single consumers included.
    pub limits: Vec<Limit>,
    /// Headers of dimensions (`x-conduit-project`…) that are taken from clients; the others are not looked at.
    pub trusted_headers: Vec<&'static str>,
}

/// An address to listen on or to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// IP address or host name.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// Timeouts, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to a provider (default 5 s).
    pub connect_ms: u64,
    /// Per attempt, until the first byte of the answer, which for an unary answer is its end (default 300 s).
    pub first_byte_ms: u64,
    /// Between two bytes of an answer (default 300 s).
    pub idle_ms: u64,
}

/// A provider to reach.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in the file.
    pub name: String,
    /// What kind it is.
    pub spec: &'static Spec,
    /// Where it is.
    pub url: Url,
    /// What else the file says of it.
    pub settings: Settings,
    /// How it wants its credential.
    pub auth: Auth,
    /// Its credential; `None` where the kind needs none and none is given, or Envoy has it.
    pub key: Option<Secret>,
    /// The token that is made of the credential, where one is.
    pub jwt: Jwt,
    /// Whether `conduit mock` stands in for it, because its key is not set.
    pub mocked: bool,
    /// The Envoy cluster of this provider alone: `conduit.provider.<name>`.
    pub cluster: String,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Host name or IP address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Base path, without a trailing slash; may be empty.
    pub path: String,
}

impl Url {
    /// What `:authority` says: the host, with the port where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

/// A provider's model, with all that the request path wants to know of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which provider.
    pub provider: ProviderId,
    /// The model name that the provider knows.
    pub model: String,
    /// `provider/model`, as the file and the records say it.
    pub name: String,
    /// How its tokens are counted.
    pub tokenizer: Tokenizer,
    /// How many tokens fit, where known.
    pub context: Option<u64>,
    /// How many tokens it answers with at most, where known.
    pub max_output: Option<u64>,
    /// What it costs; `None`: unpriced.
    pub price: Option<Price>,
}

/// An ordered list of targets.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The targets, first choice first. Never empty.
    pub targets: Vec<Arc<Target>>,
    /// The Envoy cluster that tries them in order: the provider's own for a single target, a composite one
    /// (`conduit.chain.<number>`) for several.
    pub cluster: String,
}

/// `routing:`
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Whether classes and default apply to every request (`always`) or to those that name the model `auto`.
    pub always: bool,
    /// Where `auto` goes when no class does.
    pub default: Option<ChainId>,
    /// Requests with more prompt tokens than this…
    pub long_context: Option<(u64, ChainId)>,
    /// Requests that ask for a small model by name or by `x-conduit-class: background`.
    pub background: Option<ChainId>,
    /// Requests that ask for reasoning.
    pub think: Option<ChainId>,
    /// Enabled rules, highest priority first, the file's order among equals.
    pub rules: Vec<Rule>,
}

/// What a body may grow by in translation.
const HEADROOM: u64 = 1 << 20;

impl Plan {
    /// Bytes that one stream may hold back: a whole request, or an answer that is read before it is passed on.
    pub fn most_held(&self) -> u64 {
        // Twice the largest body: a translated request can be longer than the client's (escapes, base64 wrappers).
        self.max_body.saturating_mul(2).saturating_add(HEADROOM).min(u64::from(u32::MAX))
    }

    /// Whether anything depends on who is at the other end of a client's connection.
    pub fn looks_at_peers(&self) -> bool {
        let named = |identity: &Identity| matches!(identity, Identity::Principal(_));
        self.consumers.list.iter().flat_map(|consumer| &consumer.identities).any(named)
            || self.budgets.iter().any(|budget| budget.per == Scope::Ip)
            || self.limits.iter().any(|limit| limit.per == Scope::Ip)
    }

    /// Whether a client's word in that header counts: not where it is one of a dimension that is not trusted.
    pub fn hears(&self, header: &str) -> bool {
        !super::top::DIMENSIONS.contains(&header) || self.trusted_headers.contains(&header)
    }

    /// The provider at `id`.
    pub fn provider(&self, id: ProviderId) -> Option<&Provider> {
        self.providers.get(id.0)
    }

    /// The provider of that name.
    pub fn provider_named(&self, name: &str) -> Option<(ProviderId, &Provider)> {
        self.providers.iter().enumerate().find(|(_, p)| p.name == name).map(|(i, p)| (ProviderId(i), p))
    }

    /// The chain at `id`.
    pub fn chain(&self, id: ChainId) -> Option<&Chain> {
        self.chains.get(id.0)
    }

    /// Whether the file itself names a target. What clients name is without end; what is kept of targets is kept of these.
    pub fn names(&self, target: &Target) -> bool {
        let of_chain = |chain: &Chain| chain.targets.iter().any(|known| known.name == target.name);
        self.models.contains_key(&target.name) || self.chains.iter().any(of_chain)
    }

    /// The cluster that tries these targets in their order, where there is one.
    pub fn cluster_of(&self, targets: &[Arc<Target>]) -> Option<&str> {
        if let [only] = targets {
            return self.provider(only.provider).map(|provider| provider.cluster.as_str());
        }
        let providers: Vec<ProviderId> = targets.iter().map(|target| target.provider).collect();
        self.composites.get(&providers).map(String::as_str)
    }

    /// The alias of that name.
    pub fn alias(&self, name: &str) -> Option<ChainId> {
        self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, chain)| *chain)
    }

    /// `model` at `provider`, as `models:` says or as the catalog knows it. Any model name is taken: the catalog is
    /// never complete, and the provider is the one to refuse.
    pub fn target(&self, provider: ProviderId, model: &str) -> Option<Arc<Target>> {
        let found = self.provider(provider)?;
        let name = format!("{}/{model}", found.name);
        if let Some(target) = self.models.get(&name) {
            return Some(Arc::clone(target));
        }
        Some(Arc::new(Target {
            provider,
            model: model.to_owned(),
            tokenizer: crate::tokens::tokenizer_for(found.spec.kind, model),
            context: crate::cost::context_window(found.spec.catalog_id, model),
            max_output: crate::cost::max_output(found.spec.catalog_id, model),
            price: crate::cost::catalog_price(found.spec.catalog_id, model),
            name,
        }))
    }
}
