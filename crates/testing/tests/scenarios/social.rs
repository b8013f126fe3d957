//! Posts on one chain and followers on others, with the example `social`.

use std::{path::Path, sync::Arc};

use resident_base::ApplicationId;
use resident_chain::{BlockError, MessageAction, StagingPolicy};
use resident_execution::Operation as BlockOperation;
use resident_storage::DiskStore;
use resident_testing::{PAIRS, TestChain, TestChains};
use social::{Event, MAX_TEXT_BYTES, Operation, Response, SocialAbi};

/// An author and two followers.
struct Friends {
    chains: TestChains,
    author: TestChain,
    followers: [TestChain; 2],
    social: ApplicationId<SocialAbi>,
}

impl Friends {
    fn on(chains: TestChains) -> Self {
        let [author, first, second] = [1, 2, 3].map(|seed| chains.open_root(seed));
        let social = chains.create_social(&author).with_abi();
        Friends {
            chains,
            author,
            followers: [first, second],
            social,
        }
    }

    fn post(&self, texts: &[&str]) {
        let operations = texts.iter().map(|text| self.posting(text)).collect();
        self.chains.run(&self.author, operations);
    }

    fn posting(&self, text: &str) -> BlockOperation {
        let text = text.to_owned();
        TestChains::operation(self.social, &Operation::Post { text })
    }

    fn follow(&self, follower: &TestChain) {
        let author = self.author.id;
        self.chains
            .call(follower, self.social, &Operation::Follow { author });
    }

    /// A block with what is new, if anything is.
    fn receive(&self, follower: &TestChain) -> usize {
        let updates = self.chains.stream_updates(follower);
        if !updates.is_empty() {
            let added = self
                .chains
                .add_everywhere(follower, &updates, &StagingPolicy::Abort);
            added.unwrap_or_else(|error| panic!("the update failed: {error}"));
        }
        updates.len()
    }

    fn timeline(&self, follower: &TestChain) -> Vec<String> {
        let question = Operation::Timeline { skip: 0 };
        match self.chains.ask(follower, self.social, &question) {
            Response::Timeline(posts) => posts
                .into_iter()
                .map(|received| received.post.text)
                .collect(),
            other => panic!("the timeline is {other:?}"),
        }
    }
}

#[test]
fn posts_arrive_once_and_in_order_at_two_followers() {
    let friends = Friends::on(TestChains::new(PAIRS[0]));
    let [first, second] = &friends.followers;
    friends.follow(first);
    friends.post(&["a", "b"]);
    assert_eq!(friends.receive(first), 1);
    assert_eq!(friends.timeline(first), ["a", "b"]);
    friends.post(&["c"]);
    friends.post(&["d"]);
    // Who was away gets all at once.
    friends.follow(second);
    assert_eq!((friends.receive(first), friends.receive(second)), (1, 1));
    for follower in &friends.followers {
        assert_eq!(friends.timeline(follower), ["a", "b", "c", "d"]);
        assert_eq!(friends.receive(follower), 0);
    }
}

#[test]
fn who_no_longer_follows_gets_nothing_and_on_return_what_was_missed() {
    let friends = Friends::on(TestChains::new(PAIRS[0]));
    let [follower, _] = &friends.followers;
    friends.follow(follower);
    friends.post(&["a"]);
    friends.receive(follower);
    let author = friends.author.id;
    let unfollow = Operation::Unfollow { author };
    friends.chains.call(follower, friends.social, &unfollow);
    friends.post(&["b"]);
    assert_eq!(friends.receive(follower), 0);
    assert_eq!(friends.timeline(follower), ["a"]);
    friends.follow(follower);
    assert_eq!(friends.receive(follower), 1);
    assert_eq!(friends.timeline(follower), ["a", "b"]);
}

