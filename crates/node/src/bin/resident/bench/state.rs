//! The same block over more and more state.

use std::sync::Arc;

use fungible::FungibleOperation;
use resident_base::{Account, AccountOwner, Amount, CryptoHash};
use resident_storage::MemoryStore;

use crate::{
    CommandResult,
    bench::{Row, Setting, measure_row},
    market::{Market, node_config, user_operation},
    measure::draft,
    orders::plan,
};

/// Accounts of each token on the chain of the order book.
const SIZES: [u32; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// How many accounts are made in one block.
const ACCOUNTS_PER_BLOCK: u32 = 10_000;

const ORDERS: u32 = 100;

pub(super) async fn measure(setting: &Setting<'_>) -> CommandResult<Vec<Row>> {
    let config = node_config(setting.engine, setting.session);
    let market = Market::open(Arc::new(MemoryStore::new()), config, setting.contracts).await?;
    let plan = plan(ORDERS, None);
    market.place(&plan).await?;
    let draft = draft(&market, market.bundles(plan.len()).await?);
    let (mut rows, mut made) = (Vec::new(), 0);
    for accounts in SIZES
        .into_iter()
        .filter(|accounts| !setting.quick || *accounts <= 10_000)
    {
        while made < accounts {
            let end = accounts.min(made + ACCOUNTS_PER_BLOCK);
            make_accounts(&market, made..end).await?;
            made = end;
        }
        let name = format!("orders/bundles={ORDERS}/accounts={accounts}");
        rows.push(measure_row(&market.node, setting, &name, &draft).await?);
    }
    Ok(rows)
}

/// Gives a little of both tokens to owners that nobody is.
async fn make_accounts(market: &Market, numbers: std::ops::Range<u32>) -> CommandResult<()> {
    let owner = market.operator.owner();
    let chain = market.operator.chain;
    let operations = numbers.flat_map(|number| {
        let target = AccountOwner::from(CryptoHash::of_bytes(&number.to_le_bytes()));
        let target_account = Account::new(chain, target);
        let amount = Amount::from_attos(1);
        let transfer = FungibleOperation::Transfer {
            owner,
            amount,
            target_account,
        };
        market.tokens.map(|token| user_operation(token, &transfer))
    });
    let operations = operations.collect::<CommandResult<_>>()?;
    market
        .node
        .propose(chain, operations, &market.operator.key)
        .await?;
    Ok(())
}
