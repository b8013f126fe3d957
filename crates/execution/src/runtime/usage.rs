//! What a block has used so far, against its limits.

use resident_base::{Amount, Resources};
use resident_wasm::{GuestFailure, Meters, prepare::STACK_UNITS};

use super::memory::KeptMemory;
use crate::{Failure, FailureReason, LimitKind, ResourcePolicy, Stop};

/// What a block has used, and what the running transaction may still use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// All that the block used, fuel of the running transaction excepted.
    pub(crate) used: Resources,
    /// What [`Resources`] do not count.
    other: Others,
    /// What the block had used when the running transaction began, or one application's finalization.
    before: (Resources, Others),
    /// The fees charged so far.
    pub(crate) fees: Amount,
    /// `used` when the fee was last settled.
    settled: Resources,
    /// What has to be paid besides, for things that [`Resources`] do not count.
    surcharge: Amount,
    /// Whether nothing has to be paid until the next settlement.
    pub(crate) is_free: bool,
    /// The fuel that the running transaction had at that moment.
    granted: i64,
    /// Whether others left it less than a transaction may spend.
    is_short: bool,
    /// How much of it the next transactions may spend at most, if there is a reason to give them little.
    pub(crate) fuel_limit: Option<u64>,
    /// What the running transaction has less for that reason.
    withheld: i64,
    /// What is left of it.
    pub(crate) meters: Meters,
    /// Fuel for the block's own beginning, until its first action pays for it.
    pub(crate) opening_fuel: u64,
    /// What the block keeps in memory.
    pub(crate) memory: KeptMemory,
}

/// What a block has used and [`Resources`] do not count.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    /// Modules that the block published.
    modules: u64,
    /// Events that the block emitted.
    events: u64,
    /// Bytes of events that the block emitted, and of answers that it recorded.
    outcome_bytes: u64,
    /// Bytes that the block keeps in memory, as they were last counted.
    memory_bytes: u64,
}

/// A part of what a block has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    used: Resources,
    other: Others,
}

impl Share {
    /// How much of it counts towards a limit of the block.
    pub(crate) fn of(&self, kind: LimitKind) -> u64 {
        match kind {
            LimitKind::Modules => self.other.modules,
            LimitKind::Events => self.other.events,
            LimitKind::BlockBytes => self.other.outcome_bytes,
            LimitKind::MemoryBytes => self.other.memory_bytes,
            kind => kind.used(&self.used),
        }
    }
}

impl Usage {
    /// Gives a transaction its fuel.
    pub(crate) fn begin(&mut self, policy: &ResourcePolicy) {
        let limits = &policy.limits;
        let left = limits.block_fuel.saturating_sub(self.used.wasm_fuel);
        let limited = self.fuel_limit.map_or(left, |most| most.min(left));
        let granted =
            |left: u64| i64::try_from(limits.transaction_fuel.min(left)).unwrap_or(i64::MAX);
        self.granted = granted(limited);
        self.withheld = granted(left) - self.granted;
        let has_shared = self.used.wasm_fuel > 0 || limited < left;
        self.is_short = limited < limits.transaction_fuel && has_shared;
        self.before = (self.used, self.other);
        self.meters = Meters {
            fuel: self.granted,
            stack: STACK_UNITS,
        };
        self.settled = self.used;
        self.surcharge = Amount::ZERO;
        self.is_free = false;
    }

    /// Books the fuel that was spent since the last time, and gives the fee for all that was used since.
    pub(crate) fn settle(&mut self, policy: &ResourcePolicy) -> Amount {
        let left = self.meters.fuel.max(0);
        let spent = self.granted.saturating_sub(left);
        self.granted = left;
        self.used.wasm_fuel += u64::try_from(spent).unwrap_or_default();
        let fee = policy.prices.fee(&self.used_since(&self.settled));
        let fee = fee.saturating_add(std::mem::take(&mut self.surcharge));
        self.settled = self.used;
        match self.is_free {
            true => Amount::ZERO,
            false => fee,
        }
    }

    /// Takes back what is left of a transaction's fuel, after its last fee was settled.
    pub(crate) fn end(&mut self) {
        self.granted = 0;
        self.meters = Meters::default();
    }

