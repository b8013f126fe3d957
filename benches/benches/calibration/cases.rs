//! The cases.

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, BlockHeight,
    ChainOwnership, CryptoHash, Timestamp,
};
use resident_chain::{IncomingBundle, MessageAction, MessageBundle, PostedMessage, Transaction};
use resident_execution::{Message, MessageKind, Operation, SystemOperation};

use crate::{contract::text, scene::Scene};

/// What a turn of a case is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A turn of the contract's loop.
    Loop,
    /// An operation.
    Operation,
    /// A bundle with one message.
    Bundle,
    /// A message in one bundle with all others.
    Message,
    /// A transfer of the chain's own tokens to an account, signed by the owner.
    Transfer,
    /// An application that is created, and instantiated.
    Creation,
    /// A chain that is opened.
    Opening,
}

/// A contract, and how it is run.
pub(crate) struct Case {
    pub(crate) name: String,
    setup: String,
    body: String,
    /// Turns of the loop in the longer of the two runs.
    pub(crate) turns: u32,
    /// If something has to be in the store: turns of the loop in a block before.
    pub(crate) stored: Option<u32>,
    /// Bytes of the application's parameters.
    pub(crate) parameters: usize,
    /// Whether another application of the same code is told of in the place of the own one.
    pub(crate) calls: bool,
    /// What a turn is.
    turn: Turn,
    /// Pages of the contract's memory.
    pages: u32,
    /// Bytes of each operation or message.
    argument: usize,
    /// Owners of the chain that it runs on.
    pub(crate) owners: u64,
    /// Whether each turn fails, and is rejected. What fails pays nothing: only its time is told.
    pub(crate) fails: bool,
}

impl Case {
    fn new(name: &str, turns: u32, setup: &str, body: &str) -> Self {
        Self {
            name: name.to_owned(),
            setup: setup.to_owned(),
            body: body.to_owned(),
            turns,
            stored: None,
            parameters: 1,
            calls: false,
            turn: Turn::Loop,
            pages: PAGES,
            argument: 68,
            owners: 1,
            fails: false,
        }
    }

    /// After a block with so many turns of the same.
    fn after(mut self, turns: u32) -> Self {
        self.stored = Some(turns);
        self
    }

    fn calls(mut self) -> Self {
        self.calls = true;
        self
    }

    /// Each turn is such a step of a block.
    fn each(mut self, turn: Turn) -> Self {
        self.turn = turn;
        self
    }

    fn fails(mut self) -> Self {
        self.fails = true;
        self
    }

    fn argument(mut self, bytes: usize) -> Self {
        self.argument = bytes;
        self
    }

    fn owners(mut self, owners: u64) -> Self {
        self.owners = owners;
        self
    }

    /// A contract whose memory has so many pages.
    fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    fn parameters(mut self, bytes: usize) -> Self {
        self.parameters = bytes;
        self
    }

    pub(crate) fn text(&self) -> String {
        text(&self.setup, &self.body, self.pages)
    }

    /// So many turns, as the steps of a block.
    pub(crate) fn transactions(
        &self,
        scene: &Scene,
        application_id: ApplicationId,
        other: ApplicationId,
        turns: u32,
    ) -> Vec<Transaction> {
        let argument = |turns: u32| {
            let mut bytes = turns.to_le_bytes().to_vec();
            bytes.extend(scene.chain.id.0.as_bytes());
            bytes.extend(other.application_description_hash.as_bytes());
            bytes.resize(self.argument.max(bytes.len()), 0);
            bytes
        };
        let user = |turns: u32| {
            let bytes = argument(turns);
            Transaction::ExecuteOperation(Operation::User {
                application_id,
                bytes,
            })
        };
        let message = |index: u32| PostedMessage {
            authenticated_owner: None,
            grant: Amount::ZERO,
            refund_grant_to: None,
            index,
            kind: MessageKind::Simple,
            message: Message::User {
                application_id,
                bytes: argument(1),
            },
        };
        let each = 0..turns;
        match self.turn {
            Turn::Loop => vec![user(turns)],
            Turn::Operation => each.map(|_| user(1)).collect(),
            Turn::Bundle => each.map(|n| bundle(scene, n, vec![message(0)])).collect(),
            Turn::Message => vec![bundle(scene, 0, each.map(message).collect())],
            Turn::Transfer => each.map(|n| system(transfer_to(scene, n))).collect(),
            Turn::Creation => each
                .map(|n| {
                    system(SystemOperation::CreateApplication {
                        module_id: scene.module_of(application_id),
                        parameters: n.to_string().into_bytes(),
                        instantiation_argument: b"null".to_vec(),
                        required_application_ids: Vec::new(),
                    })
                })
                .collect(),
            Turn::Opening => each
                .map(|_| {
                    system(SystemOperation::OpenChain {
                        ownership: ChainOwnership::single(scene.chain.owner),
                        balance: Amount::ZERO,
                        application_permissions: ApplicationPermissions::default(),
                    })
                })
                .collect(),
        }
    }
}

