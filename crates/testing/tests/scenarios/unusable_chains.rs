//! A chain that nobody could ever use is not opened, and no tokens go there.

use resident_base::{AccountOwner, Amount, ApplicationPermissions, ChainOwnership, TimeoutConfig};
use resident_chain::{BlockError, StagingPolicy};
use resident_execution::{Failure, FailureReason, Operation, SystemOperation};
use resident_testing::{PAIRS, TestChain, TestChains};

use crate::{
    bundles,
    maker::{self, Commands},
};

/// Ownerships that leave a chain with nobody to propose a block.
fn unusable() -> [ChainOwnership; 4] {
    let weightless = [(TestChains::owner(7), 0)];
    let only_itself = ChainOwnership::single(AccountOwner::CHAIN);
    [
        ChainOwnership::default(),
        ChainOwnership::multiple([], 10, TimeoutConfig::default()),
        ChainOwnership::multiple(weightless, 0, TimeoutConfig::default()),
        only_itself,
    ]
}

fn refusal(chains: &TestChains, chain: &TestChain, operation: Operation) -> FailureReason {
    let block = [bundles::operation(operation)];
    let staged = chains.stage_everywhere(chain, &block, &StagingPolicy::Abort);
    match staged.err().expect("it is refused") {
        BlockError::TransactionFailed {
            failure: Failure { reason, .. },
            ..
        } => reason,
        error => panic!("it failed for another reason: {error}"),
    }
}

#[test]
fn the_owners_operation_is_refused() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    for ownership in unusable() {
        let operation = SystemOperation::OpenChain {
            ownership,
            balance: Amount::from_tokens(5),
            application_permissions: ApplicationPermissions::default(),
        };
        let reason = refusal(&chains, &chain, Operation::System(operation));
        assert_eq!(reason, FailureReason::BadOwnership);
    }
}

#[test]
fn so_is_an_applications() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let module = maker::publish(&chains, &chain);
    let maker = chains.create(&chain, module, &(), &(), Vec::new());
    let permissions = bcs::to_bytes(&ApplicationPermissions::default()).unwrap();
    for ownership in unusable() {
        let ownership = bcs::to_bytes(&ownership).unwrap();
        let open = Commands::new().open_encoded(&ownership, &permissions, AccountOwner::CHAIN, 5);
        let operation = TestChains::raw_operation(maker, open.bytes().to_vec());
        let reason = refusal(&chains, &chain, operation);
        assert_eq!(reason, FailureReason::BadOwnership);
    }
}
