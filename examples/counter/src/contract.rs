//! The counter's contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod state;

use counter::{CounterAbi, Operation};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    views::{RootView, View},
};

use self::state::CounterState;

resident_sdk::contract!(CounterContract);

struct CounterContract {
    state: CounterState,
}

impl WithContractAbi for CounterContract {
    type Abi = CounterAbi;
}

impl Contract for CounterContract {
    type Message = ();
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = u64;

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = CounterState::load(runtime.root_view_storage_context())
            .await
            .expect("the counter's state can be read");
        CounterContract { state }
    }

    async fn instantiate(&mut self, value: u64) {
        self.state.value.set(value);
    }

    async fn execute_operation(&mut self, operation: Operation) -> u64 {
        let Operation::Increment { value } = operation;
        let sum = self.state.value.get().checked_add(value);
        let sum = sum.expect("the counter cannot exceed 64 bits");
        self.state.value.set(sum);
        sum
    }

    async fn execute_message(&mut self, (): ()) {
        panic!("the counter takes no messages");
    }

    async fn store(mut self) {
        self.state
            .save()
            .await
            .expect("the counter's state can be written");
    }
}

#[cfg(test)]
mod tests {
    use resident_sdk::util::BlockingWait;

    use super::*;

    fn counter(value: u64) -> CounterContract {
        let mut counter = CounterContract::load(ContractRuntime::new()).blocking_wait();
        counter.instantiate(value).blocking_wait();
        counter
    }

    #[test]
    fn increments_add_up_and_answer_with_the_new_value() {
        let mut counter = counter(40);
        for (value, expected) in [(2, 42), (0, 42), (8, 50)] {
            let operation = Operation::Increment { value };
            assert_eq!(
                counter.execute_operation(operation).blocking_wait(),
                expected
            );
        }
    }

    #[test]
    #[should_panic(expected = "cannot exceed 64 bits")]
    fn overflow_is_refused() {
        let operation = Operation::Increment { value: 1 };
        counter(u64::MAX)
            .execute_operation(operation)
            .blocking_wait();
    }

    #[test]
    fn the_value_outlives_the_instance() {
        let runtime = ContractRuntime::<CounterContract>::new();
        let context = runtime.root_view_storage_context();
        let mut counter = CounterContract::load(runtime).blocking_wait();
        counter.instantiate(7).blocking_wait();
        counter.store().blocking_wait();

        let state = CounterState::load(context)
            .blocking_wait()
            .expect("it was stored");
        assert_eq!(*state.value.get(), 7);
    }
}
