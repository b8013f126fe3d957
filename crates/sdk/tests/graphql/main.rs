//! A service as those of applications that use GraphQL: a schema over the state, built for every query.

use std::sync::Arc;

use async_graphql::{EmptySubscription, Request, Response, Schema, SimpleObject};
use resident_sdk::{
    Contract, ContractAbi, ContractRuntime, Service, ServiceAbi, ServiceRuntime, WithContractAbi,
    WithServiceAbi,
    base_types::{Account, AccountOwner, Amount, ApplicationId, ChainId, CryptoHash, Timestamp},
    graphql::GraphQLMutationRoot,
    util::BlockingWait,
    views::{
        CollectionView, CustomMapView, CustomSerialize, LogView, MapView, QueueView, RegisterView,
        RootView, SetView, View, ViewError, ViewStorageContext,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

struct ShopAbi;

impl ContractAbi for ShopAbi {
    type Operation = Operation;
    type Response = ();
}

impl ServiceAbi for ShopAbi {
    type Query = Request;
    type QueryResponse = Response;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, GraphQLMutationRoot)]
enum Operation {
    /// Sends tokens to an account.
    TransferTo {
        target_account: Account,
        amount: Amount,
    },
    Rename(String, Option<u64>),
    Close,
}

#[derive(RootView, SimpleObject)]
#[view(context = ViewStorageContext)]
struct Shop {
    owner: RegisterView<Option<AccountOwner>>,
    opened_at: RegisterView<Timestamp>,
    balances: MapView<AccountOwner, Amount>,
    labels: CustomMapView<Label, u64>,
    tags: SetView<String>,
    history: LogView<Vec<String>>,
    waiting: QueueView<u8>,
    shelves: CollectionView<ChainId, Shelf>,
}

#[derive(View, SimpleObject)]
#[view(context = ViewStorageContext)]
struct Shelf {
    items: MapView<String, u32>,
}

/// A number whose keys begin with the highest byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Label(u64);

async_graphql::scalar!(Label);

impl CustomSerialize for Label {
    fn to_custom_bytes(&self) -> Result<Vec<u8>, ViewError> {
        Ok(self.0.to_be_bytes().to_vec())
    }

    fn from_custom_bytes(bytes: &[u8]) -> Result<Self, ViewError> {
        let bytes = bytes.try_into().expect("eight bytes were stored");
        Ok(Label(u64::from_be_bytes(bytes)))
    }
}

struct ShopService {
    state: Arc<Shop>,
    runtime: Arc<ServiceRuntime<Self>>,
}

resident_sdk::service!(ShopService);

impl WithServiceAbi for ShopService {
    type Abi = ShopAbi;
}

impl Service for ShopService {
    type Parameters = ();

    async fn new(runtime: ServiceRuntime<Self>) -> Self {
        let state = Shop::load(runtime.root_view_storage_context()).await;
        ShopService {
            state: Arc::new(state.expect("the state can be read")),
            runtime: Arc::new(runtime),
        }
    }

    async fn handle_query(&self, query: Request) -> Response {
        let mutations = Operation::mutation_root(self.runtime.clone());
        let schema = Schema::build(self.state.clone(), mutations, EmptySubscription).finish();
        schema.execute(query).await
    }
}

fn owner(number: u8) -> AccountOwner {
    AccountOwner::from(CryptoHash::from([number; 32]))
}

fn chain(number: u8) -> ChainId {
    ChainId(CryptoHash::from([number; 32]))
}

fn service() -> ShopService {
    let runtime = ServiceRuntime::<ShopService>::new();
    let context = runtime.root_view_storage_context();
    let mut shop = Shop::load(context).blocking_wait().expect("it is empty");
    shop.owner.set(Some(owner(1)));
    shop.opened_at.set(Timestamp::from(5));
    for number in [3, 2] {
        let amount = Amount::from_tokens(number.into());
        shop.balances.insert(&owner(number), amount).expect("a key");
        shop.labels.insert(&Label(number.into()), 1).expect("a key");
    }
    shop.tags.insert("cheap").expect("a key");
    shop.history.push(vec!["built".to_owned()]);
    shop.history.push(Vec::new());
    for number in 1..=3 {
        shop.waiting.push_back(number);
    }
    let shelf = shop
        .shelves
        .load_entry_mut(&chain(7))
        .blocking_wait()
        .expect("a key");
    shelf.items.insert("nail", 9).expect("a key");
    shop.save().blocking_wait().expect("it can be written");
    ShopService::new(runtime).blocking_wait()
}

/// What the entry point does with a query and a response.
fn ask(service: &ShopService, query: &str) -> Value {
    let query = json!({ "query": query }).to_string();
    let query = serde_json::from_str(&query).expect("a request in JSON");
    let response = service.handle_query(query).blocking_wait();
    let response = serde_json::to_value(response).expect("a response in JSON");
    assert_eq!(response.get("errors"), None, "{response}");
    response["data"].clone()
}

#[test]
fn views_can_be_read() {
    let service = service();
    let (second, third) = (owner(2).to_string(), owner(3).to_string());
    assert_eq!(
        ask(&service, "{ owner openedAt tags { elements count } }"),
        json!({
            "owner": owner(1).to_string(),
            "openedAt": 5,
            "tags": { "elements": ["cheap"], "count": 1 },
        })
    );
    assert_eq!(
        ask(
            &service,
            "{ balances { keys count first: keys(count: 1) entries { key value } } }"
        ),
        json!({ "balances": {
            "keys": [second, third],
            "count": 2,
            "first": [second],
            "entries": [{ "key": second, "value": "2." }, { "key": third, "value": "3." }],
        }})
    );
    let query = format!(
        r#"{{ balances {{
            entry(key: "{third}") {{ key value }}
            missing: entry(key: "{}") {{ value }}
            entries(input: {{ filters: {{ keys: ["{third}"] }} }}) {{ value }}
        }} }}"#,
        owner(9)
    );
    assert_eq!(
        ask(&service, &query),
        json!({ "balances": {
            "entry": { "key": third, "value": "3." },
            "missing": { "value": null },
            "entries": [{ "value": "3." }],
        }})
    );
    assert_eq!(
        ask(
            &service,
            "{ history { count entries last: entries(start: 1) none: entries(end: 0) } }"
        ),
        json!({ "history": { "count": 2, "entries": [["built"], []], "last": [[]], "none": [] } })
    );
    assert_eq!(
        ask(
            &service,
            "{ waiting { count entries(count: 2) } labels { keys entry(key: 3) { value } } }"
        ),
        json!({
            "waiting": { "count": 3, "entries": [1, 2] },
            "labels": { "keys": [2, 3], "entry": { "value": 1 } },
        })
    );
    assert_eq!(
        ask(
            &service,
            "{ shelves { keys entries { key value { items { entry(key: \"nail\") { value } } } } } }"
        ),
        json!({ "shelves": {
            "keys": [chain(7).to_string()],
            "entries": [{
                "key": chain(7).to_string(),
                "value": { "items": { "entry": { "value": 9 } } },
            }],
        }})
    );
}

