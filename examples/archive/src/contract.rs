//! The archive's contract.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod state;

use archive::{ArchiveAbi, Operation, Response};
use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    base_types::{
        AccountOwner, Amount, ApplicationPermissions, ChainOwnership, DataBlobHash, ModuleId,
    },
    http,
    views::{RootView, View},
};

use self::state::ArchiveState;

resident_sdk::contract!(ArchiveContract);

struct ArchiveContract {
    state: ArchiveState,
    runtime: ContractRuntime<Self>,
}

impl WithContractAbi for ArchiveContract {
    type Abi = ArchiveAbi;
}

impl Contract for ArchiveContract {
    type Message = ();
    type EventValue = ();
    type Parameters = ();
    type InstantiationArgument = ();

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = ArchiveState::load(runtime.root_view_storage_context())
            .await
            .expect("the archive's state can be read");
        ArchiveContract { state, runtime }
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, operation: Operation) -> Response {
        match operation {
            Operation::Fetch { url } => Response::Fetched(self.fetch(&url)),
            Operation::Read { url } => Response::Page(self.read(&url).await),
            Operation::AddShelf { name, module_id } => self.add_shelf(name, module_id).await,
            Operation::OnShelf { name, operation } => self.on_shelf(&name, &operation).await,
            Operation::OpenBranch { owner } => self.open_branch(owner),
        }
    }

    async fn execute_message(&mut self, (): ()) {
        panic!("an archive takes no messages");
    }

    async fn store(mut self) {
        self.state
            .save()
            .await
            .expect("the archive's state can be written");
    }
}

impl ArchiveContract {
    fn fetch(&mut self, url: &str) -> DataBlobHash {
        let response = self.runtime.http_request(http::Request::get(url));
        let status = response.status;
        assert_eq!(status, 200, "{url} cannot be kept: status {status}");
        let hash = self.runtime.create_data_blob(response.body);
        self.state
            .pages
            .insert(url, hash)
            .expect("a URL can be a key");
        hash
    }

    async fn read(&mut self, url: &str) -> Vec<u8> {
        let page = self.state.pages.get(url).await;
        let hash = page.expect("the pages can be read");
        let hash = hash.unwrap_or_else(|| panic!("{url} was never fetched"));
        self.runtime.read_data_blob(hash)
    }

    async fn add_shelf(&mut self, name: String, module_id: ModuleId) -> Response {
        let shelves = &mut self.state.shelves;
        let is_known = shelves.contains_key(&name).await;
        assert!(
            !is_known.expect("the shelves can be read"),
            "there is a shelf {name} already"
        );
        let shelf = self
            .runtime
            .create_application(module_id, &(), &(), Vec::new());
        shelves.insert(&name, shelf).expect("a name can be a key");
        Response::Shelf(shelf)
    }

    async fn on_shelf(&mut self, name: &str, operation: &Operation) -> Response {
        let shelf = self.state.shelves.get(name).await;
        let shelf = shelf.expect("the shelves can be read");
        let shelf = shelf.unwrap_or_else(|| panic!("there is no shelf {name}"));
        self.runtime.call_application(true, shelf, operation)
    }

    fn open_branch(&mut self, owner: AccountOwner) -> Response {
        Response::Branch(self.runtime.open_chain(
            ChainOwnership::single(owner),
            ApplicationPermissions::default(),
            AccountOwner::CHAIN,
            Amount::ZERO,
        ))
    }
}

#[cfg(test)]
mod tests {
    use resident_sdk::{
        base_types::{ApplicationId, ChainId, CryptoHash},
        bcs,
        util::BlockingWait,
    };

    use super::*;

    const URL: &str = "http://example.org/";

    fn archive() -> ArchiveContract {
        ArchiveContract::load(ContractRuntime::new()).blocking_wait()
    }

    fn run(archive: &mut ArchiveContract, operation: Operation) -> Response {
        archive.execute_operation(operation).blocking_wait()
    }

    fn fetch() -> Operation {
        Operation::Fetch {
            url: URL.to_owned(),
        }
    }

    fn answer(archive: &mut ArchiveContract, response: http::Response) {
        let request = http::Request::get(URL);
        archive.runtime.add_expected_http_request(request, response);
    }

    #[test]
    fn a_page_is_kept_as_it_was_fetched_last() {
        let mut archive = archive();
        for page in ["first", "second"] {
            answer(&mut archive, http::Response::ok(page));
            run(&mut archive, fetch());
            let read = Operation::Read {
                url: URL.to_owned(),
            };
            assert_eq!(run(&mut archive, read), Response::Page(page.into()));
        }
    }

    #[test]
    #[should_panic(expected = "cannot be kept: status 404")]
    fn a_page_that_is_not_there_is_not_kept() {
        let mut archive = archive();
        answer(&mut archive, http::Response::new(404));
        run(&mut archive, fetch());
    }

    #[test]
    #[should_panic(expected = "was never fetched")]
    fn a_page_that_was_not_fetched_cannot_be_read() {
        run(
            &mut archive(),
            Operation::Read {
                url: URL.to_owned(),
            },
        );
    }

    #[test]
    fn a_shelf_is_created_and_called() {
        let mut archive = archive();
        let shelf: ApplicationId<ArchiveAbi> = ApplicationId::new(CryptoHash::test_hash("shelf"));
        let (module_id, name) = (ModuleId::default(), "left".to_owned());
        let id = shelf.forget_abi();
        let runtime = &mut archive.runtime;
        runtime.add_expected_create_application_call(module_id, &(), &(), vec![], id);
        runtime.set_call_application_handler(move |is_authenticated, callee, operation| {
            assert!(is_authenticated && callee == id);
            assert_eq!(bcs::from_bytes::<Operation>(&operation), Ok(fetch()));
            bcs::to_bytes(&Response::Page(vec![7])).expect("a response can be encoded")
        });
        let add = Operation::AddShelf {
            name: name.clone(),
            module_id,
        };
        assert_eq!(run(&mut archive, add), Response::Shelf(shelf));
        let operation = Box::new(fetch());
        let response = run(&mut archive, Operation::OnShelf { name, operation });
        assert_eq!(response, Response::Page(vec![7]));
    }

    #[test]
    fn a_branch_is_a_chain_of_its_owners() {
        let mut archive = archive();
        let owner = AccountOwner::Reserved(7);
        let branch = ChainId(CryptoHash::test_hash("branch"));
        archive.runtime.add_expected_open_chain_call(
            ChainOwnership::single(owner),
            ApplicationPermissions::default(),
            AccountOwner::CHAIN,
            Amount::ZERO,
            branch,
        );
        let response = run(&mut archive, Operation::OpenBranch { owner });
        assert_eq!(response, Response::Branch(branch));
    }
}
