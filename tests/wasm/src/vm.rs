//! One VM with both root contexts of Conduit, as one Envoy worker holds it.

use crate::headers::Headers;
use crate::state::{Context, Deferred, Direction, Fault, Guest, Host, Metric, Status};
use crate::{hostcalls, wasi};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wasmtime::{Config, Engine, Instance, Linker, Module, Store, StoreLimitsBuilder, WasmParams, WasmResults};

/// Root id of the gateway role.
pub const GATEWAY: &str = "conduit.gateway";
/// Root id of the upstream role.
pub const UPSTREAM: &str = "conduit.upstream";

/// Instructions that one callback may take before it counts as a loop.
const FUEL: u64 = 20_000_000_000;

/// What a VM starts with.
pub struct Setup {
    configuration: String,
    environment: Vec<String>,
    clock: u64,
    tick: u64,
    faults: Vec<Fault>,
    fuel: u64,
    memory: usize,
}

impl Setup {
    /// A VM with this `conduit.yaml`.
    pub fn new(configuration: impl Into<String>) -> Self {
        Self {
            configuration: configuration.into(),
            environment: Vec::new(),
            clock: 1_795_000_000_000_000_000,
            tick: 1_000_000,
            faults: Vec::new(),
            fuel: FUEL,
            memory: 1 << 30,
        }
    }

    /// Sets an environment variable of the VM.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// What the clock says at first (nanoseconds since the epoch) and how far it goes with each callback. Within a
    /// callback it stands still.
    pub fn clock(mut self, start: u64, per_callback: u64) -> Self {
        (self.clock, self.tick) = (start, per_callback);
        self
    }

    /// Makes the `nth` call (from 1; 0: each) of a host function answer `status`, from the very start.
    pub fn fault(mut self, call: &str, nth: u64, status: Status) -> Self {
        self.faults.push(Fault { call: call.into(), nth, status, seen: 0 });
        self
    }

    /// Instructions that one callback may take.
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// Starts a VM with `conduit.wasm` as it was built.
    pub fn start(self) -> Vm {
        let (engine, module) = built();
        Vm::start(engine, module, self).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts a VM with another module: its text or its binary.
    pub fn start_module(self, wasm: &[u8]) -> Result<Vm, String> {
        let engine = engine();
        let module = Module::new(&engine, wasm).map_err(|error| format!("{error:#}"))?;
        Vm::start(&engine, &module, self)
    }
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.consume_fuel(true);
    Engine::new(&config).expect("Cranelift knows this machine")
}

/// `conduit.wasm`, compiled once per test process.
#[allow(clippy::disallowed_methods)] // That the core reads no files does not bind its host.
fn built() -> (&'static Engine, &'static Module) {
    static BUILT: OnceLock<(Engine, Module)> = OnceLock::new();
    let (engine, module) = BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.ancestors().nth(2).unwrap_or(package);
        let path = std::env::var_os("CONDUIT_WASM")
            .map_or_else(|| root.join("target/wasm32-wasip1/release/conduit.wasm"), PathBuf::from);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("cannot read {}: {error}. `make build` makes it; CONDUIT_WASM names another one.", path.display())
        });
        let engine = engine();
        let module = Module::new(&engine, &bytes).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
        (engine, module)
    });
    (engine, module)
}

/// A running VM.
pub struct Vm {
    store: Store<Host>,
    instance: Instance,
    next_context: u32,
    tick: u64,
    fuel: u64,
    gateway: u32,
    upstream: u32,
    /// Whether both roles accepted the configuration.
    pub accepted: bool,
    /// The most instructions that one callback took since the VM was ready.
    pub most_fuel: u64,
}

