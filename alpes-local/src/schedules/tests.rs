//! Rules, from their creation to the invocations of their targets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Schedule, ScheduleSource, Schedules, Target};
use crate::{
    clock::{Clock, testing::Paused},
    error::AwsError,
    invoke::{Invoked, Invoker},
    store::Store,
};

/// Functions that note their invocations.
#[derive(Default)]
struct Functions(Mutex<Vec<(String, Value)>>);

impl Functions {
    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn invoke(&self, _: &str, _: Bytes) -> Result<Invoked, AwsError> {
        unreachable!("schedules do not wait for functions")
    }

    async fn enqueue(&self, function: &str, payload: Bytes) -> Result<String, AwsError> {
        if function.ends_with("missing") {
            return Err(AwsError::of(
                404,
                "ResourceNotFoundException",
                "Function not found",
            ));
        }
        let payload = serde_json::from_slice(&payload).unwrap();
        let mut calls = self.0.lock().unwrap();
        calls.push((function.to_owned(), payload));
        Ok(format!("id-{}", calls.len()))
    }

    fn role(&self, _: &str) -> Option<String> {
        Some("arn:aws:iam::000000000000:role/any".to_owned())
    }
}

fn beginning() -> Timestamp {
    "2026-01-31T10:00:07Z".parse().unwrap()
}