    /// What is left of the fuel, as it is wherever the transaction is run: little of it may be given to one that is tried,
    /// but not to one that is run again.
    pub(crate) fn remaining_fuel(&self) -> u64 {
        let fuel = self.meters.fuel.saturating_add(self.withheld);
        u64::try_from(fuel).unwrap_or_default()
    }

    /// Takes fuel for what a host function is about to do.
    pub(crate) fn charge_fuel(&mut self, fuel: u64) -> Result<(), Stop> {
        let fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        self.meters.fuel = self.meters.fuel.saturating_sub(fuel);
        if self.meters.fuel < 0 {
            return Err(self.whose(FailureReason::Guest(GuestFailure::OutOfFuel).into()));
        }
        Ok(())
    }

    /// Says whose fault it is that fuel ran out: if others left less than a transaction may spend, another
    /// block may have enough.
    pub(crate) fn whose(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Failure(Failure {
                application_id,
                reason: FailureReason::Guest(GuestFailure::OutOfFuel),
            }) if self.is_short => Stop::Failure(Failure {
                application_id,
                reason: FailureReason::Crowded(LimitKind::Fuel),
            }),
            stop => stop,
        }
    }

    /// Takes note of what the block keeps in memory.
    pub(crate) fn note_memory(&mut self, bytes: u64) {
        self.other.memory_bytes = bytes;
    }

    /// Counts what the block keeps in memory, all of it each time.
    pub(crate) fn count_memory(&mut self, bytes: u64, limit: u64) -> Result<(), Stop> {
        let before = self.before.1.memory_bytes;
        let counter = &mut self.other.memory_bytes;
        *counter = 0;
        add(counter, before, bytes, limit, LimitKind::MemoryBytes)
    }

    /// All fuel spent so far, the running transaction's included.
    pub(crate) fn spent_fuel(&self) -> u64 {
        let spent = self.granted.saturating_sub(self.meters.fuel.max(0));
        self.used.wasm_fuel + u64::try_from(spent).unwrap_or_default()
    }

    /// What the running transaction has used so far, or one application's finalization.
    pub(crate) fn share(&self) -> Share {
        let (used, other) = &self.before;
        let other = Others {
            modules: self.other.modules - other.modules,
            events: self.other.events - other.events,
            outcome_bytes: self.other.outcome_bytes - other.outcome_bytes,
            // What was deleted again makes room.
            memory_bytes: self.other.memory_bytes.saturating_sub(other.memory_bytes),
        };
        // Fuel is not booked yet.
        let used = Resources {
            wasm_fuel: self.spent_fuel() - used.wasm_fuel,
            ..self.used_since(used)
        };
        Share { used, other }
    }

    /// Adds the price of so much fuel to the fee, for what takes a node's time outside of any application. It is not
    /// part of the fuel that a transaction may spend.
    pub(crate) fn charge_outside_fuel(&mut self, fuel: u64, policy: &ResourcePolicy) {
        let fee = policy.prices.fuel.saturating_mul(u128::from(fuel));
        self.surcharge = self.surcharge.saturating_add(fee);
    }

    /// Counts an operation.
    pub(crate) fn operation(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        if bytes > policy.limits.operation_bytes {
            return Err(LimitKind::OperationBytes.into());
        }
        let fee = policy.prices.operation_fee(bytes);
        self.surcharge = self.surcharge.saturating_add(fee);
        Ok(())
    }

    /// Counts what the runtime answers with.
    pub(crate) fn bytes_runtime(
        &mut self,
        bytes: u64,
        policy: &ResourcePolicy,
    ) -> Result<(), Stop> {
        add(
            &mut self.used.bytes_runtime,
            self.before.0.bytes_runtime,
            bytes,
            policy.limits.bytes_runtime,
            LimitKind::BytesRuntime,
        )
    }

    /// Counts a read of the state, by a host call.
    pub(crate) fn read_operation(&mut self, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.read_operations,
            self.before.0.read_operations,
            1,
            policy.limits.read_operations,
            LimitKind::ReadOperations,
        )
    }

    /// Counts what was read.
    pub(crate) fn bytes_read(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.bytes_to_read,
            self.before.0.bytes_to_read,
            bytes,
            policy.limits.bytes_read,
            LimitKind::BytesRead,
        )
    }

    /// Counts a write to the state.
    pub(crate) fn write(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.write_operations,
            self.before.0.write_operations,
            1,
            policy.limits.write_operations,
            LimitKind::WriteOperations,
        )?;
        let limit = policy.limits.bytes_written;
        add(
            &mut self.used.bytes_to_write,
            self.before.0.bytes_to_write,
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
            self.before.0.messages,
            1,
            limits.messages,
            LimitKind::Messages,
        )?;
        add(
            &mut self.used.message_size,
            self.before.0.message_size,
            bytes,
            limits.message_bytes,
            LimitKind::MessageBytes,
        )
    }

    /// Counts an event, which is also written.
    pub(crate) fn event(
        &mut self,
        name_bytes: usize,
        value_bytes: usize,
        policy: &ResourcePolicy,
    ) -> Result<(), Stop> {
        let limits = &policy.limits;
        if value_bytes as u64 > limits.event_bytes {
            return Err(LimitKind::EventBytes.into());
        }
        add(
            &mut self.other.events,
            self.before.1.events,
            1,
            limits.events,
            LimitKind::Events,
        )?;
        let bytes = (name_bytes + value_bytes) as u64;
        self.outcome_bytes(bytes, policy)?;
        self.write(bytes, policy)
    }

    /// Counts what becomes part of the block's outcome, so that memory ends no sooner than the block does.
    pub(crate) fn outcome_bytes(
        &mut self,
        bytes: u64,
        policy: &ResourcePolicy,
    ) -> Result<(), Stop> {
        let limit = policy.limits.block_bytes;
        add(
            &mut self.other.outcome_bytes,
            self.before.1.outcome_bytes,
            bytes,
            limit,
            LimitKind::BlockBytes,
        )
    }

    /// Counts a query of a service.
    pub(crate) fn service_query(&mut self, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.used.service_as_oracle_queries,
            self.before.0.service_as_oracle_queries,
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
        let limits = &policy.limits;
        add(
            &mut self.used.blobs_to_publish,
            self.before.0.blobs_to_publish,
            1,
            limits.blobs_published,
            LimitKind::BlobsPublished,
        )?;
        add(
            &mut self.used.blob_bytes_to_publish,
            self.before.0.blob_bytes_to_publish,
            bytes,
            limits.blob_bytes_published,
            LimitKind::BlobBytesPublished,
        )
    }

    /// Counts a data blob that is read, or whose existence is asserted.
    pub(crate) fn blob_read(&mut self, policy: &ResourcePolicy) -> Result<(), Stop> {
        let limit = policy.limits.blobs_read;
        add(
            &mut self.used.blobs_to_read,
            self.before.0.blobs_to_read,
            1,
            limit,
            LimitKind::BlobsRead,
        )
    }

    /// Counts what was read of a data blob.
    pub(crate) fn blob_bytes_read(
        &mut self,
        bytes: u64,
        policy: &ResourcePolicy,
    ) -> Result<(), Stop> {
        add(
            &mut self.used.blob_bytes_to_read,
            self.before.0.blob_bytes_to_read,
            bytes,
            policy.limits.blob_bytes_read,
            LimitKind::BlobBytesRead,
        )
    }

    /// Counts a module that is published. Its blobs are counted on their own.
    pub(crate) fn module(&mut self, policy: &ResourcePolicy) -> Result<(), Stop> {
        add(
            &mut self.other.modules,
            self.before.1.modules,
            1,
            policy.limits.modules,
            LimitKind::Modules,
        )
    }

    /// Counts an HTTP request.
    pub(crate) fn http_request(&mut self, bytes: u64, policy: &ResourcePolicy) -> Result<(), Stop> {
        if bytes > policy.limits.http_request_bytes {
            return Err(LimitKind::HttpRequestBytes.into());
        }
        let limit = policy.limits.http_requests;
        add(
            &mut self.used.http_requests,
            self.before.0.http_requests,
            1,
            limit,
            LimitKind::HttpRequests,
        )
    }

    /// What was used since a moment before.
    pub(crate) fn used_since(&self, before: &Resources) -> Resources {
        // Names every field, so that none that is added can be forgotten.
        macro_rules! difference {
            ($($field:ident),* $(,)?) => {
                Resources { $($field: self.used.$field - before.$field),* }
            };
        }
        difference!(
            wasm_fuel,
            evm_fuel,
            read_operations,
            write_operations,
            bytes_runtime,
            bytes_to_read,
            bytes_to_write,
            blobs_to_read,
            blobs_to_publish,
            blob_bytes_to_read,
            blob_bytes_to_publish,
            messages,
            message_size,
            storage_size_delta,
            service_as_oracle_queries,
            http_requests,
        )
    }
}

