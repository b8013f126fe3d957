//! Pins the binary and the human-readable encoding of every type, and the hashes.
//!
//! A test that fails here says that the protocol changed: stored chains would no longer be readable, or
//! nodes of different versions would disagree. Change a pin only together with the protocol version.

use std::fmt::Debug;

use resident_base::*;
use serde::{Serialize, de::DeserializeOwned};

/// Checks both encodings of a value, and that both come back.
fn check<T>(value: &T, bcs_hex: &str, json: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = bcs::to_bytes(value).unwrap();
    assert_eq!(hex::encode(&bytes), bcs_hex, "{value:?}");
    assert_eq!(serde_json::to_string(value).unwrap(), json, "{value:?}");
    assert_eq!(&bcs::from_bytes::<T>(&bytes).unwrap(), value);
    assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
}

/// A hash whose bytes are all the same, so that it is easy to spot.
fn hash(byte: u8) -> CryptoHash {
    CryptoHash::from([byte; 32])
}

fn hash_hex(byte: u8) -> String {
    hex::encode([byte; 32])
}

fn stream_id() -> StreamId {
    let application_id = ApplicationId::<()>::new(hash(6)).into();
    StreamId {
        application_id,
        stream_name: "ab".into(),
    }
}

fn application_description() -> ApplicationDescription {
    ApplicationDescription {
        module_id: ModuleId::new(hash(1), hash(2), VmRuntime::Wasm),
        creator_chain_id: ChainId(hash(3)),
        block_height: BlockHeight(4),
        application_index: 5,
        parameters: b"null".to_vec(),
        required_application_ids: vec![ApplicationId::new(hash(6))],
    }
}

fn chain_description() -> ChainDescription {
    let (parent, block_height, chain_index) = (ChainId(hash(1)), BlockHeight(2), 3);
    ChainDescription {
        origin: ChainOrigin::Child {
            parent,
            block_height,
            chain_index,
        },
        config: InitialChainConfig {
            ownership: ChainOwnership::single(AccountOwner::Reserved(4)),
            balance: Amount::from_attos(5),
            application_permissions: ApplicationPermissions::default(),
        },
        timestamp: Timestamp::from(6),
    }
}

