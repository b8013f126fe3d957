//! What the bank lent in this block, and what of it has come back.

use std::collections::BTreeMap;

use resident_sdk::base_types::{AccountOwner, Amount, ArithmeticError};

const BASIS_POINTS: u128 = 10_000;

/// The books of one block. They live in the instance's memory and are never stored.
#[derive(Default)]
pub(crate) struct Books {
    /// What every borrower still owes, never zero.
    owed: BTreeMap<AccountOwner, Amount>,
    /// The interest on all loans.
    interest: Amount,
}

impl Books {
    /// Notes a loan, and gives what is owed for it. Nothing is noted if that is too much.
    pub(crate) fn lend(
        &mut self,
        borrower: AccountOwner,
        amount: Amount,
        basis_points: u32,
    ) -> Result<Amount, ArithmeticError> {
        assert!(amount != Amount::ZERO, "a loan cannot be zero");
        let interest = interest(amount, basis_points)?;
        let owed = amount.try_add(interest)?;
        let total = self.owed(borrower).try_add(owed)?;
        self.interest.try_add_assign(interest)?;
        self.owed.insert(borrower, total);
        Ok(owed)
    }

    /// Notes that tokens came back, and gives what the borrower still owes.
    pub(crate) fn repay(&mut self, borrower: AccountOwner, amount: Amount) -> Amount {
        assert!(amount != Amount::ZERO, "a repayment cannot be zero");
        let owed = self.owed(borrower);
        let Ok(rest) = owed.try_sub(amount) else {
            panic!("{borrower} owes {owed}, which is less than {amount}");
        };
        if rest == Amount::ZERO {
            self.owed.remove(&borrower);
        } else {
            self.owed.insert(borrower, rest);
        }
        rest
    }

    /// What a borrower owes.
    pub(crate) fn owed(&self, borrower: AccountOwner) -> Amount {
        self.owed.get(&borrower).copied().unwrap_or_default()
    }

    /// Ends the block, and gives the interest that was earned in it. This is where the bank refuses
    /// a block.
    pub(crate) fn close(self) -> Amount {
        let Some(borrower) = self.owed.keys().next() else {
            return self.interest;
        };
        let missing = self.owed.values().copied();
        let missing = missing.fold(Amount::ZERO, Amount::saturating_add);
        let borrowers = self.owed.len();
        panic!(
            "{missing} tokens are missing at the end of the block, from {borrowers} borrower(s); the first is {borrower}"
        );
    }
}

/// The interest on a loan, rounded up, so that many small loans are not cheaper than a large one.
fn interest(amount: Amount, basis_points: u32) -> Result<Amount, ArithmeticError> {
    let (amount, rate) = (amount.to_attos(), u128::from(basis_points));
    // Whole and rest apart, because their product with the rate may be too large where the result is not.
    let of_rest = (amount % BASIS_POINTS * rate).div_ceil(BASIS_POINTS);
    Amount::from_attos(amount / BASIS_POINTS)
        .try_mul(rate)?
        .try_add(Amount::from_attos(of_rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(byte: u8) -> AccountOwner {
        AccountOwner::Address20([byte; 20])
    }

    #[test]
    fn interest_is_rounded_up() {
        let table = [
            (10_000, 30, 30),
            (10_001, 30, 31),
            (1, 1, 1),
            (1, 0, 0),
            (9_999, 10_000, 9_999),
            (5, 25_000, 13),
        ];
        for (amount, rate, expected) in table {
            let interest = interest(Amount::from_attos(amount), rate);
            assert_eq!(
                interest,
                Ok(Amount::from_attos(expected)),
                "{amount} at {rate}"
            );
        }
    }

    #[test]
    fn interest_is_exact_up_to_the_largest_amounts() {
        assert_eq!(interest(Amount::MAX, 10_000), Ok(Amount::MAX));
        assert!(interest(Amount::MAX, 10_001).is_err());
        assert!(interest(Amount::MAX, u32::MAX).is_err());
        // The largest amount whose interest fits, and the next.
        let limit = u128::MAX / u128::from(u32::MAX) * BASIS_POINTS;
        assert!(interest(Amount::from_attos(limit), u32::MAX).is_ok());
        assert!(interest(Amount::from_attos(limit + BASIS_POINTS), u32::MAX).is_err());
    }

    #[test]
    fn what_is_owed_adds_up_until_it_is_repaid() {
        let mut books = Books::default();
        let amount = Amount::from_attos(1_000);
        for _ in 0..2 {
            assert_eq!(
                books.lend(owner(1), amount, 100),
                Ok(Amount::from_attos(1_010))
            );
        }
        assert_eq!(books.owed(owner(1)), Amount::from_attos(2_020));
        assert_eq!(
            books.repay(owner(1), Amount::from_attos(2_000)),
            Amount::from_attos(20)
        );
        assert_eq!(books.repay(owner(1), Amount::from_attos(20)), Amount::ZERO);
        assert_eq!(books.close(), Amount::from_attos(20));
    }

    #[test]
    fn a_loan_that_is_too_large_is_not_noted() {
        let mut books = Books::default();
        assert!(books.lend(owner(1), Amount::MAX, 1).is_err());
        books.lend(owner(1), Amount::MAX, 0).expect("it fits");
        assert!(books.lend(owner(1), Amount::from_attos(1), 0).is_err());
        books.repay(owner(1), Amount::MAX);
        assert_eq!(books.close(), Amount::ZERO);
    }

    #[test]
    #[should_panic(
        expected = "1.5 tokens are missing at the end of the block, from 2 borrower(s); the first is 0x0101"
    )]
    fn books_with_loans_cannot_be_closed() {
        let mut books = Books::default();
        for byte in [1, 2] {
            let lent = books.lend(owner(byte), Amount::from_tokens(1), 0);
            lent.expect("it fits");
        }
        books.repay(owner(2), Amount::from_millis(500));
        books.close();
    }

    #[test]
    #[should_panic(expected = "owes 1., which is less than 1.000000000000000001")]
    fn more_than_is_owed_is_not_taken() {
        let mut books = Books::default();
        let lent = books.lend(owner(1), Amount::ONE, 0);
        lent.expect("it fits");
        books.repay(owner(1), Amount::ONE.saturating_add(Amount::from_attos(1)));
    }
}
