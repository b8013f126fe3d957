//! What a block has used so far, against its limits.

use resident_base::{Amount, Resources};
use resident_wasm::{GuestFailure, Meters, prepare::STACK_UNITS};

use crate::{FailureReason, LimitKind, ResourcePolicy, Stop};

/// What a block has used, and what the running transaction may still use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// All that the block used, fuel of the running transaction excepted.
    pub(crate) used: Resources,
    /// The fees charged so far.
    pub(crate) fees: Amount,
    /// `used` when the running transaction began.
    at_begin: Resources,
    /// The fuel that the running transaction was given.
    granted: i64,
    /// What is left of it.
    pub(crate) meters: Meters,
}

impl Usage {
    /// Gives a transaction its fuel.
    pub(crate) fn begin(&mut self, policy: &ResourcePolicy) {
        let limits = &policy.limits;
        let left = limits.block_fuel.saturating_sub(self.used.wasm_fuel);
        self.granted = i64::try_from(limits.transaction_fuel.min(left)).unwrap_or(i64::MAX);
        self.meters = Meters {
            fuel: self.granted,
            stack: STACK_UNITS,
        };
        self.at_begin = self.used;
    }

    /// Books the transaction's fuel, and gives the fee for all that it used.
    pub(crate) fn end(&mut self, policy: &ResourcePolicy) -> Amount {
        let spent = self.granted.saturating_sub(self.meters.fuel.max(0));
        self.granted = 0;
        self.meters = Meters::default();
        self.used.wasm_fuel += u64::try_from(spent).unwrap_or_default();
        policy.prices.fee(&difference(&self.used, &self.at_begin))
    }

    /// Takes fuel for what a host function is about to do.
    pub(crate) fn charge_fuel(&mut self, fuel: u64) -> Result<(), Stop> {
        let fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        self.meters.fuel = self.meters.fuel.saturating_sub(fuel);
        if self.meters.fuel < 0 {
            return Err(FailureReason::Guest(GuestFailure::OutOfFuel).into());
        }
        Ok(())
    }

    /// Counts a read of the state, by a host call.
    pub(crate) fn read_operation(&mut self) {
        self.used.read_operations += 1;
    }

    /// Counts what was read.
    pub(crate) fn bytes_read(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.bytes_to_read,
            bytes,
            policy.limits.bytes_read,
            LimitKind::BytesRead,
        )
    }

    /// Counts a write to the state.
    pub(crate) fn write(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        self.used.write_operations += 1;
        let limit = policy.limits.bytes_written;
        add(
            &mut self.used.bytes_to_write,
            bytes,
            limit,
            LimitKind::BytesWritten,
        )
    }

    /// Counts a message.
    pub(crate) fn message(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        let limits = &policy.limits;
        add(
            &mut self.used.messages,
            1,
            limits.messages,
            LimitKind::Messages,
        )?;
        add(
            &mut self.used.message_size,
            bytes,
            limits.message_bytes,
            LimitKind::MessageBytes,
        )
    }

    /// Counts a query of a service.
    pub(crate) fn service_query(&mut self, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.service_as_oracle_queries,
            1,
            policy.limits.service_as_oracle_queries,
            LimitKind::ServiceQueries,
        )
    }

    /// Counts a blob.
    pub(crate) fn blob(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        if bytes > policy.limits.blob_bytes {
            return Err(LimitKind::BlobBytes.into());
        }
        self.used.blobs_to_publish += 1;
        self.used.blob_bytes_to_publish += bytes;
        Ok(())
    }
}

fn add(counter: &mut u64, more: u64, limit: u64, kind: LimitKind) -> Result<(), Stop> {
    *counter = counter.saturating_add(more);
    if *counter > limit {
        Err(kind.into())
    } else {
        Ok(())
    }
}

/// What was used between two moments, as far as it has a price.
fn difference(now: &Resources, before: &Resources) -> Resources {
    Resources {
        wasm_fuel: now.wasm_fuel - before.wasm_fuel,
        read_operations: now.read_operations - before.read_operations,
        write_operations: now.write_operations - before.write_operations,
        bytes_to_read: now.bytes_to_read - before.bytes_to_read,
        bytes_to_write: now.bytes_to_write - before.bytes_to_write,
        messages: now.messages - before.messages,
        message_size: now.message_size - before.message_size,
        blobs_to_publish: now.blobs_to_publish - before.blobs_to_publish,
        blob_bytes_to_publish: now.blob_bytes_to_publish - before.blob_bytes_to_publish,
        service_as_oracle_queries: now.service_as_oracle_queries - before.service_as_oracle_queries,
        ..Resources::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Prices};

    fn policy() -> ResourcePolicy {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = 100;
        policy.limits.block_fuel = 250;
        policy.limits.bytes_read = 10;
        policy.prices = Prices {
            fuel: Amount::from_attos(3),
            message: Amount::from_attos(50),
            ..Prices::default()
        };
        policy
    }

    fn spend(usage: &mut Usage, fuel: u64) -> Amount {
        usage.begin(&policy());
        usage.charge_fuel(fuel).expect("there is enough");
        usage.end(&policy())
    }

    #[test]
    fn a_transaction_gets_what_the_block_has_left() {
        let mut usage = Usage::default();
        assert_eq!(spend(&mut usage, 90), Amount::from_attos(270));
        assert_eq!(spend(&mut usage, 100), Amount::from_attos(300));
        usage.begin(&policy());
        assert_eq!(usage.meters.fuel, 60);
        let stop = usage.charge_fuel(61).expect_err("that is too much");
        assert!(
            matches!(&stop, Stop::Failure(failure) if failure.is_limit()),
            "{stop}"
        );
        usage.end(&policy());
        assert_eq!(usage.used.wasm_fuel, 250, "what was there is spent");
    }

    #[test]
    fn a_fee_is_for_the_running_transaction_only() {
        let mut usage = Usage::default();
        usage.begin(&policy());
        usage.message(20, &policy()).expect("there is room");
        assert_eq!(usage.end(&policy()), Amount::from_attos(50));
        usage.begin(&policy());
        assert_eq!(usage.end(&policy()), Amount::ZERO);
    }

    #[test]
    fn reads_are_limited_by_block() {
        let mut usage = Usage::default();
        usage.bytes_read(10, &policy()).expect("that is the limit");
        let Stop::Failure(Failure { reason, .. }) =
            usage.bytes_read(1, &policy()).expect_err("too much")
        else {
            panic!("a limit is a failure");
        };
        assert_eq!(reason, FailureReason::Limit(LimitKind::BytesRead));
    }
}
