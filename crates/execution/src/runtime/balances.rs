//! The chain's own records in its state: who owns it, and who has how much.

use resident_base::{
    AccountOwner, Amount, ApplicationPermissions, ChainDescription, ChainOwnership,
};
use resident_storage::{
    Journal, JournalError, KeyValueStore, Namespace, Scan, ScanCost, Value, partition_state_key,
};
use serde::{Deserialize, Serialize};

use crate::{FailureReason, Fault, Stop};

const CONFIG_KEY: &[u8] = &[0x00];
const BALANCE_TAG: u8 = 0x01;

/// What is fixed for a chain until its owners change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChainConfig {
    pub(crate) ownership: ChainOwnership,
    pub(crate) application_permissions: ApplicationPermissions,
    /// Whether the chain only rejects.
    pub(crate) is_closed: bool,
    /// The size of its record in bytes, by which work on it is paid for.
    #[serde(skip)]
    pub(crate) size_bytes: u64,
}

pub(crate) fn read_config(journal: &mut Journal) -> Result<Option<ChainConfig>, Fault> {
    let bytes = journal.read(Namespace::System, CONFIG_KEY)?;
    bytes.as_deref().map(decode_config).transpose()
}

fn decode_config(bytes: &[u8]) -> Result<ChainConfig, Fault> {
    let mut config: ChainConfig =
        bcs::from_bytes(bytes).map_err(|error| damaged("a chain's configuration", &error))?;
    config.size_bytes = bytes.len() as u64;
    Ok(config)
}

/// As [`read_config`], of what is stored.
pub(crate) async fn stored_config(
    store: &dyn KeyValueStore,
    partition: &[u8],
) -> Result<Option<ChainConfig>, Fault> {
    let key = partition_state_key(partition, Namespace::System, CONFIG_KEY);
    let bytes = store.read(&key).await?;
    bytes.as_deref().map(decode_config).transpose()
}

/// As [`read_balance`], of what is stored.
pub(crate) async fn stored_balance(
    store: &dyn KeyValueStore,
    partition: &[u8],
    owner: AccountOwner,
) -> Result<Amount, Fault> {
    let key = partition_state_key(partition, Namespace::System, &balance_key(owner));
    let bytes = store.read(&key).await?;
    bytes.as_deref().map_or(Ok(Amount::ZERO), decode_balance)
}

/// Writes the records that a chain begins with.
pub(crate) fn initialize(
    journal: &mut Journal,
    description: &ChainDescription,
) -> Result<ChainConfig, Fault> {
    let initial = &description.config;
    let mut config = ChainConfig {
        ownership: initial.ownership.clone(),
        application_permissions: initial.application_permissions.clone(),
        is_closed: false,
        size_bytes: 0,
    };
    write_config(journal, &mut config)?;
    write_balance(journal, AccountOwner::CHAIN, initial.balance)?;
    Ok(config)
}

/// Changes what is fixed for the chain, and takes note of its size.
pub(crate) fn write_config(journal: &mut Journal, config: &mut ChainConfig) -> Result<(), Fault> {
    let bytes = bcs::to_bytes(config).expect("a configuration has no maps with failing keys");
    config.size_bytes = bytes.len() as u64;
    Ok(journal.put(Namespace::System, CONFIG_KEY, bytes)?)
}

/// What an owner has; [`AccountOwner::CHAIN`] is the chain itself.
pub(crate) fn read_balance(journal: &mut Journal, owner: AccountOwner) -> Result<Amount, Fault> {
    match journal.read(Namespace::System, &balance_key(owner))? {
        None => Ok(Amount::ZERO),
        Some(bytes) => decode_balance(&bytes),
    }
}

fn decode_balance(bytes: &[u8]) -> Result<Amount, Fault> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|error| damaged("a balance", &error))?;
    Ok(Amount::from_attos(u128::from_le_bytes(bytes)))
}

/// The records of what all owners have, in the order of their keys.
pub(crate) fn scan_balances(
    journal: &mut Journal,
    rates: ScanCost,
) -> Result<Scan<(Vec<u8>, Value)>, JournalError> {
    journal.scan_key_values(Namespace::System, &[BALANCE_TAG], rates)
}

/// What all owners have, the chain itself excepted, in the same order.
pub(crate) fn decode_balances(
    found: Vec<(Vec<u8>, Value)>,
) -> Result<Vec<(AccountOwner, Amount)>, Fault> {
    let mut balances = Vec::with_capacity(found.len());
    for (key, bytes) in found {
        let owner = bcs::from_bytes(&key).map_err(|error| damaged("an owner", &error))?;
        if owner != AccountOwner::CHAIN {
            balances.push((owner, decode_balance(&bytes)?));
        }
    }
    Ok(balances)
}

/// Adds to what an owner has, and tells whether that made an entry of the state.
pub(crate) fn credit(
    journal: &mut Journal,
    owner: AccountOwner,
    amount: Amount,
) -> Result<bool, Stop> {
    let before = read_balance(journal, owner)?;
    let balance = before.try_add(amount)?;
    write_balance(journal, owner, balance)?;
    Ok(before == Amount::ZERO && balance > Amount::ZERO)
}

/// Whether the block has changed what an owner has.
pub(crate) fn is_written(journal: &Journal, owner: AccountOwner) -> bool {
    journal.is_written(Namespace::System, &balance_key(owner))
}

/// The size of an account's entry in the state.
pub(crate) fn account_bytes(owner: AccountOwner) -> u64 {
    (balance_key(owner).len() + size_of::<u128>()) as u64
}

/// As [`credit`], for tokens that are on their way back and have nowhere else to go.
pub(crate) fn credit_or_lose(
    journal: &mut Journal,
    owner: AccountOwner,
    amount: Amount,
) -> Result<(), Fault> {
    let balance = read_balance(journal, owner)?.saturating_add(amount);
    write_balance(journal, owner, balance)
}

/// Takes from what an owner has, which must be enough.
pub(crate) fn debit(
    journal: &mut Journal,
    owner: AccountOwner,
    amount: Amount,
) -> Result<(), Stop> {
    let balance = read_balance(journal, owner)?;
    let rest = balance
        .try_sub(amount)
        .map_err(|_| FailureReason::InsufficientBalance {
            owner,
            balance,
            amount,
        })?;
    Ok(write_balance(journal, owner, rest)?)
}

fn write_balance(journal: &mut Journal, owner: AccountOwner, balance: Amount) -> Result<(), Fault> {
    let key = balance_key(owner);
    if balance == Amount::ZERO {
        journal.delete(Namespace::System, &key)?;
    } else {
        journal.put(
            Namespace::System,
            &key,
            balance.to_attos().to_le_bytes().to_vec(),
        )?;
    }
    Ok(())
}

fn balance_key(owner: AccountOwner) -> Vec<u8> {
    let mut key = vec![BALANCE_TAG];
    bcs::serialize_into(&mut key, &owner).expect("an owner is a plain value");
    key
}

fn damaged(what: &'static str, error: &dyn std::fmt::Display) -> Fault {
    Fault::Damaged {
        what,
        reason: error.to_string(),
    }
}