#[test]
fn posts_survive_a_restart_and_arrive_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = |folder: &Path| {
        let store = DiskStore::open(folder).expect("the folder can be opened");
        TestChains::with_store(PAIRS[0], Arc::new(store))
    };
    let mut friends = Friends::on(open(folder.path()));
    friends.follow(&friends.followers[0]);
    let mut expected = Vec::new();
    for (index, text) in ["a", "b", "c", "d"].into_iter().enumerate() {
        friends.post(&[text]);
        expected.push(text);
        let Friends {
            chains,
            author,
            followers,
            social,
        } = friends;
        // Only one store can be open on a folder, so this one has to be gone.
        drop(chains);
        friends = Friends {
            chains: open(folder.path()),
            author,
            followers,
            social,
        };
        if index % 2 == 1 {
            assert_eq!(friends.receive(&friends.followers[0]), 1);
            assert_eq!(friends.timeline(&friends.followers[0]), expected);
        }
    }
    assert_eq!(friends.receive(&friends.followers[0]), 0);
}

#[test]
fn a_post_whose_block_is_refused_never_arrives() {
    let friends = Friends::on(TestChains::new(PAIRS[0]));
    let [follower, _] = &friends.followers;
    friends.follow(follower);
    let too_long = "x".repeat(MAX_TEXT_BYTES + 1);
    let operations = vec![friends.posting("lost"), friends.posting(&too_long)];
    let refused = friends.chains.try_run(&friends.author, operations);
    assert!(matches!(
        refused,
        Err(BlockError::TransactionFailed { index: 1, .. })
    ));
    assert_eq!(friends.receive(follower), 0);
    friends.post(&["kept"]);
    friends.receive(follower);
    assert_eq!(friends.timeline(follower), ["kept"]);
}

/// A bundle with a post that its receiver does not want takes its other posts with it.
#[test]
fn a_post_whose_bundle_is_rejected_never_arrives() {
    let friends = Friends::on(TestChains::new(PAIRS[0]));
    let [guest, reader] = &friends.followers;
    friends.follow(reader);
    let author = guest.id;
    let follow = Operation::Follow { author };
    friends
        .chains
        .call(&friends.author, friends.social, &follow);
    let send = |text: &str| {
        let (chain, text) = (friends.author.id, text.to_owned());
        TestChains::operation(friends.social, &Operation::PostAt { chain, text })
    };
    let too_long = "x".repeat(MAX_TEXT_BYTES + 1);
    friends.chains.run(guest, vec![send(&too_long)]);
    friends.chains.run(guest, vec![send("welcome")]);
    friends.chains.deliver(guest);
    let policy = TestChains::auto_retry(3);
    let mut transactions = friends.chains.inbox_transactions(&friends.author);
    transactions.insert(
        0,
        resident_chain::Transaction::ExecuteOperation(friends.posting("own")),
    );
    let staged = friends
        .chains
        .add_everywhere(&friends.author, &transactions, &policy)
        .unwrap()
        .staged;
    let [(rejected, _)] = &staged.rejected[..] else {
        panic!("one bundle is rejected, not {:?}", staged.rejected);
    };
    assert_eq!(rejected.action, MessageAction::Reject);
    // The digest at the end of the block knows of two posts, not three.
    let end = &staged.execution.executed.outcome.finalization.effects;
    let digest: Event = bcs::from_bytes(&end.events[0].value).unwrap();
    assert_eq!(digest, Event::Digest { posts: 2 });
    friends.receive(reader);
    assert_eq!(friends.timeline(reader), ["own", "welcome"]);
}

#[test]
fn a_post_is_shared_before_it_was_received() {
    let friends = Friends::on(TestChains::new(PAIRS[0]));
    let [sharer, reader] = friends.followers;
    let author = friends.author.id;
    let share = Operation::Share { author, index: 0 };
    let operation = TestChains::operation(friends.social, &share);
    let early = friends.chains.try_run(&sharer, vec![operation.clone()]);
    assert!(matches!(early, Err(BlockError::MissingData(_))));
    friends.post(&["worth it"]);
    friends.chains.run(&sharer, vec![operation]);
    let author = sharer.id;
    let follow = Operation::Follow { author };
    friends.chains.call(&reader, friends.social, &follow);
    friends.receive(&reader);
    assert_eq!(friends.timeline(&reader), ["worth it"]);
}
