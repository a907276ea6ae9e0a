//! The host itself, tried on modules of a few instructions.

use conduit_wasm::Setup;
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// A module that imports `import` and whose `proxy_on_configure` does `configure`.
fn module(import: (&str, &str), configure: impl FnOnce(&mut Function)) -> Vec<u8> {
    let i32s = |count: usize| vec![ValType::I32; count];
    let mut types = TypeSection::new();
    types.ty().function(i32s(2), []);
    types.ty().function(i32s(2), i32s(1));
    types.ty().function(i32s(1), i32s(1));
    let mut imports = ImportSection::new();
    imports.import(import.0, import.1, EntityType::Function(2));
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let named = [
        ("proxy_on_context_create", 0),
        ("proxy_on_vm_start", 1),
        ("proxy_on_memory_allocate", 2),
        ("proxy_on_configure", 1),
    ];
    let mut configure = Some(configure);
    for (place, (name, kind)) in named.into_iter().enumerate() {
        functions.function(kind);
        exports.export(name, ExportKind::Func, place as u32 + 1);
        let mut body = Function::new([]);
        match (kind, configure.take_if(|_| name == "proxy_on_configure")) {
            (_, Some(configure)) => configure(&mut body),
            (0, None) => {}
            (_, None) => {
                body.instructions().i32_const(1024);
            }
        }
        body.instructions().end();
        code.function(&body);
    }
    let mut memory = MemorySection::new();
    memory.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    exports.export("memory", ExportKind::Memory, 0);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memory).section(&exports).section(&code);
    module.finish()
}

const LOG_LEVEL: (&str, &str) = ("env", "proxy_get_log_level");

fn start(wasm: &[u8]) -> Result<bool, String> {
    Setup::new("").fuel(1_000_000).start_module(wasm).map(|vm| vm.accepted)
}

#[test]
fn what_configure_answers_is_heard() {
    for (answer, accepted) in [(1, true), (0, false)] {
        let wasm = module(LOG_LEVEL, |body| {
            body.instructions().i32_const(answer);
        });
        assert_eq!(start(&wasm), Ok(accepted));
    }
}

#[test]
fn a_loop_a_trap_and_a_foreign_import_fail_with_a_sentence() {
    let looping = module(LOG_LEVEL, |body| {
        body.instructions().loop_(BlockType::Empty).br(0).end().i32_const(1);
    });
    let trapping = module(LOG_LEVEL, |body| {
        body.instructions().unreachable();
    });
    let foreign = module(("wasi_snapshot_preview1", "path_symlink"), |body| {
        body.instructions().i32_const(1);
    });
    for (wasm, sentence) in [
        (looping, "proxy_on_configure did not end"),
        (trapping, "proxy_on_configure trapped"),
        (foreign, "the module does not load into Envoy"),
    ] {
        let error = start(&wasm).unwrap_err();
        assert!(error.contains(sentence), "{error}");
    }
}

#[test]
fn a_host_call_out_of_bounds_is_refused() {
    // The status of `proxy_get_log_level(4 GiB - 1)` is the answer: 6 (invalid memory access) is not 0.
    let wasm = module(LOG_LEVEL, |body| {
        body.instructions().i32_const(-1).call(0).i32_const(6).i32_eq();
    });
    assert_eq!(start(&wasm), Ok(true));
}
