//! The set-up of the demo: an order book on one chain, two users on theirs, and their orders waiting
//! in the inbox of the book's chain. Keys and times are fixed, so that every set-up is the same.

use std::sync::Arc;

use fungible::{FungibleOperation, FungibleResponse, InitialStateBuilder};
use matching_engine::OrderNature;
use resident_base::{
    Account, AccountOwner, AccountSecretKey, Amount, ApplicationId, ApplicationPermissions,
    ChainId, ChainOwnership, ModuleId, Timestamp,
};
use resident_chain::{IncomingBundle, MessageAction};
use resident_execution::{EngineKind, Operation, SessionKind, SystemOperation};
use resident_node::{Clock, CommittedBlock, LocalNode, NodeConfig};
use resident_storage::KeyValueStore;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CommandResult,
    contracts::{Contracts, publish},
    orders::PlannedOrder,
};

/// What there is of each token. The user who trades with it gets [`FUNDS`], the operator the rest.
const SUPPLY: Amount = Amount::from_tokens(1_000_000_001);

/// More than any number of orders needs.
const FUNDS: Amount = Amount::from_tokens(1_000_000_000);

/// How many orders a user puts into one block.
const ORDERS_PER_BLOCK: usize = 1000;

/// Every block of the demo has this time, in microseconds since 1970: what comes out must not depend
/// on when the demo runs.
const NOW: u64 = 1_700_000_000_000_000;

/// A user, with a chain of their own.
pub(crate) struct User {
    pub(crate) key: AccountSecretKey,
    pub(crate) chain: ChainId,
}

impl User {
    pub(crate) fn owner(&self) -> AccountOwner {
        self.key.public().owner()
    }
}

/// The order book and everybody around it.
pub(crate) struct Market {
    pub(crate) node: LocalNode,
    /// Owns the chain of the order book.
    pub(crate) operator: User,
    /// Has quote tokens and buys.
    pub(crate) bidder: User,
    /// Has base tokens and sells.
    pub(crate) asker: User,
    /// Base and quote.
    pub(crate) tokens: [ApplicationId; 2],
    pub(crate) engine: ApplicationId,
}

/// The configuration that all measurements share.
pub(crate) fn node_config(engine: EngineKind, session: SessionKind) -> NodeConfig {
    NodeConfig {
        engine,
        session,
        threads: 1,
        max_bundles: usize::MAX,
        clock: Clock::fixed(Timestamp::from(NOW)),
        ..NodeConfig::default()
    }
}

impl Market {
    /// Opens the chains, creates the tokens and the order book, and funds the users.
    pub(crate) async fn open(
        store: Arc<dyn KeyValueStore>,
        config: NodeConfig,
        contracts: &Contracts,
    ) -> CommandResult<Self> {
        let node = LocalNode::new(store, config)?;
        let [operator, bidder, asker] =
            [1, 2, 3].map(|seed| AccountSecretKey::from_seed([seed; 32]));
        let root = node
            .create_root_chain(0, operator.public().owner(), Amount::ZERO)
            .await?;

        let opened = [&bidder, &asker].map(open_chain);
        let modules = [&contracts.fungible, &contracts.matching_engine].map(publish);
        let operations = opened.into_iter().chain(modules).collect();
        let block = node.propose(root, operations, &operator).await?;
        let [bidder_chain, asker_chain]: [ChainId; 2] = responses(&block, 0)?;
        let [token, engine]: [ModuleId; 2] = responses(&block, 2)?;

        let supply = InitialStateBuilder::default()
            .with_account(operator.public().owner(), SUPPLY)
            .build();
        let create_token = |symbol| {
            create(
                token,
                &fungible::Parameters::new(symbol),
                &supply,
                Vec::new(),
            )
        };
        let operations = vec![create_token("BASE")?, create_token("QUOTE")?];
        let block = node.propose(root, operations, &operator).await?;
        let tokens: [ApplicationId; 2] = responses(&block, 0)?;

        let parameters = matching_engine::Parameters {
            tokens: tokens.map(ApplicationId::with_abi),
            price_decimals: 0,
        };
        let operations = vec![create(engine, &parameters, &(), tokens.to_vec())?];
        let block = node.propose(root, operations, &operator).await?;
        let [engine]: [ApplicationId; 1] = responses(&block, 0)?;

        let market = Self {
            node,
            operator: User {
                key: operator,
                chain: root,
            },
            bidder: User {
                key: bidder,
                chain: bidder_chain,
            },
            asker: User {
                key: asker,
                chain: asker_chain,
            },
            tokens,
            engine,
        };
        market.fund_users().await?;
        Ok(market)
    }

