//! Where everything has a price: what all accounts have and all fees are together never changes.

use futures::executor::block_on;
use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, ApplicationPermissions, BlockHeight,
    ChainOwnership,
};
use resident_chain::{StagingPolicy, Transaction};
use resident_execution::{Operation, Prices, ResourcePolicy, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains, contract};

use crate::{
    bundles,
    courier::{self, Letter},
    random::Random,
};

const CHAINS: usize = 4;
const ROUNDS: usize = 12;

fn policy() -> ResourcePolicy {
    let price = Amount::from_attos;
    let prices = Prices {
        fuel: price(1),
        evm_fuel: price(1),
        operation: price(11),
        operation_byte: price(2),
        byte_runtime: price(3),
        read_operation: price(13),
        write_operation: price(17),
        byte_read: price(5),
        byte_written: price(7),
        message: price(19),
        message_byte: price(3),
        blob: price(23),
        blob_byte: price(1),
        blob_read: price(29),
        blob_byte_read: price(1),
        service_as_oracle_query: price(31),
        http_request: price(37),
    };
    ResourcePolicy {
        prices,
        ..ResourcePolicy::default()
    }
}

struct World {
    chains: TestChains,
    all: Vec<TestChain>,
    courier: ApplicationId,
    random: Random,
}

impl World {
    fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]).with_policy(policy());
        let first = chains.open_root(1);
        let courier = courier::create(&chains, &first);
        let mut all = vec![first];
        all.extend((2..=CHAINS as u8).map(|seed| open(&chains, &first, seed)));
        Self {
            chains,
            all,
            courier,
            random: Random::new(77),
        }
    }

    fn any_chain(&mut self) -> TestChain {
        self.all[self.random.below(CHAINS as u64) as usize]
    }

    /// A letter or a payment, of any kind.
    fn random_command(&mut self) -> Vec<u8> {
        let to = self.any_chain().id;
        if self.random.below(4) == 0 {
            return courier::pay(to, 1 + self.random.below(1_000));
        }
        let answer = Letter::new(self.any_chain().id, b"x").tracked().command();
        let contents: [&[u8]; 5] = [b"", b"x", b"!x", &answer, b"!"];
        let commands = contents[self.random.below(5) as usize];
        Letter {
            to,
            authenticated: self.random.below(2) == 0,
            tracked: self.random.below(2) == 0,
            grant: [0, 10, 100_000][self.random.below(3) as usize],
            commands,
        }
        .command()
    }

    fn send(&mut self, from: &TestChain) {
        let commands: Vec<_> = (0..3).map(|_| self.random_command()).collect();
        let commands: Vec<_> = commands.iter().map(Vec::as_slice).collect();
        self.add(from, &[courier::operation(self.courier, &commands)]);
    }

    fn add(&self, chain: &TestChain, transactions: &[Transaction]) -> usize {
        let policy = TestChains::auto_retry(8);
        let staged = self.chains.add_everywhere(chain, transactions, &policy);
        let staged = staged.unwrap_or_else(|error| panic!("a block failed: {error}"));
        staged.staged.rejected.len()
    }

    /// Delivers until nothing is on its way, and gives the number of rejections.
    fn settle(&self) -> usize {
        let mut rejected = 0;
        loop {
            let delivered: usize = self
                .all
                .iter()
                .map(|chain| self.chains.deliver(chain))
                .sum();
            for chain in &self.all {
                let inbox = self.chains.inbox_transactions(chain);
                if !inbox.is_empty() {
                    rejected += self.add(chain, &inbox);
                }
            }
            if delivered == 0 {
                return rejected;
            }
        }
    }

    /// What all accounts have.
    fn money(&self) -> Amount {
        let mut owners: Vec<_> = self.all.iter().map(|chain| chain.owner).collect();
        owners.extend([AccountOwner::CHAIN, self.courier.into()]);
        let accounts = self
            .all
            .iter()
            .flat_map(|chain| owners.iter().map(|owner| Account::new(chain.id, *owner)));
        let balances = accounts.map(|account| courier::balance(&self.chains, account));
        balances.fold(Amount::ZERO, Amount::saturating_add)
    }

    /// What all blocks of all chains have paid.
    fn fees(&self) -> Amount {
        let of_chain = |chain: &TestChain| {
            let heights = 0..self.chains.tip(chain.id).next_height.0;
            let reader = self.chains.reader(chain.id);
            let block = move |height| block_on(reader.executed_block(BlockHeight(height)));
            heights.map(move |height| block(height).unwrap().expect("it is stored").outcome.fees)
        };
        let fees = self.all.iter().flat_map(of_chain);
        fees.fold(Amount::ZERO, Amount::saturating_add)
    }
}

/// A chain with enough of its own to take part.
fn open(chains: &TestChains, first: &TestChain, seed: u8) -> TestChain {
    let owner = TestChains::owner(seed);
    let operation = SystemOperation::OpenChain {
        ownership: ChainOwnership::single(owner),
        balance: Amount::from_micros(1),
        application_permissions: ApplicationPermissions::default(),
    };
    let block = chains.run(first, vec![Operation::System(operation)]);
    let id = bcs::from_bytes(&block.outcome.transactions[0].response);
    let chain = TestChain {
        id: id.expect("an id"),
        owner,
    };
    // A chain has its balance from its first block on.
    let to_owner = SystemOperation::Transfer {
        owner: AccountOwner::CHAIN,
        recipient: Account::new(chain.id, owner),
        amount: Amount::from_attos(5_000),
    };
    chains.run(&chain, vec![Operation::System(to_owner)]);
    chain
}

#[test]
fn no_token_comes_or_goes() {
    let mut world = World::new();
    let all = Amount::from_tokens(1_000);
    assert_eq!(world.money().saturating_add(world.fees()), all);
    // Blobs and an application of the SDK's.
    let first = world.all[0];
    let publish = SystemOperation::PublishModule {
        contract: contract("counter"),
        service: resident_base::Bytecode::new(Vec::new()),
        vm_runtime: resident_base::VmRuntime::Wasm,
    };
    world.add(&first, &[bundles::operation(Operation::System(publish))]);

    let mut rejected = 0;
    for round in 0..ROUNDS {
        for _ in 0..2 {
            let from = world.any_chain();
            world.send(&from);
        }
        if round == ROUNDS / 2 {
            let close = bundles::operation(Operation::System(SystemOperation::CloseChain));
            let last = world.all[CHAINS - 1];
            world
                .chains
                .add_everywhere(&last, &[close], &StagingPolicy::Abort)
                .unwrap();
            // It sends no more.
            world.settle();
            break;
        }
        rejected += world.settle();
        assert_eq!(
            world.money().saturating_add(world.fees()),
            all,
            "round {round}"
        );
    }
    // The closed chain is still written to.
    for _ in 0..ROUNDS / 2 {
        world.send(&first);
        rejected += world.settle();
        assert_eq!(
            world.money().saturating_add(world.fees()),
            all,
            "after the closing"
        );
    }
    assert!(rejected > 10, "{rejected} bundles were rejected");
    assert!(world.fees() > Amount::ZERO);
}
