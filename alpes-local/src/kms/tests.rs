//! Keys from their creation to their deletion.

use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Kms;
use crate::{clock::Clock, error::AwsError, store::Store};

struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Hand {
    fn days(&self, days: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_hours(24 * days);
    }
}

fn kms() -> (Kms, Arc<Hand>) {
    let store = Store::in_memory(&std::env::temp_dir()).unwrap();
    let clock = Arc::new(Hand(Mutex::new(Timestamp::from_second(1000).unwrap())));
    (
        Kms::with_clock(Arc::new(store), clock.clone()).unwrap(),
        clock,
    )
}

fn code(answer: Result<Value, AwsError>) -> String {
    answer.unwrap_err().code
}

fn create(kms: &Kms) -> String {
    let key = kms.call("CreateKey", &json!({"Description": "d"})).unwrap();
    key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

fn state(kms: &Kms, key: &str) -> Value {
    let key = kms.call("DescribeKey", &json!({"KeyId": key})).unwrap();
    key["KeyMetadata"]["KeyState"].clone()
}

fn encrypt(kms: &Kms, key: &str, context: &Value) -> Result<Value, AwsError> {
    let plaintext = STANDARD.encode("secret");
    let request = json!({"KeyId": key, "Plaintext": plaintext, "EncryptionContext": context});
    let answer = kms.call("Encrypt", &request)?;
    Ok(answer["CiphertextBlob"].clone())
}

fn decrypt(kms: &Kms, blob: &Value, context: &Value) -> Result<Value, AwsError> {
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": context});
    let answer = kms.call("Decrypt", &request)?;
    Ok(answer["Plaintext"].clone())
}

#[test]
fn a_ciphertext_opens_after_a_restart_with_its_context_only() {
    let folder = std::env::temp_dir().join(format!("alpes-kms-{}", Uuid::new_v4()));
    let open = || Kms::new(Arc::new(Store::open(&folder).unwrap())).unwrap();
    let context = json!({"a": "bc", "d": ""});
    let (key, blob) = {
        let kms = open();
        let key = create(&kms);
        let alias = json!({"AliasName": "alias/orders", "TargetKeyId": key});
        kms.call("CreateAlias", &alias).unwrap();
        assert_eq!(
            code(kms.call("CreateAlias", &alias)),
            "AlreadyExistsException"
        );
        let blob = encrypt(&kms, "alias/orders", &context).unwrap();
        (key, blob)
    };
    let kms = open();
    let plaintext = json!(STANDARD.encode("secret"));
    assert_eq!(decrypt(&kms, &blob, &context), Ok(plaintext.clone()));
    for other in [json!({}), json!({"a": "b", "d": "c"}), json!({"a": "bc"})] {
        let refused = code(decrypt(&kms, &blob, &other));
        assert_eq!(refused, "InvalidCiphertextException", "{other}");
    }
    let mut bytes = STANDARD.decode(blob.as_str().unwrap()).unwrap();
    for place in [0, 1, 5, bytes.len() - 1] {
        bytes[place] ^= 1;
        let changed = json!(STANDARD.encode(&bytes));
        let refused = code(decrypt(&kms, &changed, &context));
        assert_eq!(refused, "InvalidCiphertextException", "byte {place}");
        bytes[place] ^= 1;
    }
    let other = create(&kms);
    let request =
        |key: &str| json!({"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": key});
    assert_eq!(
        code(kms.call("Decrypt", &request(&other))),
        "IncorrectKeyException"
    );
    let arn = format!("arn:aws:kms:us-east-1:000000000000:key/{key}");
    assert_eq!(kms.call("Decrypt", &request(&arn)).unwrap()["KeyId"], arn);

    let moved = json!({
        "CiphertextBlob": blob, "SourceEncryptionContext": context, "DestinationKeyId": other,
    });
    let moved = kms.call("ReEncrypt", &moved).unwrap();
    assert_eq!(moved["SourceKeyId"], arn);
    let again = decrypt(&kms, &moved["CiphertextBlob"], &json!({}));
    assert_eq!(again, Ok(plaintext));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_key_works_only_while_it_is_enabled() {
    let (kms, clock) = kms();
    let key = create(&kms);
    let blob = encrypt(&kms, &key, &json!({})).unwrap();
    let of_key = json!({"KeyId": key});
    kms.call("DisableKey", &of_key).unwrap();
    assert_eq!(state(&kms, &key), "Disabled");
    assert_eq!(code(encrypt(&kms, &key, &json!({}))), "DisabledException");
    assert_eq!(code(decrypt(&kms, &blob, &json!({}))), "DisabledException");
    kms.call("EnableKey", &of_key).unwrap();
    assert!(decrypt(&kms, &blob, &json!({})).is_ok());
    assert_eq!(
        code(kms.call("CancelKeyDeletion", &of_key)),
        "KMSInvalidStateException"
    );

    let delete = |days: i64| {
        let request = json!({"KeyId": key, "PendingWindowInDays": days});
        kms.call("ScheduleKeyDeletion", &request)
    };
    assert_eq!(code(delete(6)), "ValidationException");
    let deleted = delete(7).unwrap();
    assert_eq!(deleted["DeletionDate"], 1000.0 + 7.0 * 86_400.0);
    assert_eq!(state(&kms, &key), "PendingDeletion");
    for (operation, request) in [
        ("EnableKey", of_key.clone()),
        ("DisableKey", of_key.clone()),
        ("ScheduleKeyDeletion", of_key.clone()),
        (
            "CreateAlias",
            json!({"AliasName": "alias/late", "TargetKeyId": key}),
        ),
    ] {
        assert_eq!(
            code(kms.call(operation, &request)),
            "KMSInvalidStateException",
            "{operation}"
        );
    }
    assert_eq!(
        code(decrypt(&kms, &blob, &json!({}))),
        "KMSInvalidStateException"
    );
    kms.call("CancelKeyDeletion", &of_key).unwrap();
    assert_eq!(state(&kms, &key), "Disabled");
    delete(7).unwrap();
    clock.days(7);
    assert_eq!(code(kms.call("DescribeKey", &of_key)), "NotFoundException");
    assert_eq!(
        code(decrypt(&kms, &blob, &json!({}))),
        "InvalidCiphertextException"
    );
    assert_eq!(kms.call("ListKeys", &json!({})).unwrap()["Keys"], json!([]));
}

#[test]
fn data_keys_have_the_length_that_is_asked_for() {
    let (kms, _) = kms();
    let key = create(&kms);
    for (ask, length) in [
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"NumberOfBytes": 1024}), 1024),
    ] {
        let mut request = ask;
        request["KeyId"] = key.clone().into();
        let made = kms.call("GenerateDataKey", &request).unwrap();
        let plaintext = made["Plaintext"].as_str().unwrap();
        assert_eq!(STANDARD.decode(plaintext).unwrap().len(), length);
        let opened = decrypt(&kms, &made["CiphertextBlob"], &json!({})).unwrap();
        assert_eq!(opened, plaintext);
        let made = kms
            .call("GenerateDataKeyWithoutPlaintext", &request)
            .unwrap();
        assert_eq!(made.get("Plaintext"), None);
    }
    for bad in [
        json!({}),
        json!({"KeySpec": "AES_256", "NumberOfBytes": 32}),
        json!({"KeySpec": "AES_512"}),
        json!({"NumberOfBytes": 0}),
        json!({"NumberOfBytes": 1025}),
    ] {
        let mut request = bad;
        request["KeyId"] = key.clone().into();
        assert_eq!(
            code(kms.call("GenerateDataKey", &request)),
            "ValidationException"
        );
    }
}