    /// The users place their orders, and the node delivers them: one bundle for each waits in the
    /// inbox of the book's chain.
    pub(crate) async fn place(&self, plan: &[PlannedOrder]) -> CommandResult<()> {
        for (user, nature) in [
            (&self.bidder, OrderNature::Bid),
            (&self.asker, OrderNature::Ask),
        ] {
            let orders: Vec<_> = plan.iter().filter(|order| order.nature == nature).collect();
            for orders in orders.chunks(ORDERS_PER_BLOCK) {
                let operations = orders
                    .iter()
                    .map(|order| user_operation(self.engine, &order.operation(user.owner())));
                let operations = operations.collect::<CommandResult<_>>()?;
                self.node.propose(user.chain, operations, &user.key).await?;
            }
            self.node.deliver(user.chain).await?;
        }
        Ok(())
    }

    /// What waits in the inbox of the book's chain, the bids before the asks.
    pub(crate) async fn bundles(&self, limit: usize) -> CommandResult<Vec<IncomingBundle>> {
        let mut bundles = self
            .node
            .reader(self.operator.chain)
            .inbox_bundles(limit)
            .await?;
        bundles.sort_by_key(|(origin, _)| *origin != self.bidder.chain);
        let action = MessageAction::Accept;
        let bundles = bundles.into_iter().map(|(origin, bundle)| IncomingBundle {
            origin,
            bundle,
            action,
        });
        Ok(bundles.collect())
    }

    /// Brings what the order book paid to the users' chains.
    pub(crate) async fn settle(&self) -> CommandResult<()> {
        self.node.deliver(self.operator.chain).await?;
        for user in [&self.bidder, &self.asker] {
            self.node.process_inbox(user.chain, &user.key).await?;
        }
        Ok(())
    }

    /// What a user has of a token on their own chain.
    pub(crate) async fn balance(&self, token: ApplicationId, user: &User) -> CommandResult<Amount> {
        let owner = user.owner();
        let operation = user_operation(token, &FungibleOperation::Balance { owner })?;
        let outcome = self
            .node
            .dry_run(user.chain, vec![operation], Some(owner))
            .await?;
        let response = outcome
            .transactions
            .first()
            .map(|transaction| &transaction.response[..]);
        match bcs::from_bytes(response.unwrap_or_default())? {
            FungibleResponse::Balance(balance) => Ok(balance),
            other => Err(format!("the token answered {other:?} when asked for a balance").into()),
        }
    }

    async fn fund_users(&self) -> CommandResult<()> {
        let [base, quote] = self.tokens;
        let owner = self.operator.owner();
        let transfer = |token, user: &User| {
            let target_account = Account::new(user.chain, user.owner());
            user_operation(
                token,
                &FungibleOperation::Transfer {
                    owner,
                    amount: FUNDS,
                    target_account,
                },
            )
        };
        let operations = vec![transfer(base, &self.asker)?, transfer(quote, &self.bidder)?];
        self.node
            .propose(self.operator.chain, operations, &self.operator.key)
            .await?;
        self.settle().await
    }
}

/// An operation of an application, from what the application calls it.
pub(crate) fn user_operation<T: Serialize>(
    application_id: ApplicationId,
    operation: &T,
) -> CommandResult<Operation> {
    Ok(Operation::User {
        application_id,
        bytes: bcs::to_bytes(operation)?,
    })
}

/// The operation that creates an application.
pub(crate) fn create<P: Serialize, I: Serialize>(
    module_id: ModuleId,
    parameters: &P,
    argument: &I,
    required_application_ids: Vec<ApplicationId>,
) -> CommandResult<Operation> {
    Ok(Operation::System(SystemOperation::CreateApplication {
        module_id,
        parameters: serde_json::to_vec(parameters)?,
        instantiation_argument: serde_json::to_vec(argument)?,
        required_application_ids,
    }))
}

/// What the operations of a block answered, `N` of them, beginning with number `first`.
pub(crate) fn responses<T: DeserializeOwned, const N: usize>(
    block: &CommittedBlock,
    first: usize,
) -> CommandResult<[T; N]> {
    let answers = block.responses().skip(first).take(N);
    let answers = answers
        .map(bcs::from_bytes)
        .collect::<Result<Vec<T>, _>>()?;
    answers
        .try_into()
        .map_err(|_| format!("fewer than {N} responses").into())
}

fn open_chain(owner: &AccountSecretKey) -> Operation {
    Operation::System(SystemOperation::OpenChain {
        ownership: ChainOwnership::single(owner.public().owner()),
        balance: Amount::ZERO,
        application_permissions: ApplicationPermissions::default(),
    })
}
