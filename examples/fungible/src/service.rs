//! The token's service: balances and approvals in GraphQL, operations as mutations.

#![cfg_attr(target_arch = "wasm32", no_main)]

#[expect(dead_code, reason = "only the contract changes the state")]
mod state;

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, Object, Request, Response, Schema};
use fungible::{FungibleOperation, FungibleTokenAbi, Parameters};
use resident_sdk::{
    Service, ServiceRuntime, WithServiceAbi, graphql::GraphQLMutationRoot, views::View,
};

use self::state::FungibleTokenState;

resident_sdk::service!(FungibleTokenService);

struct FungibleTokenService {
    state: Arc<FungibleTokenState>,
    runtime: Arc<ServiceRuntime<Self>>,
}

impl WithServiceAbi for FungibleTokenService {
    type Abi = FungibleTokenAbi;
}

impl Service for FungibleTokenService {
    type Parameters = Parameters;

    async fn new(runtime: ServiceRuntime<Self>) -> Self {
        let state = FungibleTokenState::load(runtime.root_view_storage_context())
            .await
            .expect("the token's state can be read");
        FungibleTokenService {
            state: Arc::new(state),
            runtime: Arc::new(runtime),
        }
    }

    async fn handle_query(&self, request: Request) -> Response {
        let token = Token(self.runtime.clone());
        let queries = Queries(self.state.clone(), token);
        let mutations = FungibleOperation::mutation_root(self.runtime.clone());
        let schema = Schema::build(queries, mutations, EmptySubscription).finish();
        schema.execute(request).await
    }
}

/// All that can be queried.
#[derive(MergedObject)]
struct Queries(Arc<FungibleTokenState>, Token);

/// What is fixed for the token.
struct Token(Arc<ServiceRuntime<FungibleTokenService>>);

#[Object]
impl Token {
    /// What the token is called.
    async fn ticker_symbol(&self) -> String {
        self.0.application_parameters().ticker_symbol
    }
}
