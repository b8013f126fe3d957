//! How much quote an amount of base is worth, and what a trade pays to whom.
//!
//! `quantity` of base at `price` is worth `quantity * price / 10^price_decimals` of quote, rounded
//! down to the smallest unit. A bid in the book keeps exactly the worth of its remaining quantity
//! at its own price locked; a trade releases the difference, pays the seller the worth at the
//! trade's price and refunds the rest. So rounding never creates or strands a unit: what the
//! engine holds is always what the open orders have locked.

use std::{error, fmt};

use resident_sdk::base_types::Amount;

use crate::{OrderNature, Price};

/// Converts base to quote for one number of price decimals.
#[derive(Clone, Copy, Debug)]
pub struct Pricing {
    scale: u128,
}

impl Pricing {
    /// Prices with this many decimals; `None` beyond 38, where the scale exceeds 128 bits.
    pub fn new(price_decimals: u16) -> Option<Self> {
        let scale = 10u128.checked_pow(price_decimals.into())?;
        Some(Pricing { scale })
    }

    /// What the quantity of base is worth in quote.
    pub fn worth(&self, quantity: Amount, price: Price) -> Result<Amount, OrderError> {
        let product = u128::from(quantity).checked_mul(price.price.into());
        let product = product.ok_or(OrderError::TooLarge)?;
        // Dividing 128-bit numbers is slow in Wasm, and most markets need no decimals.
        let worth = if self.scale == 1 {
            product
        } else {
            product / self.scale
        };
        Ok(Amount::from_attos(worth))
    }

    /// Checks a new order's numbers and says how much it has to lock: quote for a bid, base for
    /// an ask. Afterwards nothing about this order can overflow.
    pub fn check(
        &self,
        nature: OrderNature,
        quantity: Amount,
        price: Price,
    ) -> Result<Amount, OrderError> {
        if quantity == Amount::ZERO {
            return Err(OrderError::ZeroQuantity);
        }
        if price.price == 0 {
            return Err(OrderError::ZeroPrice);
        }
        match (self.worth(quantity, price)?, nature) {
            (Amount::ZERO, _) => Err(OrderError::TooSmall),
            (worth, OrderNature::Bid) => Ok(worth),
            (_, OrderNature::Ask) => Ok(quantity),
        }
    }

    /// How much less an order has to lock once its quantity fell from `before` to `after`.
    pub fn released(
        &self,
        nature: OrderNature,
        price: Price,
        before: Amount,
        after: Amount,
    ) -> Result<Amount, OrderError> {
        let (before, after) = match nature {
            OrderNature::Bid => (self.worth(before, price)?, self.worth(after, price)?),
            OrderNature::Ask => (before, after),
        };
        before.try_sub(after).map_err(|_| OrderError::Increased)
    }

    /// The trade between an order that comes in and one that rests on the other side of the
    /// book. Their prices must [cross](crosses).
    pub fn trade(
        &self,
        nature: OrderNature,
        incoming: Offer,
        resting: Offer,
    ) -> Result<Trade, OrderError> {
        let (bid, ask) = match nature {
            OrderNature::Bid => (incoming, resting),
            OrderNature::Ask => (resting, incoming),
        };
        let quantity = bid.quantity.min(ask.quantity);
        let rest = bid.quantity.saturating_sub(quantity);
        let released = self.released(OrderNature::Bid, bid.price, bid.quantity, rest)?;
        let payment = self.worth(quantity, resting.price)?;
        // The trade's price is not above the bid's, and rounding down a sum never gives less
        // than the sum of its parts rounded down.
        let refund = released.saturating_sub(payment);
        Ok(Trade {
            quantity,
            payment,
            refund,
        })
    }
}

/// Whether an incoming order accepts the price of a resting one on the other side.
pub fn crosses(nature: OrderNature, incoming: Price, resting: Price) -> bool {
    match nature {
        OrderNature::Bid => incoming >= resting,
        OrderNature::Ask => incoming <= resting,
    }
}

/// What remains of an order, and its price.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// How much base it still trades.
    pub quantity: Amount,
    /// The worst price it accepts.
    pub price: Price,
}

/// What changes hands when a bid meets an ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trade {
    /// Base, to the buyer.
    pub quantity: Amount,
    /// Quote, to the seller.
    pub payment: Amount,
    /// Quote that the buyer had locked for this quantity and did not need.
    pub refund: Amount,
}

/// Why an order is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderError {
    /// It trades nothing.
    ZeroQuantity,
    /// It has no price.
    ZeroPrice,
    /// Its worth in quote is less than the smallest unit.
    TooSmall,
    /// Its worth in quote exceeds 128 bits.
    TooLarge,
    /// A modification asks for more than is left.
    Increased,
}

