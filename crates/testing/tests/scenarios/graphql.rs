//! The service of the token speaks GraphQL, in the encoding that clients of `async-graphql` use.

use fungible::{FungibleTokenAbi, InitialState, Parameters};
use resident_base::{Amount, ChainId, CryptoHash};
use resident_execution::EngineKind;
use resident_testing::{PAIRS, TestChains, contract};

#[test]
fn a_token_is_asked_in_graphql() {
    let chains = TestChains::new(PAIRS[0]);
    let chain = chains.open_root(1);
    let service = contract("fungible-service");
    let module = chains.publish_with_service(&chain, contract("fungible"), service);
    let state = InitialState {
        accounts: [(chain.owner, Amount::from_tokens(5))].into(),
    };
    let id = chains.create(&chain, module, &Parameters::new("FUN"), &state, Vec::new());
    let token = id.with_abi::<FungibleTokenAbi>();
    for engine in EngineKind::ALL {
        let services = chains.services(engine);
        let ask = |query: &str| {
            let query = serde_json::json!({ "query": query })
                .to_string()
                .into_bytes();
            let outcome = services.try_query(&chain, id, query);
            let outcome = outcome.unwrap_or_else(|error| panic!("{engine}: {error}"));
            let response: serde_json::Value = serde_json::from_slice(&outcome.response).unwrap();
            assert_eq!(response.get("errors"), None, "{response}");
            (response["data"].clone(), outcome.operations)
        };
        let owner = chain.owner;
        let before = chains.token_balance(&chain, token, owner);
        let (data, operations) = ask("{ tickerSymbol accounts { entries { key value } } }");
        let entry = serde_json::json!({ "key": owner, "value": before });
        let accounts = serde_json::json!({ "entries": [entry] });
        let expected = serde_json::json!({ "tickerSymbol": "FUN", "accounts": accounts });
        assert_eq!((data, operations), (expected, Vec::new()));

        // What development tools ask first. It is nested deeply, and the stack of a service is small.
        let wrapped = "kind name ofType { ".repeat(7) + "name" + &" }".repeat(7);
        let (schema, _) = ask(&format!(
            "{{ __schema {{ types {{ name fields {{ name args {{ name type {{ {wrapped} }} }}
                type {{ {wrapped} }} }} }} }} }}"
        ));
        assert!(schema.to_string().contains("FungibleOperationMutationRoot"));

        let other = ChainId(CryptoHash::of_bytes(b"another chain"));
        let (data, operations) = ask(&format!(
            r#"mutation {{ transfer(
                owner: "{owner}", amount: "1", targetAccount: {{ chainId: "{other}", owner: "{owner}" }}
            ) }}"#
        ));
        assert_eq!(data, serde_json::json!({ "transfer": [] }));
        chains.run(&chain, operations);
        let after = chains.token_balance(&chain, token, owner);
        assert_eq!(after, before.try_sub(Amount::ONE).unwrap());
        assert_eq!(services.counts(&chain).0.instantiations, 1);
    }
}
