//! Operations on instances that are already warm: blocks of many, divided by their number.

use std::sync::Arc;

use fungible::FungibleOperation;
use matching_engine::OrderNature;
use resident_base::{Account, Amount, ApplicationId, ModuleId};
use resident_chain::{BlockDraft, Transaction};
use resident_execution::Operation;
use resident_storage::MemoryStore;

use crate::{
    CommandResult,
    bench::{Row, Setting, measure_row},
    contracts::publish,
    market::{Market, User, create, node_config, responses, user_operation},
    orders::PlannedOrder,
};

/// How many operations a block has.
const OPERATIONS: usize = 1_000;

pub(super) async fn measure(setting: &Setting<'_>) -> CommandResult<Vec<Row>> {
    let config = node_config(setting.engine, setting.session);
    let market = Market::open(Arc::new(MemoryStore::new()), config, setting.contracts).await?;
    let (_, increment) = increment(&market, setting).await?;
    let (transfer, order) = (transfer(&market)?, order(&market)?);
    let cases = [
        ("counter increment", &market.operator, increment),
        ("token transfer", &market.asker, transfer),
        ("order with a call of a token", &market.asker, order),
    ];
    let mut rows = Vec::new();
    for (name, user, operation) in cases {
        let draft = repeated(&market, user, &operation);
        let name = format!("{name}/operations={OPERATIONS}");
        rows.push(measure_row(&market.node, setting, &name, &draft).await?);
    }
    Ok(rows)
}

/// A counter on the operator's chain, and an operation that increments it.
pub(super) async fn increment(
    market: &Market,
    setting: &Setting<'_>,
) -> CommandResult<(ApplicationId, Operation)> {
    let User { key, chain } = &market.operator;
    let operations = vec![publish(&setting.contracts.counter)];
    let block = market.node.propose(*chain, operations, key).await?;
    let [module]: [ModuleId; 1] = responses(&block, 0)?;
    let operations = vec![create(module, &(), &0u64, Vec::new())?];
    let block = market.node.propose(*chain, operations, key).await?;
    let [counter]: [ApplicationId; 1] = responses(&block, 0)?;
    let operation = user_operation(counter, &counter::Operation::Increment { value: 1 })?;
    Ok((counter, operation))
}

/// Within one chain, from one account to another.
fn transfer(market: &Market) -> CommandResult<Operation> {
    let [base, _] = market.tokens;
    let target_account = Account::new(market.asker.chain, market.bidder.owner());
    let owner = market.asker.owner();
    user_operation(
        base,
        &FungibleOperation::Transfer {
            owner,
            amount: Amount::ONE,
            target_account,
        },
    )
}

/// On a user's chain: one call of the token, and two messages.
fn order(market: &Market) -> CommandResult<Operation> {
    let order = PlannedOrder {
        nature: OrderNature::Ask,
        price: 1,
        is_broken: false,
    };
    user_operation(market.engine, &order.operation(market.asker.owner()))
}

pub(super) fn repeated(market: &Market, user: &User, operation: &Operation) -> BlockDraft {
    let transaction = Transaction::ExecuteOperation(operation.clone());
    BlockDraft {
        chain_id: user.chain,
        timestamp: market.node.config().clock.now(),
        authenticated_owner: Some(user.owner()),
        transactions: vec![transaction; OPERATIONS],
    }
}