/// Pages of a contract's memory.
const PAGES: u32 = 32;

fn system(operation: SystemOperation) -> Transaction {
    Transaction::ExecuteOperation(Operation::System(operation))
}

fn transfer_to(scene: &Scene, number: u32) -> SystemOperation {
    let mut address = [1; 32];
    address[..4].copy_from_slice(&number.to_le_bytes());
    SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account {
            chain_id: scene.chain.id,
            owner: AccountOwner::Address32(CryptoHash::from(address)),
        },
        amount: Amount::from_attos(1),
    }
}

fn bundle(scene: &Scene, number: u32, messages: Vec<PostedMessage>) -> Transaction {
    Transaction::ReceiveMessages(IncomingBundle {
        origin: scene.sender,
        bundle: MessageBundle {
            height: BlockHeight(u64::from(number)),
            timestamp: Timestamp::from(0),
            block_hash: CryptoHash::from([7; 32]),
            transaction_index: 0,
            messages,
        },
        action: MessageAction::Accept,
    })
}

/// Plain instructions, which everything is compared with.
#[rustfmt::skip]
pub(crate) fn plain() -> Vec<Case> {
    vec![
        Case::new("plain/loop", 4_000_000, "", ""),
        Case::new("plain/dependent loads, 16 KiB", 4_000_000, "", &chase(16 << 10)),
        Case::new("plain/dependent loads, 1 MiB", 2_000_000, "", &chase(1 << 20)),
        Case::new("plain/divisions", 2_000_000, "",
            "(local.set $n (i32.div_u (i32.const -1) (i32.or (local.get $n) (i32.const 3))))"),
        Case::new("plain/memory.fill 64 KiB", 2_000, "",
            "(memory.fill (i32.const 131072) (i32.const 7) (i32.const 65536))"),
    ]
}

/// Keys of 5 bytes at 40960, of 4 KiB at 32768; both change with `$step`.
const SMALL: &str = "(i32.const 40960) (i32.const 5)";
const LARGE: &str = "(i32.const 32768) (i32.const 4096)";

/// A batch at 304: a put of the small key with a value of so many bytes from 131072, then its deletion.
fn batch(value_bytes: u32) -> String {
    format!(
        "(i32.store8 (i32.const 304) (i32.const 2))
        (i32.store (i32.const 308) (i32.const 40960)) (i32.store (i32.const 312) (i32.const 5))
        (i32.store (i32.const 316) (i32.const 131072)) (i32.store (i32.const 320) (i32.const {value_bytes}))
        (i32.store8 (i32.const 324) (i32.const 0))
        (i32.store (i32.const 328) (i32.const 40960)) (i32.store (i32.const 332) (i32.const 5))"
    )
}

const PUT: &str = "(call $step) (call $write_batch (i32.const 304) (i32.const 1))";
const DELETE: &str = "(call $step) (call $write_batch (i32.const 324) (i32.const 1))";

/// So many small keys are written before the loop.
fn filled(keys: u32, operations: u32) -> String {
    format!(
        "{} (local.set $n (i32.const {keys}))
        (loop $fill (call $step) (call $write_batch (i32.const 304) (i32.const {operations}))
            (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $fill (local.get $n)))",
        batch(1)
    )
}

const CHAIN: &str = "(i64.load offset=4 align=1 (local.get $address))
    (i64.load offset=12 align=1 (local.get $address))
    (i64.load offset=20 align=1 (local.get $address))
    (i64.load offset=28 align=1 (local.get $address))";
const SELF: &str = "(i64.load offset=36 align=1 (local.get $address))
    (i64.load offset=44 align=1 (local.get $address))
    (i64.load offset=52 align=1 (local.get $address))
    (i64.load offset=60 align=1 (local.get $address))";