#[test]
fn keys_of_aws_are_made_when_they_are_named() {
    let (kms, _) = kms();
    let blob = encrypt(&kms, "alias/aws/ssm", &json!({})).unwrap();
    assert!(decrypt(&kms, &blob, &json!({})).is_ok());
    let named = json!({"KeyId": "arn:aws:kms:us-east-1:000000000000:alias/aws/ssm"});
    let key = kms.call("DescribeKey", &named).unwrap();
    assert_eq!(key["KeyMetadata"]["KeyManager"], "AWS");
    let id = json!({"KeyId": key["KeyMetadata"]["KeyId"]});
    assert_eq!(code(kms.call("DisableKey", &id)), "AccessDeniedException");
    let aliases = kms.call("ListAliases", &id).unwrap();
    assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/aws/ssm");
}

#[test]
fn deployments_find_their_keys_again() {
    let (kms, _) = kms();
    kms.ensure_key("orders-key", "for orders", true).unwrap();
    kms.ensure_alias("alias/orders", "orders-key").unwrap();
    let blob = encrypt(&kms, "alias/orders", &json!({})).unwrap();
    kms.ensure_key("orders-key", "for orders", true).unwrap();
    kms.ensure_key("other-key", "", true).unwrap();
    kms.ensure_alias("alias/orders", "other-key").unwrap();
    assert!(decrypt(&kms, &blob, &json!({})).is_ok());
    let page = kms.call("ListKeys", &json!({"Limit": 1})).unwrap();
    assert_eq!(
        (&page["Keys"][0]["KeyId"], &page["Truncated"]),
        (&json!("orders-key"), &json!(true))
    );
    let rest = json!({"Marker": page["NextMarker"]});
    let rest = kms.call("ListKeys", &rest).unwrap();
    assert_eq!(
        (&rest["Keys"][0]["KeyId"], &rest["Truncated"]),
        (&json!("other-key"), &json!(false))
    );
}

