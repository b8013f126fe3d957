use resident_sdk::{
    base_types::{ApplicationId, CryptoHash, StreamId, Timestamp},
    util::BlockingWait,
};

use super::*;

const HERE: u8 = 1;
const ALICE: u8 = 2;

fn chain(number: u8) -> ChainId {
    ChainId(CryptoHash::from([number; 32]))
}

fn application() -> ApplicationId<SocialAbi> {
    ApplicationId::new(CryptoHash::from([9; 32]))
}

fn social() -> SocialContract {
    let runtime = ContractRuntime::new()
        .with_chain_id(chain(HERE))
        .with_application_id(application())
        .with_system_time(Timestamp::from(7));
    SocialContract::load(runtime).blocking_wait()
}

fn written(text: &str, by: Option<ChainId>) -> Post {
    Post {
        text: text.to_owned(),
        timestamp: Timestamp::from(7),
        by,
    }
}

fn post(text: &str) -> Operation {
    let text = text.to_owned();
    Operation::Post { text }
}

impl SocialContract {
    fn execute(&mut self, operation: Operation) -> Response {
        self.execute_operation(operation).blocking_wait()
    }

    fn alice_posts(&mut self, index: u32, text: &str) {
        let event = Event::Post(written(text, None));
        self.runtime
            .add_event(chain(ALICE), POSTS.into(), index, &event);
    }

    fn hear_of_alice(&mut self, previous_index: u32, next_index: u32) {
        let update = StreamUpdate {
            chain_id: chain(ALICE),
            stream_id: StreamId {
                application_id: application().into(),
                stream_name: POSTS.into(),
            },
            previous_index,
            next_index,
        };
        self.process_streams(vec![update]).blocking_wait();
    }

    fn texts(&mut self) -> Vec<String> {
        let Response::Timeline(posts) = self.execute(Operation::Timeline { skip: 0 }) else {
            panic!("that is no timeline");
        };
        posts
            .into_iter()
            .map(|received| received.post.text)
            .collect()
    }
}

#[test]
fn posts_are_events_in_order() {
    let mut social = social();
    assert_eq!(social.execute(post("one")), Response::Posted(0));
    assert_eq!(social.execute(post("two")), Response::Posted(1));
    let events = ["one", "two"].map(|text| Event::Post(written(text, None)));
    assert_eq!(social.runtime.created_events(POSTS), events);
}

#[test]
fn a_block_ends_with_the_number_of_its_posts_if_it_has_any() {
    for posts in [0, 3] {
        let mut social = social();
        for _ in 0..posts {
            social.execute(post("again"));
        }
        social.sum_up();
        let digests = social.runtime.created_events(DIGESTS);
        let expected = (posts > 0).then_some(Event::Digest { posts });
        assert_eq!(digests, Vec::from_iter(expected));
    }
}

#[test]
#[should_panic(expected = "at most 1000 bytes")]
fn long_posts_are_refused() {
    social().execute(post(&"x".repeat(MAX_TEXT_BYTES + 1)));
}

#[test]
fn following_subscribes_and_unfollowing_ends_it() {
    let mut social = social();
    let author = chain(ALICE);
    social.execute(Operation::Follow { author });
    social.execute(Operation::Follow { author });
    let subscriptions = social.runtime.subscriptions();
    let expected = (author, application().forget_abi(), POSTS.into());
    assert_eq!(Vec::from_iter(subscriptions), [expected]);
    social.execute(Operation::Unfollow { author });
    assert!(social.runtime.subscriptions().is_empty());
}

#[test]
fn what_is_heard_of_is_kept_once() {
    let mut social = social();
    for (index, text) in ["a", "b", "c"].into_iter().enumerate() {
        social.alice_posts(index as u32, text);
    }
    social.hear_of_alice(0, 2);
    assert_eq!(social.texts(), ["a", "b"]);
    // As after unfollowing and following again.
    social.hear_of_alice(0, 3);
    assert_eq!(social.texts(), ["a", "b", "c"]);
    let Response::Timeline(rest) = social.execute(Operation::Timeline { skip: 2 }) else {
        panic!("that is no timeline");
    };
    assert_eq!((rest[0].author, rest[0].index), (chain(ALICE), 2));
    let beyond = social.execute(Operation::Timeline { skip: u32::MAX });
    assert_eq!(beyond, Response::Timeline(Vec::new()));
}

#[test]
fn a_shared_post_names_its_author() {
    let mut social = social();
    social.alice_posts(5, "worth reading");
    let (author, index) = (chain(ALICE), 5);
    let shared = social.execute(Operation::Share { author, index });
    assert_eq!(shared, Response::Posted(0));
    // Sharing what is shared does not change whose words they are.
    social.execute(Operation::Share {
        author: chain(HERE),
        index: 0,
    });
    let expected = Event::Post(written("worth reading", Some(author)));
    let events = social.runtime.created_events(POSTS);
    assert_eq!(events, [expected.clone(), expected]);
}

#[test]
fn followed_chains_may_post_here() {
    let mut social = social();
    social
        .runtime
        .set_message_origin_chain_id(Some(chain(ALICE)));
    let author = chain(ALICE);
    social.execute(Operation::Follow { author });
    let text = "greetings".to_owned();
    social
        .execute_message(Message::Post { text })
        .blocking_wait();
    let events = social.runtime.created_events(POSTS);
    let expected = Event::Post(written("greetings", Some(author)));
    assert_eq!(events, [expected]);
}

#[test]
#[should_panic(expected = "only chains that this one follows")]
fn strangers_may_not() {
    let mut social = social();
    social
        .runtime
        .set_message_origin_chain_id(Some(chain(ALICE)));
    let text = "spam".to_owned();
    social
        .execute_message(Message::Post { text })
        .blocking_wait();
}