/// A list of so many small keys at 200000, all at the same place.
fn key_list(keys: u32) -> String {
    format!(
        "(local.set $n (i32.const {keys}))
        (loop $list (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (i32.store (i32.add (i32.const 200000) (i32.shl (local.get $n) (i32.const 3))) (i32.const 40960))
            (i32.store offset=4 (i32.add (i32.const 200000) (i32.shl (local.get $n) (i32.const 3))) (i32.const 5))
            (br_if $list (local.get $n)))"
    )
}

/// A transfer of one atto of the chain's own to an owner on a chain, both given by instructions.
fn transfer(chain: &str, owner: &str) -> String {
    let zeros = "(i64.const 0) (i64.const 0) (i64.const 0)";
    format!(
        "(call $transfer (i32.const 0) (i64.const 0) {zeros} {chain}
            (i32.const 1) {owner} {zeros} (i64.const 1) (i64.const 0))"
    )
}

/// A load from an address in so many bytes, a power of two, that the last load decides on.
fn chase(bytes: u32) -> String {
    let mask = bytes - 4;
    format!(
        "(local.set $n (i32.add (i32.load (i32.and (local.get $n) (i32.const {mask})))
            (i32.add (i32.mul (local.get $n) (i32.const 1664525)) (i32.const 1013904223))))"
    )
}

