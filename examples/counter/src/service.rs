//! The counter's service.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod state;

use counter::{CounterAbi, Operation, Query};
use resident_sdk::{Service, ServiceRuntime, WithServiceAbi, views::View};

use self::state::CounterState;

resident_sdk::service!(CounterService);

struct CounterService {
    state: CounterState,
    runtime: ServiceRuntime<Self>,
}

impl WithServiceAbi for CounterService {
    type Abi = CounterAbi;
}

impl Service for CounterService {
    type Parameters = ();

    async fn new(runtime: ServiceRuntime<Self>) -> Self {
        let state = CounterState::load(runtime.root_view_storage_context())
            .await
            .expect("the counter's state can be read");
        CounterService { state, runtime }
    }

    async fn handle_query(&self, query: Query) -> u64 {
        let now = *self.state.value.get();
        match query {
            Query::Value => now,
            Query::Increment { value } => {
                let sum = now.checked_add(value);
                let sum = sum.expect("the counter cannot exceed 64 bits");
                self.runtime
                    .schedule_operation(&Operation::Increment { value });
                sum
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use resident_sdk::{util::BlockingWait, views::RootView};

    use super::*;

    fn service(value: u64) -> CounterService {
        let runtime = ServiceRuntime::<CounterService>::new();
        let context = runtime.root_view_storage_context();
        let mut state = CounterState::load(context)
            .blocking_wait()
            .expect("it is empty");
        state.value.set(value);
        state.save().blocking_wait().expect("it can be written");
        CounterService::new(runtime).blocking_wait()
    }

    #[test]
    fn the_value_is_what_is_stored() {
        let answer = service(7).handle_query(Query::Value).blocking_wait();
        assert_eq!(answer, 7);
    }

    #[test]
    fn an_increment_is_scheduled_and_not_done() {
        let service = service(40);
        let query = Query::Increment { value: 2 };
        assert_eq!(service.handle_query(query).blocking_wait(), 42);
        assert_eq!(service.handle_query(Query::Value).blocking_wait(), 40);
        let scheduled = service.runtime.scheduled_operations();
        assert_eq!(scheduled, [Operation::Increment { value: 2 }]);
    }
}
