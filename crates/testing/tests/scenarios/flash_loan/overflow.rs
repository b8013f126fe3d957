//! Amounts and rates at the end of their range.

use flash_loan::Operation;

use super::*;

/// A bank that has all there is, and takes as much as can be said.
fn usurer(
    chains: &TestChains,
    chain: &TestChain,
) -> (ApplicationId<FungibleTokenAbi>, ApplicationId<FlashLoanAbi>) {
    let money = chains.create_fungible(chain, "ALL", [(chain.owner, Amount::MAX)]);
    let parameters = flash_loan::Parameters {
        token: money,
        interest_basis_points: u32::MAX,
        owner: chain.owner,
    };
    let module = chains.publish(chain, "flash-loan");
    let bank: ApplicationId<FlashLoanAbi> =
        create(chains, chain, module, &parameters, &[money.forget_abi()]);
    let transfer = FungibleOperation::Transfer {
        owner: chain.owner,
        amount: Amount::MAX,
        target_account: Account::new(chain.id, bank.into()),
    };
    chains.run(chain, vec![TestChains::operation(money, &transfer)]);
    (money, bank)
}

#[test]
fn interest_that_is_too_large_is_no_gift() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let (money, bank) = usurer(&chains, &chain);
    let stage = |amounts: &[Amount]| {
        let borrow = |amount: &Amount| {
            let amount = *amount;
            bundles::operation(TestChains::operation(bank, &Operation::Borrow { amount }))
        };
        let block: Vec<_> = amounts.iter().map(borrow).collect();
        let staged = chains.stage_everywhere(&chain, &block, &StagingPolicy::Abort);
        staged.err().expect("nobody can pay that")
    };
    // The largest loan whose interest and sum are within range.
    let limit = u128::MAX / (u128::from(u32::MAX) + 10_000) * 10_000;
    let limit = Amount::from_attos(limit);
    let half = Amount::from_attos(u128::MAX / 2);
    let more = limit.try_add(Amount::from_attos(20_000)).unwrap();
    for amounts in [
        &[Amount::MAX][..],
        &[half],
        &[more],
        &[limit, more],
        &[limit, limit],
    ] {
        let error = stage(amounts);
        let BlockError::TransactionFailed { index, failure } = error else {
            panic!("another error than expected: {error}")
        };
        assert_eq!(index, amounts.len() - 1);
        assert!(words(&failure).contains("is too large"), "{failure}");
    }
    // What is within range is owed.
    for amount in [limit, Amount::from_attos(1)] {
        let (refused_by, failure) = refusal(stage(&[amount]));
        assert_eq!(refused_by, bank.forget_abi());
        assert!(words(&failure).contains("tokens are missing"), "{failure}");
    }
    let reserves = chains.token_balance(&chain, money, bank.into());
    assert_eq!(reserves, Amount::MAX);
}
