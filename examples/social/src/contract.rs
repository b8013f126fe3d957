//! The contract of `social`.

#![cfg_attr(target_arch = "wasm32", no_main)]

mod state;
#[cfg(test)]
mod tests;

use resident_sdk::{
    Contract, ContractRuntime, WithContractAbi,
    base_types::{ChainId, StreamUpdate},
    views::{RootView, View},
};
use social::{
    DIGESTS, Event, MAX_TEXT_BYTES, MAX_TIMELINE_PAGE, Message, Operation, POSTS, Post, Received,
    Response, SocialAbi,
};

use self::state::SocialState;

resident_sdk::contract!(SocialContract);

struct SocialContract {
    state: SocialState,
    runtime: ContractRuntime<Self>,
    /// Posts written in this block. Not stored: the digest at the end of the block tells it.
    posts: u32,
}

impl WithContractAbi for SocialContract {
    type Abi = SocialAbi;
}

impl Contract for SocialContract {
    type Message = Message;
    type EventValue = Event;
    type Parameters = ();
    type InstantiationArgument = ();

    async fn load(runtime: ContractRuntime<Self>) -> Self {
        let state = SocialState::load(runtime.root_view_storage_context())
            .await
            .expect(READABLE);
        SocialContract {
            state,
            runtime,
            posts: 0,
        }
    }

    async fn instantiate(&mut self, (): ()) {}

    async fn execute_operation(&mut self, operation: Operation) -> Response {
        match operation {
            Operation::Post { text } => Response::Posted(self.post(text, None)),
            Operation::PostAt { chain, text } => {
                self.runtime.send_message(chain, Message::Post { text });
                Response::Done
            }
            Operation::Share { author, index } => {
                let post = self.read(author, index);
                Response::Posted(self.post(post.text, post.by.or(Some(author))))
            }
            Operation::Follow { author } => {
                let id = self.runtime.application_id().forget_abi();
                self.runtime.subscribe_to_events(author, id, POSTS.into());
                self.state.followed.insert(&author).expect(WRITABLE);
                Response::Done
            }
            Operation::Unfollow { author } => {
                let id = self.runtime.application_id().forget_abi();
                self.runtime
                    .unsubscribe_from_events(author, id, POSTS.into());
                self.state.followed.remove(&author).expect(WRITABLE);
                Response::Done
            }
            Operation::Timeline { skip } => self.timeline(skip as usize).await,
        }
    }

    async fn execute_message(&mut self, Message::Post { text }: Message) {
        let origin = self.runtime.message_origin_chain_id();
        let origin = origin.expect("a message is being executed");
        let is_followed = self.state.followed.contains(&origin).await;
        assert!(
            is_followed.expect(READABLE),
            "only chains that this one follows may post here"
        );
        self.post(text, Some(origin));
    }

    async fn process_streams(&mut self, updates: Vec<StreamUpdate>) {
        for update in updates {
            self.receive(&update).await;
        }
    }

    async fn store(mut self) {
        self.sum_up();
        self.state.save().await.expect(WRITABLE);
    }
}

impl SocialContract {
    fn post(&mut self, text: String, by: Option<ChainId>) -> u32 {
        assert!(
            text.len() <= MAX_TEXT_BYTES,
            "a post has at most {MAX_TEXT_BYTES} bytes, not {}",
            text.len()
        );
        let timestamp = self.runtime.system_time();
        let post = Post {
            text,
            timestamp,
            by,
        };
        self.posts += 1;
        self.runtime.emit(POSTS.into(), &Event::Post(post))
    }

    fn sum_up(&mut self) {
        if self.posts > 0 {
            let digest = Event::Digest { posts: self.posts };
            self.runtime.emit(DIGESTS.into(), &digest);
        }
    }

    fn read(&mut self, author: ChainId, index: u32) -> Post {
        match self.runtime.read_event(author, POSTS.into(), index) {
            Event::Post(post) => post,
            other => panic!("{other:?} is no post"),
        }
    }

    async fn receive(&mut self, update: &StreamUpdate) {
        let author = update.chain_id;
        let received = self.state.received.get(&author).await.expect(READABLE);
        let received = received.unwrap_or_default();
        for index in update.new_indices().filter(|index| *index >= received) {
            let post = self.read(author, index);
            self.state.timeline.push(Received {
                author,
                index,
                post,
            });
        }
        let received = received.max(update.next_index);
        let counted = self.state.received.insert(&author, received);
        counted.expect(WRITABLE);
    }

    async fn timeline(&mut self, skip: usize) -> Response {
        let count = self.state.timeline.count();
        let end = count.min(skip.saturating_add(MAX_TIMELINE_PAGE as usize));
        let page = self.state.timeline.read(skip.min(end)..end).await;
        Response::Timeline(page.expect(READABLE))
    }
}

const READABLE: &str = "the state can be read";
const WRITABLE: &str = "the state can be written";
