//! One chain with a counter and a token, and the question whether it goes on after an error.

use counter::CounterAbi;
use resident_base::{Amount, ApplicationId};
use resident_chain::{BlockError, StagingPolicy, Transaction};
use resident_execution::Operation;
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::bundles;

/// A chain with a counter and a token, and proof that it goes on after every error.
pub(crate) struct Scene {
    pub(crate) chains: TestChains,
    pub(crate) chain: TestChain,
    pub(crate) counter: ApplicationId<CounterAbi>,
    pub(crate) token: ApplicationId,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let chains = TestChains::new(PAIRS[0]);
        let chain = chains.open_root(1);
        let counter = chains.create_counter(&chain, 0).with_abi();
        let token = chains
            .create_fungible(&chain, "T", [(chain.owner, Amount::ONE)])
            .forget_abi();
        Self {
            chains,
            chain,
            counter,
            token,
        }
    }

    /// A block that must be refused on every engine for the same reason. Afterwards a good one passes.
    pub(crate) fn refuse(
        &self,
        transactions: &[Transaction],
        policy: &StagingPolicy,
    ) -> BlockError {
        let tip = self.chains.tip(self.chain.id);
        let error = self
            .chains
            .stage_everywhere(&self.chain, transactions, policy)
            .err();
        let error = error.expect("the block is refused");
        assert_eq!(self.chains.tip(self.chain.id), tip, "nothing was stored");
        self.go_on();
        error
    }

    pub(crate) fn refuse_operation(&self, operation: Operation) -> BlockError {
        self.refuse(&[bundles::operation(operation)], &StagingPolicy::Abort)
    }

    pub(crate) fn go_on(&self) {
        let increment = counter::Operation::Increment { value: 1 };
        let before = self.chains.ask(&self.chain, self.counter, &increment);
        assert_eq!(
            self.chains.call(&self.chain, self.counter, &increment),
            before
        );
    }

    pub(crate) fn increment(&self) -> Transaction {
        let increment = counter::Operation::Increment { value: 1 };
        bundles::operation(TestChains::operation(self.counter, &increment))
    }
}
