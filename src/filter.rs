//! The proxy-wasm binding: Envoy's callbacks in, steps of the core out. It decides nothing itself.
//!
//! One module, three roles, told apart by the plugin's root id: [`gateway`] is an HTTP filter of the listener,
//! [`upstream`] an upstream HTTP filter that runs once per attempt, [`tap`] a network filter between Envoy's HTTP client
//! and a provider's socket. All run in one VM on each worker; the first two meet in [`EXCHANGES`].

mod gateway;
mod hostcalls;
mod tap;
mod upstream;

use crate::admit::{accounts, opening};
use crate::config::{self, Plan};
use crate::exchange::Exchange;
use crate::report::metrics::{self, Kind, KnownModels, Metric, Sample};
use hostcalls::{Level, Source};
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::ContextType;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The root id of the gateway role.
const GATEWAY: &[u8] = b"conduit.gateway";
/// The root id of the upstream role.
const UPSTREAM: &[u8] = b"conduit.upstream";
/// The root id of the tap role.
const TAP: &[u8] = b"conduit.tap";

/// The filter state by which the attempts of an exchange find it. Not a header: attempts share their request headers, so
/// that what the first takes off is missing in the second; and no client can set it.
const EXCHANGE_PROPERTY: &str = "conduit.exchange";
/// Its value for a request that passes untouched: the kill switch.
const UNTOUCHED: &[u8] = b"untouched";

/// How often reservations are renewed, in milliseconds: a few times per lease.
const RENEWAL_MS: u32 = 15_000;

thread_local! {
    /// Exchanges in flight on this worker, by the id that [`EXCHANGE_PROPERTY`] carries.
    static EXCHANGES: RefCell<HashMap<String, Rc<RefCell<Exchange>>>> = RefCell::new(HashMap::new());
    static METERS: RefCell<Meters> = RefCell::new(Meters::default());
}

/// The host's ids of metrics by name, so that each is defined once.
#[derive(Default)]
struct Meters {
    ids: HashMap<String, u32>,
    models: KnownModels,
}

impl Meters {
    fn id(&mut self, metric: Metric, name: &str) -> Option<u32> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        let id = hostcalls::define_metric(metric.kind(), name)?;
        self.ids.insert(name.to_owned(), id);
        Some(id)
    }

    fn report(&mut self, sample: &Sample) {
        let Some(id) = self.id(sample.metric, &sample.name) else { return };
        match sample.metric.kind() {
            Kind::Histogram => hostcalls::record_metric(id, sample.value),
            Kind::Counter | Kind::Gauge => {
                hostcalls::increment_metric(id, i64::try_from(sample.value).unwrap_or(i64::MAX));
            }
        }
    }
}

/// Adds to the gauge of exchanges in flight.
fn exchanges_in_flight(change: i64) {
    METERS.with_borrow_mut(|meters| {
        if let Some(id) = meters.id(Metric::Exchanges, Metric::Exchanges.name()) {
            hostcalls::increment_metric(id, change);
        }
    });
}

fn report_routing(micros: u64) {
    let sample =
        Sample { metric: Metric::RoutingDuration, name: Metric::RoutingDuration.name().to_owned(), value: micros };
    METERS.with_borrow_mut(|meters| meters.report(&sample));
}

fn report_record(record: &crate::report::Record) {
    METERS.with_borrow_mut(|meters| {
        for sample in metrics::samples(record, &mut meters.models) {
            meters.report(&sample);
        }
    });
}

#[derive(Clone)]
enum Role {
    Gateway(Arc<Plan>),
    Upstream,
    Tap,
}

#[derive(Default)]
struct Root {
    role: Option<Role>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let root_id = hostcalls::property(&["plugin_root_id"]).unwrap_or_default();
        self.role = match root_id.as_slice() {
            GATEWAY => configured().map(Role::Gateway),
            UPSTREAM => Some(Role::Upstream),
            TAP => Some(Role::Tap),
            other => {
                let found = String::from_utf8_lossy(other);
                hostcalls::log(
                    Level::Critical,
                    &format!(
                        "root_id: found {found:?}, expected \"conduit.gateway\", \"conduit.upstream\" or \"conduit.tap\""
                    ),
                );
                None
            }
        };
        if matches!(self.role, Some(Role::Gateway(_))) {
            hostcalls::set_tick_period(RENEWAL_MS);
            crate::exchange::status::begins(&hostcalls::SharedData, hostcalls::now());
        }
        self.role.is_some()
    }

    fn on_tick(&mut self) {
        let now = hostcalls::now();
        EXCHANGES.with_borrow(|all| {
            // One that is at work just now needs no renewal.
            all.values().filter_map(|exchange| exchange.try_borrow_mut().ok()).for_each(|mut one| one.renew(now));
        });
    }

    fn get_type(&self) -> Option<ContextType> {
        // The SDK asks each time it makes a context.
        match self.role {
            Some(Role::Tap) => Some(ContextType::StreamContext),
            _ => Some(ContextType::HttpContext),
        }
    }

    fn create_stream_context(&self, _context_id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(tap::Tap::default()))
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        match self.role.as_ref()? {
            Role::Gateway(plan) => Some(Box::new(gateway::Gateway::new(context_id, Arc::clone(plan)))),
            Role::Upstream => Some(Box::new(upstream::Upstream::default())),
            Role::Tap => None,
        }
    }
}

/// The plan of the plugin's configuration, which is `conduit.yaml` itself. Its mistakes go to Envoy's log.
fn configured() -> Option<Arc<Plan>> {
    let bytes = hostcalls::buffer(Source::PluginConfiguration, usize::MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    // The VM's environment is the one place where secrets come from.
    #[allow(clippy::disallowed_methods)]
    let env = |name: &str| std::env::var(name).ok();
    match config::load(&text, &env) {
        Ok(plan) => {
            // Built now, so that no request waits for a vocabulary.
            for target in plan.chains.iter().flat_map(|chain| &chain.targets).chain(plan.models.values()) {
                crate::tokens::warm(target.tokenizer);
            }
            open_accounts(env(opening::VARIABLE));
            Some(Arc::new(plan))
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                hostcalls::log(Level::Critical, &format!("conduit.yaml:{mistake}"));
            }
            None
        }
    }
}

/// Begins budgets' accounts with what `conduit up` read in its records; only the first time does anything.
fn open_accounts(opening: Option<String>) {
    let Some(text) = opening else { return };
    match opening::read(&text) {
        Ok(balances) => {
            accounts::open(&hostcalls::SharedData, &balances, hostcalls::now());
        }
        Err(why) => hostcalls::log(Level::Warn, &why),
    }
}

#[allow(unsafe_code, missing_docs)]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root::default()));
    }}
}
