//! The order book in plain Rust: lists that are searched, and money in arrays.

use std::collections::{BTreeMap, VecDeque};

use matching_engine::OrderNature::{self, Ask, Bid};

use crate::market::{FUNDS, TRADERS};

pub(crate) const BASE: usize = 0;
pub(crate) const QUOTE: usize = 1;

/// Resting orders that an incoming one goes through at most, cancelled ones included.
pub(crate) const MAX_STEPS: u32 = 500;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Resting {
    pub(crate) trader: usize,
    pub(crate) nature: OrderNature,
    pub(crate) price: u64,
    pub(crate) quantity: u128,
}

#[derive(Default, Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) trades: u64,
    pub(crate) partial: u64,
    pub(crate) refunds: u64,
    pub(crate) cancelled: u64,
    pub(crate) modified: u64,
    pub(crate) refused: u64,
}

pub(crate) struct Model {
    scale: u128,
    next_id: u64,
    pub(crate) open: BTreeMap<u64, Resting>,
    /// Ids by age, those of cancelled orders included, by side and price.
    levels: [BTreeMap<u64, VecDeque<u64>>; 2],
    /// By token and trader.
    pub(crate) balances: [[u128; TRADERS]; 2],
    pub(crate) counts: Counts,
}

impl Model {
    pub(crate) fn new(price_decimals: u16) -> Self {
        Self {
            scale: 10u128.pow(price_decimals.into()),
            next_id: 0,
            open: BTreeMap::new(),
            levels: Default::default(),
            balances: [[FUNDS; TRADERS]; 2],
            counts: Counts::default(),
        }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// What quantity at a price is worth: rounded down.
    pub(crate) fn worth(&self, quantity: u128, price: u64) -> u128 {
        quantity * u128::from(price) / self.scale
    }

    /// The token that an order pays with, and how much of it it locks.
    pub(crate) fn locks(&self, nature: OrderNature, quantity: u128, price: u64) -> (usize, u128) {
        match nature {
            Bid => (QUOTE, self.worth(quantity, price)),
            Ask => (BASE, quantity),
        }
    }

    /// Takes an order's funds; says whether they are there.
    pub(crate) fn lock(
        &mut self,
        trader: usize,
        nature: OrderNature,
        quantity: u128,
        price: u64,
    ) -> bool {
        let (token, amount) = self.locks(nature, quantity, price);
        let funds = &mut self.balances[token][trader];
        let enough = *funds >= amount;
        *funds -= if enough { amount } else { 0 };
        enough
    }

    /// What all open orders have locked.
    pub(crate) fn held(&self, token: usize) -> u128 {
        let locked = self
            .open
            .values()
            .map(|o| self.locks(o.nature, o.quantity, o.price));
        locked
            .filter(|(locked, _)| *locked == token)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// An order whose funds are locked.
    pub(crate) fn insert(
        &mut self,
        trader: usize,
        nature: OrderNature,
        quantity: u128,
        price: u64,
    ) {
        let mut order = Resting {
            trader,
            nature,
            price,
            quantity,
        };
        let mut steps = MAX_STEPS;
        while order.quantity > 0 && steps > 0 {
            let Some((id, level)) = self.best_against(&order) else {
                break;
            };
            steps -= 1;
            if self.open.contains_key(&id) {
                self.trade(&mut order, id);
            }
            if !self.open.contains_key(&id) {
                self.pop(nature, level);
            }
        }
        if steps == 0 {
            let (token, amount) = self.locks(nature, order.quantity, price);
            self.balances[token][trader] += amount;
        } else if order.quantity > 0 {
            self.open.insert(self.next_id, order);
            self.levels[nature as usize]
                .entry(price)
                .or_default()
                .push_back(self.next_id);
        }
        self.next_id += 1;
    }

    /// Says whether there was such an order of this trader.
    pub(crate) fn cancel(&mut self, trader: usize, id: u64) -> bool {
        let Some(order) = self
            .open
            .get(&id)
            .copied()
            .filter(|order| order.trader == trader)
        else {
            self.counts.refused += 1;
            return false;
        };
        let (token, amount) = self.locks(order.nature, order.quantity, order.price);
        self.balances[token][trader] += amount;
        self.open.remove(&id);
        let level = &self.levels[order.nature as usize][&order.price];
        if !level.iter().any(|id| self.open.contains_key(id)) {
            self.levels[order.nature as usize].remove(&order.price);
        }
        self.counts.cancelled += 1;
        true
    }

    /// Says whether there was such an order of this trader, at least as large.
    pub(crate) fn modify(&mut self, trader: usize, id: u64, quantity: u128) -> bool {
        let order = self.open.get(&id).copied();
        let order = order.filter(|o| o.trader == trader && quantity > 0 && quantity <= o.quantity);
        let Some(order) = order else {
            self.counts.refused += 1;
            return false;
        };
        let (token, before) = self.locks(order.nature, order.quantity, order.price);
        let (_, after) = self.locks(order.nature, quantity, order.price);
        self.balances[token][trader] += before - after;
        self.open.get_mut(&id).expect("it was found").quantity = quantity;
        self.counts.modified += 1;
        true
    }

    /// The oldest order at the best price on the other side, if the order accepts that price.
    fn best_against(&self, order: &Resting) -> Option<(u64, u64)> {
        let (price, level) = match order.nature {
            Bid => self.levels[Ask as usize].first_key_value()?,
            Ask => self.levels[Bid as usize].last_key_value()?,
        };
        let accepted = match order.nature {
            Bid => *price <= order.price,
            Ask => *price >= order.price,
        };
        accepted.then(|| (level[0], *price))
    }

    fn trade(&mut self, incoming: &mut Resting, id: u64) {
        let mut resting = self.open[&id];
        let quantity = incoming.quantity.min(resting.quantity);
        let (bid, ask) = match incoming.nature {
            Bid => (*incoming, resting),
            Ask => (resting, *incoming),
        };
        let released =
            self.worth(bid.quantity, bid.price) - self.worth(bid.quantity - quantity, bid.price);
        let payment = self.worth(quantity, resting.price);
        self.balances[BASE][bid.trader] += quantity;
        self.balances[QUOTE][bid.trader] += released - payment;
        self.balances[QUOTE][ask.trader] += payment;
        self.counts.trades += 1;
        self.counts.refunds += u64::from(released > payment);
        incoming.quantity -= quantity;
        resting.quantity -= quantity;
        if resting.quantity == 0 {
            self.open.remove(&id);
        } else {
            self.counts.partial += 1;
            self.open.insert(id, resting);
        }
    }

    /// Takes the oldest order against which `nature` trades out of a level, and the level if no open
    /// order is left in it.
    fn pop(&mut self, nature: OrderNature, price: u64) {
        let side = &mut self.levels[match nature {
            Bid => Ask as usize,
            Ask => Bid as usize,
        }];
        let level = side.get_mut(&price).expect("it was the best");
        level.pop_front();
        if !level.iter().any(|id| self.open.contains_key(id)) {
            side.remove(&price);
        }
    }
}