#[test]
fn mutations_schedule_operations() {
    let service = service();
    let query = format!(
        r#"mutation {{
            transferTo(targetAccount: {{ chainId: "{}", owner: "{}" }}, amount: "1.5")
            rename(field0: "x", field1: 7)
            close
        }}"#,
        chain(1),
        owner(2)
    );
    let expected = json!({ "transferTo": [], "rename": [], "close": [] });
    assert_eq!(ask(&service, &query), expected);
    let transfer = Operation::TransferTo {
        target_account: Account::new(chain(1), owner(2)),
        amount: Amount::from_millis(1_500),
    };
    let rename = Operation::Rename("x".to_owned(), Some(7));
    let scheduled = service.runtime.scheduled_operations();
    assert_eq!(scheduled, [transfer, rename, Operation::Close]);
}

#[test]
fn the_schema_names_what_clients_rely_on() {
    let service = service();
    let mutations = Operation::mutation_root(service.runtime.clone());
    let schema = Schema::build(service.state.clone(), mutations, EmptySubscription).finish();
    let schema = schema.sdl();
    for line in [
        "scalar AccountOwner",
        "scalar Amount",
        "owner: AccountOwner",
        "openedAt: Timestamp!",
        "entries(input: MapInput_AccountOwner): [Entry_AccountOwner_Amount!]!",
        "entries(start: Int, end: Int): [[String!]!]!",
        "transferTo(targetAccount: Account!, amount: Amount!): [Int!]!",
        "Sends tokens to an account.",
    ] {
        assert!(schema.contains(line), "{line} is not in\n{schema}");
    }
}

/// Ids of applications are the same scalar whatever their ABI.
#[test]
fn ids_with_an_abi_are_scalars_too() {
    #[derive(SimpleObject)]
    struct Ids {
        plain: ApplicationId,
        typed: ApplicationId<ShopAbi>,
    }
    let id = ApplicationId::new(CryptoHash::from([4; 32]));
    let (plain, typed) = (id, id.with_abi());
    let schema = Schema::build(
        Ids { plain, typed },
        async_graphql::EmptyMutation,
        EmptySubscription,
    );
    let schema = schema.finish();
    let response = schema.execute("{ plain typed }").blocking_wait();
    let expected = json!({ "plain": id.to_string(), "typed": id.to_string() });
    assert_eq!(response.data.into_json().expect("JSON"), expected);
}

struct AskingContract;

impl WithContractAbi for AskingContract {
    type Abi = AskingAbi;
}

struct AskingAbi;

impl ContractAbi for AskingAbi {
    type Operation = ();
    type Response = ();
}

impl Contract for AskingContract {
    type Message = ();
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = ();

    async fn load(_: ContractRuntime<Self>) -> Self {
        AskingContract
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, (): ()) {}

    async fn execute_message(&mut self, (): ()) {}

    async fn store(self) {}
}

#[test]
fn a_contract_can_be_told_what_a_service_answers() {
    let shop = ApplicationId::new(CryptoHash::from([4; 32])).with_abi::<ShopAbi>();
    let data = async_graphql::value!({ "owner": null });
    let mut runtime = ContractRuntime::<AskingContract>::new();
    let expected = Response::new(data.clone());
    runtime.add_expected_service_query(shop, Request::new("{ owner }"), expected);
    let response = runtime.query_service(shop, Request::new("{ owner }"));
    assert_eq!(response.data, data);
}
