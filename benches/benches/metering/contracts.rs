//! The example contracts at work: what a block does with an application, from its first operation to its finalization.

use std::collections::BTreeMap;

use fungible::{FungibleOperation, FungibleResponse, InitialState};
use matching_engine::{Operation, Order, OrderNature, Parameters, Price};
use resident_base::{Account, AccountOwner, Amount, ApplicationId, ChainId, CryptoHash};
use resident_benches::{BenchHost, CompiledGuest, Engines, HASH_PARTS, Subject, thread_time};

use crate::{Pair, row};

/// One contract with a block's worth of operations.
pub(crate) struct Case {
    name: &'static str,
    contract: &'static str,
    host: BenchHost,
    argument: String,
    /// Operations before the block, which stay in its state.
    before: Vec<Vec<u8>>,
    /// The block.
    operations: Vec<Vec<u8>>,
}

impl Case {
    /// Measures the block without and with metering.
    pub(crate) fn measure(&self, engines: &Engines, engine: &str) -> f64 {
        let pair = Pair::new(engines, engine, self.contract);
        let state = self.state(&pair.metered);
        assert_eq!(state.values, self.state(&pair.bare).values, "{}", self.name);
        let subjects = [("bare", &pair.bare), ("metered", &pair.metered)]
            .map(|(name, module)| Subject::timed(name, || self.block(module, state.clone())));
        row(self.name, engine, subjects)
    }

    /// The application as the block finds it.
    fn state(&self, module: &CompiledGuest) -> BenchHost {
        let mut guest = module.instance(self.host.clone());
        guest.instantiate(&self.argument);
        for operation in self.before.iter().chain(&self.operations) {
            guest.operation(operation.clone());
        }
        guest.finalize();
        guest.into_host()
    }

    /// The time of the block on a new instance. Making the instance is not metered and does not count.
    fn block(&self, module: &CompiledGuest, host: BenchHost) -> std::time::Duration {
        let operations = self.operations.clone();
        let mut guest = module.instance(host);
        let started = thread_time();
        for operation in operations {
            guest.operation(operation);
        }
        guest.finalize();
        thread_time() - started
    }
}

/// All contracts.
pub(crate) fn all() -> [Case; 4] {
    [counter(), fungible(), order_book(), trades()]
}

fn counter() -> Case {
    let operation = counter::Operation::Increment { value: 1 };
    Case {
        name: "counter: 100 increments, load and store",
        contract: "counter",
        host: BenchHost::default(),
        argument: "0".to_owned(),
        before: Vec::new(),
        operations: vec![encode(&operation); 100],
    }
}

fn fungible() -> Case {
    let accounts = BTreeMap::from([(signer(), Amount::from_tokens(1_000_000))]);
    let transfer = |receiver: u8| FungibleOperation::Transfer {
        owner: signer(),
        amount: Amount::ONE,
        target_account: Account::new(here(), AccountOwner::Address20([receiver; 20])),
    };
    Case {
        name: "fungible: 100 transfers, load and store",
        contract: "fungible",
        host: with_parameters(&fungible::Parameters::new("TOK")),
        argument: json(&InitialState { accounts }),
        before: Vec::new(),
        operations: (0..100)
            .map(|receiver| encode(&transfer(receiver)))
            .collect(),
    }
}

/// Orders that find no counterpart and fill the book.
fn order_book() -> Case {
    let orders = (0..100).map(|index| order(OrderNature::Ask, 1_000 + index % 25));
    Case {
        name: "matching-engine: 100 resting orders",
        operations: orders.collect(),
        ..engine()
    }
}

/// Orders of which every second one trades with the one before.
fn trades() -> Case {
    let orders = (0..100).map(|index| match index % 2 {
        0 => order(OrderNature::Ask, 10),
        _ => order(OrderNature::Bid, 11),
    });
    Case {
        name: "matching-engine: 50 trades",
        before: (0..100)
            .map(|index| order(OrderNature::Ask, 1_000 + index % 25))
            .collect(),
        operations: orders.collect(),
        ..engine()
    }
}

fn engine() -> Case {
    let token = |byte| ApplicationId::<()>::new(CryptoHash::from([byte; 32])).with_abi();
    let parameters = Parameters {
        tokens: [token(1), token(2)],
        price_decimals: 0,
    };
    let host = BenchHost {
        answer: Some(encode(&FungibleResponse::Ok)),
        ..with_parameters(&parameters)
    };
    Case {
        name: "",
        contract: "matching-engine",
        host,
        argument: "null".to_owned(),
        before: Vec::new(),
        operations: Vec::new(),
    }
}

fn order(nature: OrderNature, price: u64) -> Vec<u8> {
    let order = Order::Insert {
        owner: signer(),
        nature,
        quantity: Amount::ONE,
        price: Price { price },
    };
    encode(&Operation::ExecuteOrder { order })
}

/// The owner that the host names as the signer of everything.
fn signer() -> AccountOwner {
    AccountOwner::Address32(CryptoHash::from(HASH_PARTS))
}

fn here() -> ChainId {
    ChainId(CryptoHash::from(HASH_PARTS))
}

fn with_parameters(parameters: &impl serde::Serialize) -> BenchHost {
    BenchHost {
        parameters: json(parameters).into_bytes(),
        ..BenchHost::default()
    }
}

fn encode(operation: &impl serde::Serialize) -> Vec<u8> {
    bcs::to_bytes(operation).expect("operations can be encoded")
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("arguments are JSON")
}