/// Counts more of something. `before` is what others used: without that, the limit may have been kept.
fn add(counter: &mut u64, before: u64, more: u64, limit: u64, kind: LimitKind) -> Result<(), Stop> {
    *counter = counter.saturating_add(more);
    if *counter <= limit {
        return Ok(());
    }
    Err(match counter.saturating_sub(before) > limit {
        true => FailureReason::Limit(kind),
        false => FailureReason::Crowded(kind),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prices;

    fn policy() -> ResourcePolicy {
        let mut policy = ResourcePolicy::default();
        policy.limits.transaction_fuel = 100;
        policy.limits.block_fuel = 250;
        policy.limits.bytes_read = 10;
        policy.limits.operation_bytes = 1_000;
        policy.prices = Prices {
            fuel: Amount::from_attos(3),
            message: Amount::from_attos(50),
            operation: Amount::from_attos(1_000),
            operation_byte: Amount::from_attos(100),
            ..Prices::default()
        };
        policy
    }

    fn spend(usage: &mut Usage, fuel: u64) -> Amount {
        usage.begin(&policy());
        usage.charge_fuel(fuel).expect("there is enough");
        end(usage)
    }

    fn end(usage: &mut Usage) -> Amount {
        let fee = usage.settle(&policy());
        usage.end();
        fee
    }

    #[test]
    fn a_transaction_gets_what_the_block_has_left() {
        let mut usage = Usage::default();
        assert_eq!(spend(&mut usage, 90), Amount::from_attos(270));
        assert_eq!(spend(&mut usage, 100), Amount::from_attos(300));
        usage.begin(&policy());
        assert_eq!(usage.meters.fuel, 60);
        let stop = usage.charge_fuel(61).expect_err("that is too much");
        assert_eq!(reason(stop), FailureReason::Crowded(LimitKind::Fuel));
        end(&mut usage);
        assert_eq!(usage.used.wasm_fuel, 250, "what was there is spent");
    }

    #[test]
    fn what_has_little_is_short_of_what_others_have() {
        let mut usage = Usage {
            fuel_limit: Some(30),
            ..Usage::default()
        };
        assert_eq!(spend(&mut usage, 30), Amount::from_attos(90));
        usage.begin(&policy());
        assert_eq!((usage.meters.fuel, usage.remaining_fuel()), (30, 100));
        let stop = usage.charge_fuel(31).expect_err("that is too much");
        assert_eq!(reason(stop), FailureReason::Crowded(LimitKind::Fuel));
        end(&mut usage);
        usage.fuel_limit = None;
        usage.begin(&policy());
        assert_eq!(usage.remaining_fuel(), 100);
        assert_eq!(spend(&mut usage, 100), Amount::from_attos(300));
    }

    #[test]
    fn a_fee_is_for_the_running_transaction_only() {
        let mut usage = Usage::default();
        usage.begin(&policy());
        usage.message(20, &policy()).expect("there is room");
        assert_eq!(end(&mut usage), Amount::from_attos(50));
        usage.begin(&policy());
        assert_eq!(end(&mut usage), Amount::ZERO);
    }

    #[test]
    fn each_settlement_is_for_what_came_since_the_last() {
        let mut usage = Usage::default();
        usage.begin(&policy());
        usage.charge_fuel(10).expect("there is enough");
        assert_eq!(usage.settle(&policy()), Amount::from_attos(30));
        usage.operation(2, &policy()).expect("it is small");
        usage.charge_fuel(1).expect("there is enough");
        assert_eq!(
            usage.settle(&policy()),
            Amount::from_attos(3 + 1_000 + 2 * 100)
        );
        usage.is_free = true;
        usage.operation(2, &policy()).expect("it is small");
        usage.message(20, &policy()).expect("there is room");
        assert_eq!(usage.settle(&policy()), Amount::ZERO);
        usage.is_free = false;
        assert_eq!(end(&mut usage), Amount::ZERO, "all is settled");
        let expected = Resources {
            wasm_fuel: 11,
            messages: 1,
            message_size: 20,
            ..Resources::default()
        };
        assert_eq!(usage.used, expected, "free or not");
    }

    #[test]
    fn what_is_free_has_limits_too() {
        let mut usage = Usage::default();
        usage.begin(&policy());
        usage.is_free = true;
        assert!(usage.operation(1_001, &policy()).is_err());
        assert!(usage.charge_fuel(101).is_err());
    }

    #[test]
    fn every_count_has_its_limit() {
        type Count = fn(&mut Usage, &ResourcePolicy) -> Result<(), Stop>;
        let mut policy = ResourcePolicy::default();
        policy.limits.bytes_runtime = 10;
        policy.limits.read_operations = 2;
        policy.limits.write_operations = 2;
        policy.limits.bytes_written = 7;
        policy.limits.messages = 2;
        policy.limits.message_bytes = 7;
        let table: [(Count, LimitKind); 6] = [
            (
                |usage, policy| usage.bytes_runtime(5, policy),
                LimitKind::BytesRuntime,
            ),
            (
                |usage, policy| usage.read_operation(policy),
                LimitKind::ReadOperations,
            ),
            (
                |usage, policy| usage.write(0, policy),
                LimitKind::WriteOperations,
            ),
            (
                |usage, policy| usage.write(3, policy),
                LimitKind::BytesWritten,
            ),
            (
                |usage, policy| usage.message(0, policy),
                LimitKind::Messages,
            ),
            (
                |usage, policy| usage.message(3, policy),
                LimitKind::MessageBytes,
            ),
        ];
        for (count, kind) in table {
            if kind == LimitKind::BytesWritten || kind == LimitKind::MessageBytes {
                (policy.limits.write_operations, policy.limits.messages) = (9, 9);
            }
            let mut usage = Usage::default();
            count(&mut usage, &policy).expect("once is fine");
            count(&mut usage, &policy).expect("twice is fine");
            let stop = count(&mut usage, &policy).expect_err("the third is too much");
            assert_eq!(reason(stop), FailureReason::Limit(kind));
            // Another transaction would have had room for it, alone.
            let mut usage = Usage::default();
            count(&mut usage, &policy).expect("once is fine");
            count(&mut usage, &policy).expect("twice is fine");
            usage.begin(&policy);
            let stop = count(&mut usage, &policy).expect_err("the third is too much");
            assert_eq!(reason(stop), FailureReason::Crowded(kind));
            (policy.limits.write_operations, policy.limits.messages) = (2, 2);
        }
    }

    #[test]
    fn reads_are_limited_by_block() {
        let mut usage = Usage::default();
        usage.bytes_read(10, &policy()).expect("that is the limit");
        let stop = usage.bytes_read(1, &policy()).expect_err("too much");
        assert_eq!(reason(stop), FailureReason::Limit(LimitKind::BytesRead));
    }

    /// Nobody else is to blame for what a whole transaction's fuel is not enough for.
    #[test]
    fn whoever_spends_all_of_its_own_fuel_is_out_of_fuel() {
        let mut usage = Usage::default();
        spend(&mut usage, 100);
        usage.begin(&policy());
        let stop = usage.charge_fuel(101).expect_err("that is too much");
        let out_of_fuel = FailureReason::Guest(GuestFailure::OutOfFuel);
        assert_eq!(reason(stop), out_of_fuel);
        // A block may have less than a transaction. The first one has all there is.
        let mut policy = policy();
        policy.limits.block_fuel = 50;
        let mut usage = Usage::default();
        usage.begin(&policy);
        let stop = usage.charge_fuel(51).expect_err("that is too much");
        assert_eq!(reason(stop), out_of_fuel);
    }

    fn reason(stop: Stop) -> FailureReason {
        match stop {
            Stop::Failure(failure) => failure.reason,
            stop => panic!("a limit is a failure: {stop}"),
        }
    }
}