#[test]
fn deployments_enable_and_disable_keys_unless_these_are_pending_deletion() {
    let (kms, _) = kms();
    let ensure = |enabled| kms.ensure_key("k", "d", enabled).unwrap();
    ensure(false);
    assert_eq!(state(&kms, "k"), "Disabled");
    ensure(true);
    assert_eq!(state(&kms, "k"), "Enabled");
    kms.call("ScheduleKeyDeletion", &json!({"KeyId": "k"}))
        .unwrap();
    ensure(false);
    assert_eq!(state(&kms, "k"), "PendingDeletion");
}

#[test]
fn requests_that_are_not_supported_are_refused() {
    let (kms, _) = kms();
    let key = create(&kms);
    let large = STANDARD.encode(vec![0; 4097]);
    for (operation, request, expected) in [
        (
            "Encrypt",
            json!({"KeyId": key, "Plaintext": large}),
            "ValidationException",
        ),
        (
            "Encrypt",
            json!({"KeyId": key, "Plaintext": ""}),
            "ValidationException",
        ),
        (
            "Encrypt",
            json!({"KeyId": key, "Plaintext": "?"}),
            "ValidationException",
        ),
        (
            "Encrypt",
            json!({"KeyId": "none", "Plaintext": "AA=="}),
            "NotFoundException",
        ),
        (
            "Encrypt",
            json!({"KeyId": "alias/none", "Plaintext": "AA=="}),
            "NotFoundException",
        ),
        (
            "Encrypt",
            json!({"KeyId": "arn:aws:kms:eu-west-1:1:key/x", "Plaintext": "AA=="}),
            "NotFoundException",
        ),
        (
            "Encrypt",
            json!({"KeyId": key, "Plaintext": "AA==", "DryRun": true}),
            "ValidationException",
        ),
        (
            "Decrypt",
            json!({"CiphertextBlob": "AA=="}),
            "InvalidCiphertextException",
        ),
        (
            "CreateKey",
            json!({"KeySpec": "RSA_2048"}),
            "UnsupportedOperationException",
        ),
        (
            "CreateKey",
            json!({"MultiRegion": true}),
            "UnsupportedOperationException",
        ),
        (
            "CreateAlias",
            json!({"AliasName": "orders", "TargetKeyId": key}),
            "InvalidAliasNameException",
        ),
        (
            "CreateAlias",
            json!({"AliasName": "alias/aws/x", "TargetKeyId": key}),
            "NotAuthorizedException",
        ),
        ("Sign", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(
            code(kms.call(operation, &request)),
            expected,
            "{operation} {request}"
        );
    }
}
