//! Lines that applications log, and messages that they fail with: each is one line, and there are not too many.

use std::sync::{Mutex, Once};

use resident_base::{ApplicationId, Bytecode};
use resident_chain::StagingPolicy;
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::bundles;

/// Logs what it is told as often as the first byte says, times 100, and panics with it if that is 0.
const CONTRACT: &str = r#"(module
    (import "resident:app/diagnostics" "log" (func $log (param i32 i32 i32)))
    (import "resident:app/diagnostics" "panic" (func $panic (param i32 i32)))
    (memory (export "memory") 2 40)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "resident:app/contract-entrypoints#execute-operation")
        (param $address i32) (param $length i32) (result i32)
        (local $n i32)
        (local.set $n (i32.mul (i32.load8_u (local.get $address)) (i32.const 100)))
        (local.set $address (i32.add (local.get $address) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (if (i32.eqz (local.get $n)) (then (call $panic (local.get $address) (local.get $length))))
        (loop $again
            (call $log (i32.const 0) (local.get $address) (local.get $length))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n)))
        (i64.store (i32.const 32) (i64.const 0))
        (i32.const 32))
    (func (export "resident:app/contract-entrypoints#execute-message") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#finalize"))
    (func (export "resident:app/contract-entrypoints#instantiate") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#process-streams") (param i32 i32))
    (func (export "resident:app/contract-entrypoints#summarize-events") (param i32 i32))
)"#;

const FORGED: &str =
    "x\n2026-11-25T22:00:00Z ERROR store damaged\r\u{1b}[2J\u{9b}31m\u{202e}txet\u{2028}\u{0}";

/// Keeps the lines of contracts.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "contract"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// The lines about an application.
fn lines_of(id: ApplicationId) -> Vec<String> {
    let lines = LINES.0.lock().unwrap();
    let about = lines.iter().filter(|line| line.contains(&id.to_string()));
    about.cloned().collect()
}

struct Scene {
    chains: TestChains,
    chain: TestChain,
    id: ApplicationId,
}

impl Scene {
    /// Each seed has an application of its own.
    fn new(seed: u8) -> Self {
        static SET: Once = Once::new();
        SET.call_once(|| {
            log::set_logger(&LINES).expect("nobody else sets one");
            log::set_max_level(log::LevelFilter::Info);
        });
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(seed);
        let code = Bytecode::new(wat::parse_str(CONTRACT).expect("the text is a module"));
        let module = chains.publish_code(&chain, code);
        let id = chains.create(&chain, module, &seed, &(), Vec::new());
        Self { chains, chain, id }
    }

    /// Why staging fails, if it does.
    fn stage(&self, hundreds: u8, said: &str) -> Option<String> {
        let bytes = [&[hundreds], said.as_bytes()].concat();
        let operation = bundles::operation(TestChains::raw_operation(self.id, bytes));
        let staged = self
            .chains
            .stage(&self.chain, vec![operation], &StagingPolicy::Abort);
        staged.err().map(|error| error.to_string())
    }
}

fn is_one_line(text: &str) -> bool {
    let hidden = ['\u{202e}', '\u{2028}'];
    !text
        .chars()
        .any(|character| character.is_control() || hidden.contains(&character))
}

#[test]
fn what_an_application_says_stays_in_its_line() {
    let scene = Scene::new(201);
    assert_eq!(scene.stage(1, FORGED), None);
    let lines = lines_of(scene.id);
    assert_eq!(lines.len(), 100);
    for line in lines {
        assert!(is_one_line(&line), "{line:?}");
        assert!(
            line.starts_with(&format!("{}: x\\n2026-", scene.id)),
            "{line}"
        );
    }
    let error = scene.stage(0, FORGED).expect("it panics");
    assert!(
        is_one_line(&error) && error.contains("panicked: x\\n2026-"),
        "{error:?}"
    );
}

#[test]
fn what_a_block_logs_is_bounded() {
    let scene = Scene::new(202);
    // A million bytes, and as many lines with nothing in them.
    for said in ["y".repeat(1_000), String::new()] {
        let before = lines_of(scene.id);
        assert_eq!(scene.stage(100, &said), None);
        let lines = lines_of(scene.id).split_off(before.len());
        let bytes: usize = lines.iter().map(String::len).sum();
        assert!(bytes < 512 << 10, "{bytes} bytes in {} lines", lines.len());
        let last = lines.last().unwrap();
        assert!(last.contains("the rest is left out"), "{last}");
    }
}
