//! The world outside is asked once for each question, however often a block is begun anew.

use std::sync::Arc;

use resident_base::http;
use resident_execution::ResourcePolicy;
use resident_testing::{FakeOracle, PAIRS, TestChains};

use crate::{
    bundles::{self, stranger},
    evil::{self, Do},
    maker::{self, Commands},
};

const URL: &str = "http://example.org/";

/// Ten bundles make their applications refuse, and each used to let all others ask again: a hundred and seventy-six
/// requests instead of sixteen.
#[test]
fn finding_out_who_refuses_asks_nothing_again() {
    let mut policy = ResourcePolicy::default();
    policy
        .http_request_allow_list
        .insert("example.org".to_owned());
    policy.limits.http_requests = 2;
    for failing in [3, 20] {
        let oracle = Arc::new(FakeOracle::new().with_answer(URL, http::Response::ok("yes")));
        let chains = TestChains::new(PAIRS[0])
            .with_policy(policy.clone())
            .with_oracle(oracle.clone());
        let chain = chains.open_root(1);
        let maker = maker::create(&chains, &chain);
        let module = chains.publish_code(&chain, evil::code());
        let message = |origin, commands: Commands| {
            let messages = vec![(maker, commands.bytes().to_vec())];
            bundles::bundle(stranger(origin), 1, None, messages)
        };
        let mut block = vec![message(0, Commands::new().get(URL))];
        block.extend(
            (0..failing).map(|number| message(100 + number, Commands::new().get(URL).fail())),
        );
        block.extend((0..10).map(|number: u8| {
            let app = chains.create(&chain, module, &number, &(), Vec::new());
            let veto = Do::new().finally(&Do::new().trap());
            bundles::bundle(stranger(1 + number), 1, None, vec![(app, veto.0)])
        }));
        let before = oracle.calls();
        let staged = chains
            .stage(&chain, block, &TestChains::auto_retry(16))
            .unwrap();
        assert_eq!(oracle.calls() - before, (1 + u64::from(failing)).min(16));
        assert!(staged.rejected.len() >= 10);
        assert!(staged.passes > 10);
        chains.check_everywhere(&staged.execution);
    }
}
