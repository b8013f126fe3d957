use matching_engine::{OrderId, OrderNature, Price, pricing::Offer};
use resident_sdk::{
    ViewStorageContext,
    base_types::{Account, Amount},
    bcs,
    views::{
        CustomCollectionView, CustomSerialize, MapView, QueueView, RegisterView, RootView, View,
        ViewError,
    },
};
use serde::{Deserialize, Serialize};

/// Everything the engine stores on the chain of the book.
#[derive(RootView)]
#[view(context = ViewStorageContext)]
pub(crate) struct MatchingEngineState {
    /// The id of the next order.
    pub(crate) next_order_id: RegisterView<OrderId>,
    /// The open orders. The levels below only queue their ids.
    pub(crate) orders: MapView<OrderId, OpenOrder>,
    /// The open bids by price, the highest first.
    pub(crate) bids: Levels<PriceBid>,
    /// The open asks by price, the lowest first.
    pub(crate) asks: Levels<PriceAsk>,
}

/// One side of the book, the best price first.
pub(crate) type Levels<K> = CustomCollectionView<K, LevelView>;

/// The orders of one side at one price, the oldest first. A level in the book has at least one
/// open order.
#[derive(View)]
#[view(context = ViewStorageContext)]
pub(crate) struct LevelView {
    /// Ids in order of arrival. A cancelled order's id stays until it is the first, when
    /// matching skips it.
    pub(crate) queue: QueueView<OrderId>,
    /// How many ids in the queue are of cancelled orders.
    pub(crate) cancelled: RegisterView<u64>,
}

impl LevelView {
    /// Whether no open order is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.count() as u64 == *self.cancelled.get()
    }
}

/// An order in the book.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct OpenOrder {
    /// Its side.
    pub(crate) nature: OrderNature,
    /// Its price.
    pub(crate) price: Price,
    /// How much base it still trades, never zero.
    pub(crate) quantity: Amount,
    /// Its owner, on the chain that the order came from.
    pub(crate) account: Account,
}

impl OpenOrder {
    /// The numbers that matching needs.
    pub(crate) fn offer(&self) -> Offer {
        Offer {
            quantity: self.quantity,
            price: self.price,
        }
    }
}

/// A price as the key of a side of the book: the better it is there, the smaller its bytes.
pub(crate) trait LevelKey: CustomSerialize + Clone + Send + Sync + 'static {
    /// The key of the price's level.
    fn new(price: Price) -> Self;

    /// The price of the key's level.
    fn price(&self) -> Price;
}

/// Keys of the bids: the highest price is the best.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PriceBid(Price);

/// Keys of the asks: the lowest price is the best.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PriceAsk(Price);

impl LevelKey for PriceBid {
    fn new(price: Price) -> Self {
        PriceBid(price)
    }

    fn price(&self) -> Price {
        self.0
    }
}

impl LevelKey for PriceAsk {
    fn new(price: Price) -> Self {
        PriceAsk(price)
    }

    fn price(&self) -> Price {
        self.0
    }
}

impl CustomSerialize for PriceBid {
    fn to_custom_bytes(&self) -> Result<Vec<u8>, ViewError> {
        Ok((!self.0.price).to_be_bytes().to_vec())
    }

    fn from_custom_bytes(bytes: &[u8]) -> Result<Self, ViewError> {
        let price = !price_from_bytes(bytes)?;
        Ok(PriceBid(Price { price }))
    }
}

impl CustomSerialize for PriceAsk {
    fn to_custom_bytes(&self) -> Result<Vec<u8>, ViewError> {
        Ok(self.0.price.to_be_bytes().to_vec())
    }

    fn from_custom_bytes(bytes: &[u8]) -> Result<Self, ViewError> {
        let price = price_from_bytes(bytes)?;
        Ok(PriceAsk(Price { price }))
    }
}

fn price_from_bytes(bytes: &[u8]) -> Result<u64, ViewError> {
    let bytes: [u8; 8] = bcs::from_bytes(bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_prices_have_smaller_keys() {
        let bytes = |key: &dyn Fn(Price) -> Vec<u8>| {
            [1, 255, 256, u64::MAX].map(|price| key(Price { price }))
        };
        let bids = bytes(&|price| PriceBid(price).to_custom_bytes().expect("infallible"));
        let asks = bytes(&|price| PriceAsk(price).to_custom_bytes().expect("infallible"));
        assert!(bids.is_sorted_by(|worse, better| worse > better));
        assert!(asks.is_sorted_by(|better, worse| better < worse));
    }

    #[test]
    fn keys_read_back() {
        let bid = PriceBid(Price { price: 300 });
        let bytes = bid.to_custom_bytes().expect("infallible");
        assert_eq!(PriceBid::from_custom_bytes(&bytes).expect("valid"), bid);
        let ask = PriceAsk(Price { price: 300 });
        let bytes = ask.to_custom_bytes().expect("infallible");
        assert_eq!(PriceAsk::from_custom_bytes(&bytes).expect("valid"), ask);
        assert!(PriceAsk::from_custom_bytes(&bytes[1..]).is_err());
    }
}