impl Vm {
    fn start(engine: &Engine, module: &Module, setup: Setup) -> Result<Self, String> {
        let mut linker = Linker::new(engine);
        hostcalls::add(&mut linker).map_err(|error| format!("{error:#}"))?;
        wasi::add(&mut linker).map_err(|error| format!("{error:#}"))?;
        let host = Host {
            configuration: setup.configuration.into_bytes(),
            environment: setup.environment,
            clock: setup.clock,
            faults: setup.faults,
            limits: StoreLimitsBuilder::new().memory_size(setup.memory).build(),
            ..Host::default()
        };
        let mut store = Store::new(engine, host);
        store.limiter(|host| &mut host.limits);
        store.set_fuel(setup.fuel).map_err(|error| error.to_string())?;
        let instance = linker
            .instantiate(&mut store, module)
            .map_err(|error| format!("the module does not load into Envoy: {error:#}"))?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("the module exports no memory")?;
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok())
            .ok_or("the module exports no proxy_on_memory_allocate")?;
        store.data_mut().guest = Some(Guest { memory, allocate });
        let mut vm = Self {
            store,
            instance,
            next_context: 1,
            tick: setup.tick,
            fuel: setup.fuel,
            gateway: 0,
            upstream: 0,
            accepted: true,
            most_fuel: 0,
        };
        if vm.instance.get_func(&mut vm.store, "_initialize").is_some() {
            vm.call::<(), ()>("_initialize", ())?;
        }
        for root_id in [GATEWAY, UPSTREAM] {
            let root = vm.take_id();
            vm.host().roots.insert(root, root_id.to_owned());
            vm.host().effective = root;
            vm.host().configuring = true;
            vm.call::<_, ()>("proxy_on_context_create", (root, 0u32))?;
            vm.host().configuring = false;
            // Only the root context that brings the VM up hears of its start.
            let started = root_id != GATEWAY || vm.call::<_, u32>("proxy_on_vm_start", (root, 0u32))? != 0;
            vm.host().configuring = true;
            let size = vm.host().configuration.len() as u32;
            let configured = vm.call::<_, u32>("proxy_on_configure", (root, size))? != 0;
            vm.host().configuring = false;
            vm.accepted &= started && configured;
            if root_id == GATEWAY {
                vm.gateway = root;
            } else {
                vm.upstream = root;
            }
        }
        vm.most_fuel = 0;
        Ok(vm)
    }

    fn take_id(&mut self) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        id
    }

    /// Calls an export. An error says which callback trapped or looped, and the end of the log.
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, String> {
        let function =
            self.instance.get_typed_func::<P, R>(&mut self.store, name).map_err(|error| format!("{name}: {error}"))?;
        self.store.set_fuel(self.fuel).map_err(|error| error.to_string())?;
        let host = self.store.data_mut();
        host.clock = host.clock.wrapping_add(self.tick);
        host.stop_iteration = false;
        let result = function.call(&mut self.store, params);
        let left = self.store.get_fuel().unwrap_or(0);
        self.most_fuel = self.most_fuel.max(self.fuel - left);
        result.map_err(|error| {
            let log = &self.store.data().log;
            let tail: Vec<_> = log.iter().rev().take(10).rev().map(|(_, line)| line.as_str()).collect();
            let why = if left == 0 { "did not end (its instructions are used up)" } else { "trapped" };
            format!("{name} {why}: {error:#}\nlog:\n  {}", tail.join("\n  "))
        })
    }

    fn must<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> R {
        self.call(name, params).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the host remembers: to look at, to change the clock, shared data or the log level.
    pub fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    /// Makes the `nth` call (from 1; 0: each) of a host function from now on answer `status`.
    pub fn fault(&mut self, call: &str, nth: u64, status: Status) {
        self.host().faults.push(Fault { call: call.into(), nth, status, seen: 0 });
    }

    /// Says how far the clock goes with each callback from now on; it wraps around.
    pub fn set_tick(&mut self, nanoseconds: u64) {
        self.tick = nanoseconds;
    }

    /// Lets the clock go on.
    pub fn advance_millis(&mut self, millis: u64) {
        self.host().clock += millis * 1_000_000;
    }

    /// Log lines of that level or above.
    pub fn log(&mut self, level: u32) -> Vec<String> {
        self.host().log.iter().filter(|(l, _)| *l >= level).map(|(_, line)| line.clone()).collect()
    }

    /// A metric by its whole name.
    pub fn metric(&mut self, name: &str) -> Option<Metric> {
        self.host().metrics.get(name).cloned()
    }

    /// All metrics whose name contains `part`.
    pub fn metrics(&mut self, part: &str) -> BTreeMap<String, Metric> {
        self.host()
            .metrics
            .iter()
            .filter(|(name, _)| name.contains(part))
            .map(|(n, m)| (n.clone(), m.clone()))
            .collect()
    }

    /// How many bytes of memory the module has.
    pub fn memory_size(&mut self) -> usize {
        let memory = self.host().guest.as_ref().expect("set at start").memory;
        memory.data_size(&self.store)
    }

    /// Calls `proxy_on_tick` on both roots.
    pub fn tick(&mut self) {
        for root in [self.gateway, self.upstream] {
            self.host().effective = root;
            self.must::<_, ()>("proxy_on_tick", root);
        }
    }

    /// Creates a stream context of a role ([`GATEWAY`] or [`UPSTREAM`]).
    pub fn create(&mut self, role: &str, properties: BTreeMap<Vec<u8>, Vec<u8>>) -> u32 {
        let root = if role == GATEWAY { self.gateway } else { self.upstream };
        let id = self.take_id();
        let mut all = if role == GATEWAY { self.host().connection.clone() } else { BTreeMap::new() };
        all.extend(properties);
        self.host().contexts.insert(id, Context { root, properties: all, ..Context::default() });
        self.host().effective = id;
        self.must::<_, ()>("proxy_on_context_create", (id, root));
        id
    }

    fn context_mut(&mut self, id: u32) -> &mut Context {
        self.host().contexts.get_mut(&id).expect("the context is alive")
    }

    /// Sets what a property says from now on.
    pub fn set_property(&mut self, id: u32, path: &[&str], value: Vec<u8>) {
        self.context_mut(id).properties.insert(path.join("\0").into_bytes(), value);
    }

    /// Gives a context the filter state that another one of its stream set.
    pub fn share_filter_state(&mut self, id: u32, set: BTreeMap<String, Vec<u8>>) {
        self.context_mut(id).filter_state.extend(set);
    }

    /// What a context can see.
    pub fn context(&mut self, id: u32) -> &Context {
        self.context_mut(id)
    }

    /// That direction of a context.
    pub fn side(&mut self, id: u32, direction: Direction) -> &mut crate::state::Side {
        self.context_mut(id).side(direction)
    }

    /// Runs a stream callback; whether it paused, and what is to be done now.
    pub fn stream_call<P: WasmParams>(&mut self, id: u32, name: &str, params: P) -> (bool, Vec<Deferred>) {
        self.host().effective = id;
        let action: u32 = self.must(name, params);
        assert!(action <= 1, "{name} answered with action {action}; 0 (continue) and 1 (pause) are known");
        let paused = action == 1 || self.host().stop_iteration;
        (paused, std::mem::take(&mut self.context_mut(id).deferred))
    }

    /// `proxy_on_log`, in which the final headers can be read.
    pub fn log_stream(&mut self, id: u32, request: Headers, response: Headers) {
        self.context_mut(id).logged = Some((request, response));
        self.host().effective = id;
        self.must::<_, ()>("proxy_on_log", id);
        self.context_mut(id).logged = None;
    }

    /// `proxy_on_done` and `proxy_on_delete`; gives back the filter state that the context set.
    pub fn destroy(&mut self, id: u32) -> BTreeMap<String, Vec<u8>> {
        self.host().effective = id;
        // Envoy deletes a stream's context at once, whatever `proxy_on_done` answers.
        let _: u32 = self.must("proxy_on_done", id);
        self.must::<_, ()>("proxy_on_delete", id);
        self.host().contexts.remove(&id).map(|context| context.filter_state).unwrap_or_default()
    }
}
