//! Pins encodings by hash. A test that fails here says that the protocol changed: stored blocks could no
//! longer be read, or nodes of different versions would disagree.

use resident_base::{
    AccountOwner, Amount, ApplicationId, BlobId, BlobType, BlockHeight, ChainId, CryptoHash, Event,
    EventId, GenericApplicationId, Resources, StreamId, Timestamp, http,
};
use resident_chain::{
    Block, BlockOutcome, ExecutedBlock, IncomingBundle, MessageAction, MessageBundle,
    PostedMessage, Transaction, TransactionOutcome,
};
use resident_execution::{
    Message, MessageKind, Operation, OracleResponse, OutgoingMessage, StreamHead, SubscriberUpdate,
    SystemMessage, SystemOperation, TransactionEffects,
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
            "3a00ea02a3803d12c9f6034aa7dc336d5dc1be2cee05e0027806681667105f97",
        ),
        (
            outcome().hash(),
            "9a3e6078d6f8dabef423b06c81aad3311e9e7e36d5d0abbfa8ccbcc3c96a3743",
        ),
        (
            executed.hash(),
            "da73fc6860b10c2feee63249757daaa7dd027dde65969ee03531b1086acf314b",
        ),
        (
            CryptoHash::of_bytes(&bcs::to_bytes(&update()).unwrap()),
            "bbf0907e49a9a7018f97f28d0657adbc06f42340d9505dd62a1bc5f7026cc3ce",
        ),
        (
            CryptoHash::new(&streamed()),
            "c7407ff70cae6e2dea111aad9e0c6e1d3906b1ce0fb39bd5dd417f34a8d1a77e",
        ),
        (
            bundle,
            "afa3384d5f8b741d2ef8a4a7861d42f71c1065893730f936865fde4fb46d4c7a",
        ),
    ];
    for (hash, pin) in pins {
        assert_eq!(hash.to_string(), pin);
    }
}

#[test]
fn blobs_and_answers_from_outside_are_pinned() {
    let hash = CryptoHash::from([22; 32]);
    let publish = Operation::System(SystemOperation::PublishDataBlob { bytes: vec![23] });
    let blob = OracleResponse::Blob(BlobId::new(BlobType::Data, hash));
    let (request, response) = (hash, http::Response::new(404));
    let answer = OracleResponse::Http { request, response };
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