/// A number that is new in each turn.
const NEXT: &str = "(i64.extend_i32_u (global.get $next))";
const ELSEWHERE: &str = "(i64.const 7) (i64.const 0) (i64.const 0) (i64.const 0)";

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let absent = |key: &str| format!("(call $step) (drop (call $contains {key}))");
    let read = format!("(call $step) (call $read {SMALL} (i32.const 64))");
    let message = "(i32.store (i32.const 1192) (i32.const 131072))";
    let mut cases = plain();
    cases.extend([
        Case::new("enter/operation", 10_000, "", "").each(Turn::Operation),
        Case::new("enter/operation 64 KiB", 100, "", "").each(Turn::Operation).argument(65_536),
        Case::new("enter/bundle", 10_000, "", "").each(Turn::Bundle),
        Case::new("enter/bundle 64 KiB", 100, "", "").each(Turn::Bundle).argument(65_536),
        Case::new("enter/message", 10_000, "", "").each(Turn::Message),
        Case::new("enter/operation 64 pages", 200, "", "").pages(64).each(Turn::Operation),
        Case::new("enter/bundle 256 pages", 100, "", "").pages(256).each(Turn::Bundle),
        Case::new("fail/bundle", 2_000, "", "(unreachable)").each(Turn::Bundle).fails(),
        Case::new("fail/bundle 256 pages", 40, "", "(unreachable)").pages(256).each(Turn::Bundle).fails(),
        Case::new("fail/bundle after 1,000 writes", 200, &filled(1_000, 1), "(unreachable)").each(Turn::Bundle).fails(),
        Case::new("system/transfer", 10_000, "", "").each(Turn::Transfer),
        Case::new("system/create an application", 90, "", "").each(Turn::Creation),
        Case::new("system/open a chain", 2_000, "", "").each(Turn::Opening),
        Case::new("fact/height", 200_000, "", "(drop (call $height))"),
        Case::new("fact/chain-id", 200_000, "", "(call $chain_id (i32.const 64))"),
        Case::new("fact/signer", 200_000, "", "(call $signer (i32.const 64))"),
        Case::new("fact/parameters 64 KiB", 500, "", "(call $parameters (i32.const 64))").parameters(65_536),
        Case::new("contains/absent small", 200_000, "", &absent(SMALL)),
        Case::new("contains/absent 4 KiB", 20_000, "", &absent(LARGE)),
        Case::new("contains/known", 200_000, "", &format!("(drop (call $contains {SMALL}))")),
        Case::new("contains-keys/1000 known", 200, &key_list(1000),
            "(call $contains_keys (i32.const 200000) (i32.const 1000) (i32.const 64))"),
        Case::new("read/absent small", 100_000, "", &read),
        Case::new("read-values/1000 known", 200, &key_list(1000),
            "(call $read_values (i32.const 200000) (i32.const 1000) (i32.const 64))"),
        Case::new("put/new small", 100_000, &batch(1), PUT),
        Case::new("put/stored small", 50_000, &batch(1), PUT).after(50_000),
        Case::new("put/new 1 KiB", 40_000, &batch(1024), PUT),
        Case::new("put/new 64 KiB", 1_000, &batch(65_536), PUT),
        Case::new("put/the same small", 200_000, &batch(1), "(call $write_batch (i32.const 304) (i32.const 1))"),
        Case::new("put and delete/new small", 100_000, &batch(1),
            "(call $step) (call $write_batch (i32.const 304) (i32.const 2))"),
        Case::new("delete/absent small", 100_000, &batch(1), DELETE),
        Case::new("find/nothing", 100_000, "", "(call $find_keys (i32.const 40960) (i32.const 1) (i32.const 64))"),
        Case::new("find/10,000 deleted", 1_000, &filled(10_000, 2),
            "(call $find_keys (i32.const 40960) (i32.const 1) (i32.const 64))"),
        Case::new("find/1,000 written", 1_000, &filled(1_000, 1),
            "(call $find_keys (i32.const 40960) (i32.const 1) (i32.const 64))"),
        Case::new("find-key-values/1,000 written", 1_000, &filled(1_000, 1),
            "(call $find_key_values (i32.const 40960) (i32.const 1) (i32.const 64))"),
        Case::new("balance/another", 100_000, "",
            "(call $step) (call $balance (i32.const 1) (i64.extend_i32_u (global.get $next)) (i64.const 0) (i64.const 0) (i64.const 0) (i32.const 64))"),
        Case::new("message/empty", 10_000, message, "(call $send (i32.const 1024))"),
        Case::new("message/1 KiB", 3_000, &format!("{message} (i32.store (i32.const 1196) (i32.const 1024))"), "(call $send (i32.const 1024))"),
        Case::new("call/another", 20_000, "(i32.store (i32.const 96) (i32.const 0))",
            &format!("(call $call (i32.const 1) {SELF} (i32.const 96) (i32.const 4) (i32.const 64))")).calls(),
        Case::new("transfer/new account", 50_000, "", &format!("(call $step) {}", transfer(CHAIN, NEXT))),
        Case::new("transfer/one account", 50_000, "", &transfer(CHAIN, "(i64.const 1)")),
        Case::new("transfer/another chain", 10_000, "", &transfer(ELSEWHERE, "(i64.const 1)")),
        Case::new("emit/one stream", 50_000, "(i32.store (i32.const 96) (i32.const 1))",
            "(drop (call $emit (i32.const 96) (i32.const 4) (i32.const 96) (i32.const 1)))"),
        Case::new("emit/new streams", 50_000, "",
            "(call $step) (i32.store (i32.const 96) (global.get $next)) (drop (call $emit (i32.const 96) (i32.const 4) (i32.const 96) (i32.const 1)))"),
        Case::new("emit/1 KiB", 4_000, "(i32.store (i32.const 96) (i32.const 1))",
            "(drop (call $emit (i32.const 96) (i32.const 4) (i32.const 131072) (i32.const 1024)))"),
        Case::new("subscribe/new", 800, "",
            &format!("(call $step) (i32.store (i32.const 96) (global.get $next)) (call $subscribe {CHAIN} {SELF} (i32.const 96) (i32.const 4))")),
        Case::new("blob/small", 8_000, "", "(call $step) (call $blob (i32.const 40960) (i32.const 5) (i32.const 64))"),
        Case::new("blob/64 KiB", 500, "", "(call $step) (call $blob (i32.const 32768) (i32.const 65536) (i32.const 64))"),
        Case::new("ownership/one owner", 100_000, "", "(call $ownership (i32.const 64))"),
        Case::new("ownership/10,000 owners", 100, "", "(call $ownership (i32.const 64))").owners(10_000),
        Case::new("close/not permitted", 100_000, "", "(call $close (i32.const 64))"),
        Case::new("enter/operation, 10,000 owners", 1_000, "", "").each(Turn::Operation).owners(10_000),
        Case::new("read-event/own", 50_000, "(i32.store (i32.const 96) (i32.const 1))
            (drop (call $emit (i32.const 96) (i32.const 4) (i32.const 96) (i32.const 1)))",
            &format!("(call $read_event {CHAIN} (i32.const 96) (i32.const 4) (i32.const 0) (i32.const 64))")),
        Case::new("log/a line", 100_000, "", "(call $log (i32.const 4) (i32.const 131072) (i32.const 80))"),
    ]);
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}