impl fmt::Display for OrderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            OrderError::ZeroQuantity => "the quantity of an order cannot be zero",
            OrderError::ZeroPrice => "the price of an order cannot be zero",
            OrderError::TooSmall => "the order is worth less than the smallest unit of quote",
            OrderError::TooLarge => "quantity times price exceeds 128 bits",
            OrderError::Increased => {
                "an order's quantity can only be reduced; insert another order instead"
            }
        })
    }
}

impl error::Error for OrderError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(quantity: u128, price: u64) -> Offer {
        Offer {
            quantity: Amount::from_attos(quantity),
            price: Price { price },
        }
    }

    fn worth(decimals: u16, quantity: u128, price: u64) -> Result<u128, OrderError> {
        let Offer { quantity, price } = offer(quantity, price);
        let pricing = Pricing::new(decimals).expect("few decimals");
        pricing.worth(quantity, price).map(u128::from)
    }

    fn trade(
        decimals: u16,
        nature: OrderNature,
        incoming: (u128, u64),
        resting: (u128, u64),
    ) -> Option<[u128; 3]> {
        let pricing = Pricing::new(decimals).expect("few decimals");
        let incoming = offer(incoming.0, incoming.1);
        let resting = offer(resting.0, resting.1);
        if !crosses(nature, incoming.price, resting.price) {
            return None;
        }
        let trade = pricing
            .trade(nature, incoming, resting)
            .expect("small numbers");
        Some([trade.quantity, trade.payment, trade.refund].map(u128::from))
    }

    #[test]
    fn worth_is_rounded_down() {
        assert_eq!(worth(0, 7, 3), Ok(21));
        assert_eq!(worth(2, 199, 150), Ok(298));
        assert_eq!(worth(2, 1, 99), Ok(0));
        assert_eq!(worth(38, u128::MAX, 1), Ok(3));
        assert_eq!(worth(0, u128::MAX, 2), Err(OrderError::TooLarge));
        assert!(Pricing::new(39).is_none());
    }

    #[test]
    fn orders_are_checked_and_lock_what_they_may_spend() {
        let pricing = Pricing::new(1).expect("few decimals");
        let check = |nature, quantity, price| {
            let Offer { quantity, price } = offer(quantity, price);
            pricing.check(nature, quantity, price).map(u128::from)
        };
        assert_eq!(check(OrderNature::Bid, 10, 15), Ok(15));
        assert_eq!(check(OrderNature::Ask, 10, 15), Ok(10));
        assert_eq!(
            check(OrderNature::Ask, 0, 15),
            Err(OrderError::ZeroQuantity)
        );
        assert_eq!(check(OrderNature::Bid, 10, 0), Err(OrderError::ZeroPrice));
        assert_eq!(check(OrderNature::Ask, 1, 9), Err(OrderError::TooSmall));
        assert_eq!(
            check(OrderNature::Ask, u128::MAX, 15),
            Err(OrderError::TooLarge)
        );
    }

    #[test]
    fn trades_use_the_resting_price() {
        use OrderNature::{Ask, Bid};
        assert_eq!(trade(0, Bid, (5, 10), (3, 8)), Some([3, 24, 6]));
        assert_eq!(trade(0, Ask, (5, 8), (3, 10)), Some([3, 30, 0]));
        assert_eq!(trade(0, Bid, (5, 8), (5, 8)), Some([5, 40, 0]));
        assert_eq!(trade(0, Bid, (5, 7), (5, 8)), None);
        assert_eq!(trade(0, Ask, (5, 8), (5, 7)), None);
    }

    #[test]
    fn what_rounding_leaves_returns_to_the_buyer() {
        // Locked is floor(3 * 1.5) = 4; selling 1 leaves floor(2 * 1.5) = 3 locked.
        assert_eq!(
            trade(1, OrderNature::Ask, (1, 15), (3, 15)),
            Some([1, 1, 0])
        );
        // Selling 1 of 2 releases 3 - 1 = 2, of which the seller is due floor(1.5) = 1.
        assert_eq!(
            trade(1, OrderNature::Ask, (1, 15), (2, 15)),
            Some([1, 1, 1])
        );
    }

    #[test]
    fn a_reduction_releases_the_difference() {
        let pricing = Pricing::new(0).expect("few decimals");
        let [two, five] = [2, 5].map(Amount::from_attos);
        let price = Price { price: 10 };
        let released = |nature, before, after| pricing.released(nature, price, before, after);
        assert_eq!(
            released(OrderNature::Bid, five, two),
            Ok(Amount::from_attos(30))
        );
        assert_eq!(
            released(OrderNature::Ask, five, two),
            Ok(Amount::from_attos(3))
        );
        assert_eq!(
            released(OrderNature::Bid, two, five),
            Err(OrderError::Increased)
        );
    }
}
