//! Pins encodings by hash. A test that fails here says that the protocol changed: stored blocks could no
//! longer be read, or nodes of different versions would disagree.

use resident_base::{
    Account, AccountOwner, Amount, ApplicationId, BlobId, BlobType, BlockHeight, ChainId,
    CryptoHash, Event, EventId, GenericApplicationId, Resources, StreamId, Timestamp, http,
};
use resident_chain::{
    Block, BlockOutcome, ExecutedBlock, IncomingBundle, MessageAction, MessageBundle,
    PostedMessage, Transaction, TransactionOutcome,
};
use resident_execution::{
    Message, MessageKind, Operation, OracleResponse, OutgoingMessage, ServiceQuestion, StreamHead,
    SubscriberUpdate, SystemMessage, SystemOperation, TransactionEffects,
};

use crate::common::transfer;

fn chain(byte: u8) -> ChainId {
    ChainId(CryptoHash::from([byte; 32]))
}

fn credit() -> Message {
    Message::System(SystemMessage::Credit {
        target: AccountOwner::Reserved(1),
        amount: Amount::from_tokens(2),
        source: AccountOwner::Reserved(3),
    })
}

fn bundle() -> MessageBundle {
    let authenticated_owner = Some(AccountOwner::Reserved(4));
    let kind = MessageKind::Tracked;
    MessageBundle {
        height: BlockHeight(5),
        timestamp: Timestamp::from(6),
        block_hash: CryptoHash::from([7; 32]),
        transaction_index: 8,
        messages: vec![PostedMessage {
            authenticated_owner,
            grant: Amount::from_tokens(22),
            refund_grant_to: Some(Account::new(chain(23), AccountOwner::Reserved(24))),
            index: 9,
            kind,
            message: credit(),
        }],
    }
}

fn update() -> Transaction {
    let subscriber = ApplicationId::new(CryptoHash::from([22; 32]));
    let head = StreamHead {
        chain_id: chain(23),
        stream_id: stream(),
        next_index: 24,
    };
    Transaction::UpdateStreams(SubscriberUpdate {
        subscriber,
        streams: vec![head],
    })
}

fn stream() -> StreamId {
    StreamId {
        application_id: GenericApplicationId::User(ApplicationId::new(CryptoHash::from([25; 32]))),
        stream_name: "posts".into(),
    }
}

/// What such an update leaves, if the application reads an event and emits one.
fn streamed() -> TransactionEffects {
    let id = EventId {
        chain_id: chain(23),
        stream_id: stream(),
        index: 23,
    };
    let event = Event {
        stream_id: stream(),
        index: 26,
        value: vec![27],
    };
    let value = vec![28];
    TransactionEffects {
        events: vec![event],
        oracle_responses: vec![
            OracleResponse::EventExists(id.clone()),
            OracleResponse::Event { id, value },
        ],
        ..Default::default()
    }
}

fn block() -> Block {
    let (origin, bundle, action) = (chain(10), bundle(), MessageAction::Reject);
    Block {
        chain_id: chain(11),
        height: BlockHeight(12),
        previous_block_hash: Some(CryptoHash::from([13; 32])),
        timestamp: Timestamp::from(14),
        authenticated_owner: None,
        transactions: vec![
            Transaction::ReceiveMessages(IncomingBundle {
                origin,
                bundle,
                action,
            }),
            transfer(chain(15), Amount::from_tokens(16)),
        ],
    }
}

fn outcome() -> BlockOutcome {
    let message = OutgoingMessage {
        destination: chain(17),
        authenticated_owner: None,
        grant: Amount::from_tokens(25),
        refund_grant_to: Some(Account::chain(chain(26))),
        kind: MessageKind::Simple,
        message: credit(),
    };
    let effects = TransactionEffects {
        messages: vec![message],
        ..Default::default()
    };
    BlockOutcome {
        state_hash: CryptoHash::from([18; 32]),
        transactions: vec![TransactionOutcome {
            response: vec![19],
            effects,
        }],
        finalization: TransactionOutcome::default(),
        resources: Resources {
            wasm_fuel: 20,
            ..Resources::default()
        },
        fees: Amount::from_tokens(21),
    }
}

#[test]
fn hashes_are_pinned() {
    let executed = ExecutedBlock {
        block: block(),
        outcome: outcome(),
    };
    let bundle = CryptoHash::of_bytes(&bcs::to_bytes(&bundle()).unwrap());
    let pins = [
        (
            CryptoHash::new(&block()),
            "c2b50b7c8257f5de2aad06d15dd553f659c6e6702a1bdb0369e33c7e06e0e8d7",
        ),
        (
            outcome().hash(),
            "aa13212d51399faeae0965735a7c87c7406db0333dfc73bd9726b6c9dd3bd57d",
        ),
        (
            executed.hash(),
            "71e00f621af2d9fc1fd82ae347937d89bcfd0465b8ef7b48a812314251a378a3",
        ),
        (
            CryptoHash::of_bytes(&bcs::to_bytes(&update()).unwrap()),
            "bbf0907e49a9a7018f97f28d0657adbc06f42340d9505dd62a1bc5f7026cc3ce",
        ),
        (
            CryptoHash::new(&streamed()),
            "2274c8bf7c358e9194cc77021264f0b2b6d985426034a58bcc5c82a9c6cec619",
        ),
        (
            bundle,
            "517f1d40ec126ad0b9e7689efe9a399b90e4ed1852b6cca5e14aecec6d0ff60f",
        ),
    ];
    let (hashes, pins): (Vec<_>, Vec<_>) = pins
        .into_iter()
        .map(|(hash, pin)| (hash.to_string(), pin))
        .unzip();
    assert_eq!(hashes, pins);
}

#[test]
fn blobs_and_answers_from_outside_are_pinned() {
    let hash = CryptoHash::from([22; 32]);
    let publish = Operation::System(SystemOperation::PublishDataBlob { bytes: vec![23] });
    let blob = OracleResponse::Blob(BlobId::new(BlobType::Data, hash));
    let (request, response) = (hash, http::Response::new(404));
    let answer = OracleResponse::Http { request, response };
    let (question, response) = (hash, vec![24]);
    let service = OracleResponse::Service { question, response };
    let hex = |bytes: Vec<u8>| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let hash = "16".repeat(32);
    assert_eq!(hex(bcs::to_bytes(&publish).unwrap()), "00040117");
    assert_eq!(hex(bcs::to_bytes(&blob).unwrap()), format!("0000{hash}"));
    let expected = format!("02{hash}94010000");
    assert_eq!(hex(bcs::to_bytes(&answer).unwrap()), expected);
    let expected = format!("04{hash}0118");
    assert_eq!(hex(bcs::to_bytes(&service).unwrap()), expected);
    let question = ServiceQuestion {
        application_id: ApplicationId::new(CryptoHash::from([22; 32])),
        query: vec![25],
    };
    let expected = format!("{hash}0119");
    assert_eq!(hex(bcs::to_bytes(&question).unwrap()), expected);
}

#[test]
fn encodings_come_back() {
    let executed = ExecutedBlock {
        block: block(),
        outcome: outcome(),
    };
    let bytes = bcs::to_bytes(&executed).unwrap();
    assert_eq!(bcs::from_bytes::<ExecutedBlock>(&bytes).unwrap(), executed);
    let truncated = bcs::from_bytes::<ExecutedBlock>(&bytes[..bytes.len() - 1]);
    assert!(truncated.is_err());
}