#[test]
fn numbers() {
    check(
        &Amount::from_millis(2_500),
        "00007a22c1c8b1220000000000000000",
        r#""2.5""#,
    );
    check(
        &Amount::from_tokens(20),
        "0000d01309468e150100000000000000",
        r#""20.""#,
    );
    check(&U128(258), "02010000000000000000000000000000", r#""258""#);
    check(&BlockHeight(258), "0201000000000000", r#""258""#);
    check(&Timestamp::from(258), "0201000000000000", "258");
    check(&TimeDelta::from_millis(1), "e803000000000000", "1000");
}

#[test]
fn identifiers() {
    let (one, two) = (hash_hex(1), hash_hex(2));
    check(&hash(1), &one, &format!("\"{one}\""));
    check(&ChainId(hash(1)), &one, &format!("\"{one}\""));
    check(
        &ApplicationId::<()>::new(hash(1)),
        &one,
        &format!("\"{one}\""),
    );
    check(&DataBlobHash(hash(1)), &one, &format!("\"{one}\""));
    let module = format!("{one}{two}01");
    let module_id: ModuleId = ModuleId::new(hash(1), hash(2), VmRuntime::Evm);
    check(&module_id, &module, &format!("\"{module}\""));
    check(&GenericApplicationId::System, "00", r#""System""#);
    let user = GenericApplicationId::from(ApplicationId::<()>::new(hash(1)));
    check(
        &user,
        &format!("01{one}"),
        &format!(r#"{{"User":"{one}"}}"#),
    );
}

#[test]
fn owners() {
    let one = hash_hex(1);
    check(&AccountOwner::CHAIN, "0000", r#""0x00""#);
    check(
        &AccountOwner::from(hash(1)),
        &format!("01{one}"),
        &format!(r#""0x{one}""#),
    );
    let address = "07".repeat(20);
    let owner = AccountOwner::Address20([7; 20]);
    check(
        &owner,
        &format!("02{address}"),
        &format!(r#""0x{address}""#),
    );
    let account = Account::chain(ChainId(hash(1)));
    let json = format!(r#"{{"chain_id":"{one}","owner":"0x00"}}"#);
    check(&account, &format!("{one}0000"), &json);
    let pair = OwnerSpender::new(AccountOwner::CHAIN, AccountOwner::Reserved(1));
    check(&pair, "00000001", r#"{"owner":"0x00","spender":"0x01"}"#);
}

#[test]
fn streams() {
    let (one, six) = (hash_hex(1), hash_hex(6));
    let chain_id = ChainId(hash(1));
    let name_json = r#""stream_name":"6162""#;
    let id_json = format!(r#"{{"application_id":{{"User":"{six}"}},{name_json}}}"#);
    let id_bcs = format!("01{six}026162");
    check(&stream_id(), &id_bcs, &id_json);

    let event = Event {
        stream_id: stream_id(),
        index: 7,
        value: vec![8, 9],
    };
    let json = format!(r#"{{"stream_id":{id_json},"index":7,"value":"0809"}}"#);
    check(&event, &format!("{id_bcs}07000000020809"), &json);

    let json = format!(r#"{{"chain_id":"{one}","stream_id":{id_json},"index":7}}"#);
    check(
        &event.id(chain_id),
        &format!("{one}{id_bcs}07000000"),
        &json,
    );

    let (previous_index, next_index) = (2, 5);
    let update = StreamUpdate {
        chain_id,
        stream_id: stream_id(),
        previous_index,
        next_index,
    };
    let indices = r#""previous_index":2,"next_index":5"#;
    let json = format!(r#"{{"chain_id":"{one}","stream_id":{id_json},{indices}}}"#);
    check(&update, &format!("{one}{id_bcs}0200000005000000"), &json);
}

#[test]
fn blobs() {
    let one = hash_hex(1);
    let id = BlobId::new(BlobType::ServiceBytecode, hash(1));
    check(
        &id,
        &format!("02{one}"),
        &format!(r#""ServiceBytecode:{one}""#),
    );
    let blob = Blob::new_data(*b"hello");
    let (bcs, json) = (
        "000568656c6c6f",
        r#"{"blob_type":"Data","bytes":"68656c6c6f"}"#,
    );
    check(&blob, bcs, json);
    check(blob.content(), bcs, json);
    check(
        &Bytecode::new(vec![0, 0x61]),
        "020061",
        r#"{"bytes":"0061"}"#,
    );
    check(&VmRuntime::Evm, "01", r#""Evm""#);
}

#[test]
fn descriptions() {
    let [one, two, three, six] = [1, 2, 3, 6].map(hash_hex);
    let application = application_description();
    let bcs = format!("{one}{two}00{three}040000000000000005000000046e756c6c01{six}");
    let json = [
        format!(r#"{{"module_id":"{one}{two}00","creator_chain_id":"{three}","#),
        r#""block_height":"4","application_index":5,"parameters":"6e756c6c","#.to_owned(),
        format!(r#""required_application_ids":["{six}"]}}"#),
    ];
    check(&application, &bcs, &json.concat());

    let bcs = [
        &format!("01{one}020000000000000003000000"),
        // No super owners, one owner with weight 100, all rounds for everybody, but not for the public.
        "000100046400000000000000ffffffff00",
        "00809698000000000040420f0000000000ffffffffffffffff",
        "05000000000000000000000000000000",
        "000000000000",
        "0600000000000000",
    ];
    let json = [
        &format!(
            r#"{{"origin":{{"Child":{{"parent":"{one}","block_height":"2","chain_index":3}}}},"#
        ),
        r#""config":{"ownership":{"super_owners":[],"owners":{"0x04":100},"#,
        r#""multi_leader_rounds":4294967295,"open_multi_leader_rounds":false,"#,
        r#""timeout_config":{"fast_round_duration":null,"base_timeout":10000000,"#,
        r#""timeout_increment":1000000,"fallback_duration":"18446744073709551615"}},"#,
        r#""balance":"0.000000000000000005","application_permissions":{"execute_operations":null,"#,
        r#""mandatory_applications":[],"manage_chain":[],"change_application_permissions":[],"#,
        r#""call_service_as_oracle":null,"make_http_requests":null}},"timestamp":6}"#,
    ];
    check(&chain_description(), &bcs.concat(), &json.concat());
}

#[test]
fn keys_and_signatures() {
    let secret = AccountSecretKey::from_seed([1; 32]);
    let public = "008a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    check(&secret.public(), public, &format!("\"{public}\""));
    let AccountPublicKey::Ed25519(key) = secret.public();
    check(&key, &public[2..], &format!("\"{}\"", &public[2..]));

    let signature = secret.sign_hash(hash(1));
    let bytes = concat!(
        "0a6c9bbfe97b5b81afa47b53663a61874993e0fc90795a2465d011cf42cf6d35",
        "0daa5aefc5fcfbf78e7b1d48ab69fa7468ff8a59c9cb59b535fe7b12c81b4906",
    );
    let encoded = format!("00{bytes}{}", &public[2..]);
    check(&signature, &encoded, &format!("\"{encoded}\""));
    let AccountSignature::Ed25519 { signature, .. } = signature;
    check(&signature, bytes, &format!("\"{bytes}\""));
}

#[test]
fn resources() {
    let resources = Resources {
        wasm_fuel: 1,
        http_requests: 2,
        ..Resources::default()
    };
    let bcs = ["01", &"00".repeat(119), "02", &"00".repeat(7)];
    let json = [
        r#"{"wasm_fuel":1,"evm_fuel":0,"read_operations":0,"write_operations":0,"#,
        r#""bytes_runtime":0,"bytes_to_read":0,"bytes_to_write":0,"blobs_to_read":0,"#,
        r#""blobs_to_publish":0,"blob_bytes_to_read":0,"blob_bytes_to_publish":0,"messages":0,"#,
        r#""message_size":0,"storage_size_delta":0,"service_as_oracle_queries":0,"#,
        r#""http_requests":2}"#,
    ];
    check(&resources, &bcs.concat(), &json.concat());
    assert_eq!(
        serde_json::from_str::<Resources>("{}").unwrap(),
        Resources::default()
    );
}

#[test]
fn http_requests_and_answers() {
    let request = http::Request::post("http://a/", [1]).with_header("b", [2]);
    let json =
        r#"{"method":"Post","url":"http://a/","headers":[{"name":"b","value":"02"}],"body":"01"}"#;
    check(&request, "0109687474703a2f2f612f01016201020101", json);
    let response = http::Response::ok([3]).with_header("c", [4]);
    let json = r#"{"status":200,"headers":[{"name":"c","value":"04"}],"body":"03"}"#;
    check(&response, "c80001016301040103", json);
}

#[test]
fn hashes() {
    let pin = |hash: CryptoHash, expected: &str| assert_eq!(hash.to_string(), expected);
    pin(
        CryptoHash::of_bytes(b""),
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    );
    pin(
        Blob::new_data(*b"hello").id().hash,
        "47bc7fdbcdecd101be14059b25615aa7ecaa7504e64fee52571a44507491a98f",
    );
    pin(
        ApplicationId::from(&application_description()).application_description_hash,
        "bf4c7539578bd7ffcf6eeda68fcb848c89181d190dfc7a56cd0290bca2ff6663",
    );
    pin(
        chain_description().id().0,
        "36eafe784e01181e50c608865383e5d8af1da821fa3ec79848626d1ba180480f",
    );
    let AccountOwner::Address32(owner) = AccountSecretKey::from_seed([1; 32]).public().owner()
    else {
        panic!("the owner of a public key is a hash");
    };
    pin(
        owner,
        "be4ef1b9cdb31315123ef588f24f56c04444454564d89c5d8bd18ebb136cefa1",
    );
}