fn lambda(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

fn target(id: &str, input: Option<&str>) -> Target {
    Target {
        id: id.into(),
        arn: lambda(id),
        input: input.map(str::to_owned),
    }
}

fn schedule(name: &str, expression: &str, targets: Vec<Target>) -> Schedule {
    Schedule {
        name: name.into(),
        source: ScheduleSource::Rule,
        role_arn: None,
        expression: expression.into(),
        targets,
        enabled: true,
    }
}

fn scheduled(group: &str, schedule: Schedule) -> Schedule {
    let source = ScheduleSource::Scheduler {
        group: group.into(),
    };
    Schedule { source, ..schedule }
}

fn over(store: Store, now: Timestamp) -> (Schedules, Arc<Functions>) {
    let functions = Arc::new(Functions::default());
    let clock = Arc::new(Paused::at(now));
    let schedules =
        Schedules::with_clock(Arc::new(store), Arc::default(), functions.clone(), clock).unwrap();
    (schedules, functions)
}

fn schedules() -> (Schedules, Arc<Functions>) {
    over(
        Store::in_memory(&std::env::temp_dir()).unwrap(),
        beginning(),
    )
}

async fn run(schedules: &Schedules, seconds: u64) {
    let ended = timeout(Duration::from_secs(seconds), schedules.run()).await;
    assert!(ended.is_err(), "the beat never ends");
}

fn code(answer: Result<Value, AwsError>) -> String {
    answer.unwrap_err().code
}

#[tokio::test(start_paused = true)]
async fn targets_are_invoked_when_they_are_due() {
    let (schedules, functions) = schedules();
    let targets = vec![
        target("missing", None),
        target("own", None),
        target("task", Some(r#"{"task":"x"}"#)),
    ];
    schedules
        .ensure(&schedule("beat", "rate(1 minute)", targets))
        .unwrap();
    run(&schedules, 59).await;
    assert_eq!(functions.take(), []);
    run(&schedules, 2).await;
    let [(own, event), task] = &functions.take()[..] else {
        panic!("two invocations")
    };
    assert_eq!(*own, lambda("own"));
    assert_eq!(
        *event,
        json!({
            "version": "0", "id": event["id"], "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "000000000000", "time": "2026-01-31T10:01:07Z",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:000000000000:rule/beat"], "detail": {},
        })
    );
    assert_eq!(*task, (lambda("task"), json!({"task": "x"})));
    run(&schedules, 600).await;
    assert_eq!(functions.take().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn rules_and_schedules_of_one_name_have_events_of_their_own() {
    let (schedules, functions) = schedules();
    let beat = |id: &str| schedule("beat", "rate(1 minute)", vec![target(id, None)]);
    let kinds = [
        beat("rule"),
        scheduled("default", beat("first")),
        scheduled("other", beat("second")),
    ];
    for schedule in &kinds {
        schedules.ensure(schedule).unwrap();
    }
    run(&schedules, 61).await;
    let mut events = functions.take();
    events.sort_by_key(|(function, _)| function.clone());
    let told = events.iter().map(|(function, event)| {
        let arn = event["resources"][0].as_str().unwrap();
        let place = arn.split("000000000000:").last().unwrap();
        let event = (event["source"].clone(), event["detail"].clone());
        (function.clone(), place.to_owned(), event)
    });
    let of_scheduler = (json!("aws.scheduler"), json!("{}"));
    let expected = [
        (
            lambda("first"),
            "schedule/default/beat",
            of_scheduler.clone(),
        ),
        (
            lambda("rule"),
            "rule/beat",
            (json!("aws.events"), json!({})),
        ),
        (lambda("second"), "schedule/other/beat", of_scheduler),
    ];
    let expected = expected.map(|(function, place, event)| (function, place.to_owned(), event));
    assert_eq!(told.collect::<Vec<_>>(), expected);

    let listed = schedules.call("ListRules", &json!({})).unwrap();
    assert_eq!(listed["Rules"].as_array().unwrap().len(), 1);
    let refused = schedules.call("DescribeRule", &json!({"Name": "other/beat"}));
    assert_eq!(code(refused), "ValidationException");
    schedules.remove("beat").unwrap();
    schedules.fire("beat").await.unwrap();
    schedules.fire("other/beat").await.unwrap();
    let fired: Vec<_> = functions
        .take()
        .into_iter()
        .map(|(function, _)| function)
        .collect();
    assert_eq!(fired, [lambda("first"), lambda("second")]);
}

/// A clock that runs on while the computer, and so tokio's time, is suspended.
struct Suspended {
    clock: Paused,
    ahead: Mutex<SignedDuration>,
}

impl Clock for Suspended {
    fn now(&self) -> Timestamp {
        self.clock.now() + *self.ahead.lock().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_due_while_the_computer_was_suspended_is_lost() {
    let functions = Arc::new(Functions::default());
    let clock = Arc::new(Suspended {
        clock: Paused::at(beginning()),
        ahead: Mutex::default(),
    });
    let store = Store::in_memory(&std::env::temp_dir()).unwrap();
    let invoker = functions.clone();
    let schedules =
        Schedules::with_clock(Arc::new(store), Arc::default(), invoker, clock.clone()).unwrap();
    let hourly = schedule("hourly", "rate(1 hour)", vec![target("f", None)]);
    schedules.ensure(&hourly).unwrap();
    run(&schedules, 10).await;
    let beat = schedules.clone();
    let beat = tokio::spawn(async move { beat.run().await });
    sleep(Duration::from_secs(10)).await;
    *clock.ahead.lock().unwrap() = SignedDuration::from_mins(150);
    sleep(Duration::from_mins(10)).await;
    assert_eq!(functions.take(), []);
    sleep(Duration::from_mins(20)).await;
    assert_eq!(functions.take()[0].1["time"], "2026-01-31T13:00:07Z");
    beat.abort();
}

#[tokio::test(start_paused = true)]
async fn the_beat_hears_of_changes() {
    let (schedules, functions) = schedules();
    let beat = schedules.clone();
    let beat = tokio::spawn(async move { beat.run().await });
    sleep(Duration::from_secs(1)).await;
    let one = |id: &str| vec![target(id, Some("1"))];
    schedules
        .ensure(&schedule("daily", "rate(1 day)", one("day")))
        .unwrap();
    schedules
        .ensure(&schedule("often", "cron(* * * * ? *)", one("minute")))
        .unwrap();
    sleep(Duration::from_secs(61)).await;
    let often = json!({"Name": "often"});
    assert_eq!(functions.take(), [(lambda("minute"), json!(1))]);
    schedules.call("DisableRule", &often).unwrap();
    sleep(Duration::from_mins(5)).await;
    assert_eq!(functions.take(), []);
    assert_eq!(schedules.fire("often").await, Ok(vec!["id-1".to_owned()]));
    schedules.call("EnableRule", &often).unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(functions.take().len(), 2);
    beat.abort();
    let error = schedules.fire("none").await.unwrap_err();
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn rules_survive_and_what_was_due_meanwhile_is_lost() {
    let folder = std::env::temp_dir().join(format!("alpes-schedules-{}", Uuid::new_v4()));
    let beat = schedule("beat", "rate(5 minutes)", vec![target("f", None)]);
    let quiet = schedule("quiet", "rate(1 minute)", vec![target("f", None)]);
    {
        let (schedules, _) = over(Store::open(&folder).unwrap(), beginning());
        schedules.ensure(&beat).unwrap();
        schedules.ensure(&quiet).unwrap();
        schedules
            .call("DisableRule", &json!({"Name": "quiet"}))
            .unwrap();
    }
    let later = beginning() + SignedDuration::from_mins(62);
    let (schedules, functions) = over(Store::open(&folder).unwrap(), later);
    schedules.ensure(&beat).unwrap();
    let told = schedules
        .call("DescribeRule", &json!({"Name": "quiet"}))
        .unwrap();
    assert_eq!(told["State"], "DISABLED");
    run(&schedules, 179).await;
    assert_eq!(functions.take(), []);
    run(&schedules, 2).await;
    assert_eq!(
        functions.take()[0].1["time"],
        "2026-01-31T11:05:07Z",
        "the beat is kept"
    );
    let mut changed = quiet;
    changed.expression = "rate(2 minutes)".into();
    schedules.ensure(&changed).unwrap();
    let told = schedules
        .call("DescribeRule", &json!({"Name": "quiet"}))
        .unwrap();
    assert_eq!(told["State"], "ENABLED");
    drop(schedules);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn rules_are_made_and_listed_by_the_api() {
    let (schedules, _) = schedules();
    let rule = json!({"Name": "a-1", "ScheduleExpression": "rate(1 hour)", "Description": "d"});
    let made = schedules.call("PutRule", &rule).unwrap();
    assert_eq!(
        made["RuleArn"],
        "arn:aws:events:us-east-1:000000000000:rule/a-1"
    );
    let mut other = rule.clone();
    other["Name"] = "b".into();
    other["State"] = "DISABLED".into();
    schedules.call("PutRule", &other).unwrap();
    let targets = json!({"Rule": "a-1", "Targets": [
        {"Id": "2", "Arn": lambda("f")}, {"Id": "1", "Arn": lambda("f"), "Input": "[]"},
    ]});
    let put = schedules.call("PutTargets", &targets).unwrap();
    assert_eq!(put["FailedEntryCount"], 0);

    let page = schedules.call("ListRules", &json!({"Limit": 1})).unwrap();
    assert_eq!(page["Rules"][0]["Description"], "d");
    let rest = json!({"NextToken": page["NextToken"]});
    let rest = schedules.call("ListRules", &rest).unwrap();
    assert_eq!(rest["Rules"].as_array().unwrap().len(), 1);
    assert_eq!(rest["Rules"][0]["State"], "DISABLED");
    let some = schedules
        .call("ListRules", &json!({"NamePrefix": "a"}))
        .unwrap();
    assert_eq!(some["Rules"].as_array().unwrap().len(), 1);
    let listed = schedules
        .call("ListTargetsByRule", &json!({"Rule": "a-1"}))
        .unwrap();
    assert_eq!(
        listed["Targets"],
        json!([{"Id": "1", "Arn": lambda("f"), "Input": "[]"}, {"Id": "2", "Arn": lambda("f")}])
    );
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused() {
    let (schedules, _) = schedules();
    let rule = json!({"Name": "known", "ScheduleExpression": "rate(1 hour)"});
    schedules.call("PutRule", &rule).unwrap();
    let put = |target: Value| json!({"Rule": "known", "Targets": [target]});
    let many: Vec<_> = (0..6)
        .map(|id| json!({"Id": id.to_string(), "Arn": lambda("f")}))
        .collect();
    for (operation, request, expected) in [
        (
            "PutRule",
            json!({"Name": "a b", "ScheduleExpression": "rate(1 hour)"}),
            "ValidationException",
        ),
        (
            "PutRule",
            json!({"Name": "a", "ScheduleExpression": "rate(1 hours)"}),
            "ValidationException",
        ),
        (
            "PutRule",
            json!({"Name": "a", "ScheduleExpression": "at(2030-01-01T00:00:00)"}),
            "ValidationException",
        ),
        (
            "PutRule",
            json!({"Name": "a", "EventPattern": "{}"}),
            "ValidationException",
        ),
        (
            "PutRule",
            json!({"Name": "a", "ScheduleExpression": "rate(1 day)", "EventBusName": "x"}),
            "ResourceNotFoundException",
        ),
        (
            "DescribeRule",
            json!({"Name": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "EnableRule",
            json!({"Name": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "ListTargetsByRule",
            json!({"Rule": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "PutTargets",
            json!({"Rule": "none", "Targets": [{"Id": "1", "Arn": lambda("f")}]}),
            "ResourceNotFoundException",
        ),
        (
            "PutTargets",
            json!({"Rule": "known", "Targets": []}),
            "ValidationException",
        ),
        (
            "PutTargets",
            json!({"Rule": "known", "Targets": many}),
            "LimitExceededException",
        ),
        (
            "PutTargets",
            put(json!({"Id": "1", "Arn": "arn:aws:sqs:x"})),
            "ValidationException",
        ),
        (
            "PutTargets",
            put(json!({"Id": "1", "Arn": lambda("f"), "Input": "{"})),
            "ValidationException",
        ),
        (
            "PutTargets",
            put(json!({"Id": "1", "Arn": lambda("f"), "InputPath": "$.a"})),
            "ValidationException",
        ),
        ("PutEvents", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(
            code(schedules.call(operation, &request)),
            expected,
            "{operation} {request}"
        );
    }
    let listed = schedules
        .call("ListTargetsByRule", &json!({"Rule": "known"}))
        .unwrap();
    assert_eq!(
        listed["Targets"],
        json!([]),
        "refused targets leave nothing"
    );
    let bad = schedule(
        "x",
        "rate(1 day)",
        (0..6).map(|id| target(&id.to_string(), None)).collect(),
    );
    assert!(schedules.ensure(&bad).is_err());
}
