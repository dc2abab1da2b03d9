use std::time::Duration;

use source_mapping::{
    Change, Choice, Filter, Input, InvalidSettings, Mapping, Outcome, Rule, Settings,
    StartingPosition, State,
};

use crate::support::{BEGIN, World, numbers, refused_by, seconds, settings, told};

/// Requests a change and lets it take effect.
fn change(world: &mut World, change: Change) {
    world.ask(change);
    world.take(Input::ChangeTakesEffect);
}

#[test]
fn what_is_disabled_rests_and_goes_on_where_it_was() {
    let mut world = World::with(|with| with.batch_size = 1);
    world.put_some(3);
    world.end_one(Outcome::done());
    let out = world.one();
    change(&mut world, Change::Disable);
    assert_eq!(world.mapping.state(), State::Disabled);
    world.end(&out, Outcome::done());
    world.wait(seconds(100));
    assert_eq!(world.invoked(), []);
    change(&mut world, Change::Enable);
    assert_eq!(world.end_one(Outcome::done()), [2]);
    assert_eq!(numbers(&world.one()), [3]);
    world.proves(Rule::Disabled);
}

#[test]
fn what_is_being_disabled_works_on() {
    let mut world = World::new(settings());
    world.ask(Change::Disable);
    assert_eq!(world.mapping.state(), State::Changing);
    world.put("key", b"{}");
    assert_eq!(world.end_one(Outcome::done()), [1]);
    assert!(world.mapping.is_settled());
}

#[test]
fn what_is_created_disabled_rests() {
    let mut world = World::with(|with| with.enabled = false);
    world.put("key", b"{}");
    world.wait(seconds(10));
    assert_eq!(world.invoked(), []);
    assert_eq!(world.mapping.wakes_at(), None);
    change(&mut world, Change::Enable);
    assert_eq!(numbers(&world.one()), [1]);
}

#[test]
fn other_settings_take_effect_later() {
    let mut world = World::new(settings());
    let other = Settings {
        batch_size: 1,
        ..settings()
    };
    world.ask(Change::Update(Box::new(other)));
    world.put_some(2);
    assert_eq!(world.end_one(Outcome::FunctionError), [1, 2]);
    let out = world.one();
    world.take(Input::ChangeTakesEffect);
    assert_eq!(world.mapping.settings().batch_size, 1);
    assert_eq!(world.mapping.state(), State::Enabled);
    assert_eq!(world.end_one(Outcome::done()), [1]);
    world.end(&out, Outcome::done());
    assert_eq!(world.end_one(Outcome::done()), [2]);
    world.proves(Rule::Updated);
}

/// A mapping that reads nothing during an update. With LATEST it may miss the records of that pause.
#[test]
fn an_update_may_pause_the_reading() {
    use StartingPosition::{Latest, TrimHorizon};
    for (position, misses, expected) in [
        (TrimHorizon, 1, vec![1, 2]),
        (Latest, 0, vec![1, 2]),
        (Latest, 1, vec![1]),
    ] {
        let mut world = World::new(Settings::new(position));
        world.choose_all(move |choice, _| match choice {
            Choice::UpdatePauses => 1,
            Choice::UpdateMisses => misses,
            _ => 0,
        });
        world.put("key", b"{}");
        let out = world.one();
        world.ask(Change::Update(Box::new(Settings::new(position))));
        world.wait(seconds(100));
        world.put("key", b"{}");
        world.wait(seconds(100));
        world.end(&out, Outcome::FunctionError);
        assert_eq!(numbers(&world.one()), [1], "the batch of before is retried");
        world.take(Input::ChangeTakesEffect);
        let delivered: Vec<_> = world.invoked().iter().flat_map(numbers).collect();
        assert_eq!(delivered, expected, "{position:?}, {misses}");
        assert_eq!(told(&world.outputs(), "skipped").len(), 2 - expected.len());
    }
}

#[test]
fn what_is_deleted_is_over() {
    let (mut world, out) = World::delivering();
    change(&mut world, Change::Delete);
    assert_eq!(world.mapping.state(), State::Deleted);
    world.end(&out, Outcome::FunctionError);
    world.put("key", b"{}");
    world.wait(seconds(48 * 3600));
    assert_eq!(world.invoked(), []);
    assert_eq!(world.mapping.wakes_at(), None);
    world.proves(Rule::Deleted);
}

#[test]
fn settings_have_limits() {
    type Set = fn(&mut Settings);
    let wrong: [(&str, Set); 15] = [
        ("BatchSize", |settings| settings.batch_size = 0),
        ("BatchSize", |settings| settings.batch_size = 10_001),
        ("MaximumBatchingWindowInSeconds", |settings| {
            settings.batching_window = seconds(301);
        }),
        ("MaximumBatchingWindowInSeconds", |settings| {
            settings.batching_window = Duration::from_millis(1500);
        }),
        ("ParallelizationFactor", |settings| {
            settings.parallelization_factor = 0;
        }),
        ("ParallelizationFactor", |settings| {
            settings.parallelization_factor = 11;
        }),
        ("MaximumRetryAttempts", |settings| {
            settings.maximum_retry_attempts = Some(10_001);
        }),
        ("MaximumRecordAgeInSeconds", |settings| {
            settings.maximum_record_age = Some(seconds(0));
        }),
        ("MaximumRecordAgeInSeconds", |settings| {
            settings.maximum_record_age = Some(seconds(59));
        }),
        ("MaximumRecordAgeInSeconds", |settings| {
            settings.maximum_record_age = Some(seconds(604_801));
        }),
        ("FilterCriteria", |settings| {
            settings.filters = vec![Filter::parse("{}").unwrap(); 6];
        }),
        ("RetentionPeriodHours", |settings| {
            settings.retention = seconds(3600);
        }),
        ("RetentionPeriodHours", |settings| {
            settings.retention = seconds(8761 * 3600);
        }),
        ("RetentionPeriodHours", |settings| {
            settings.retention = Duration::ZERO;
        }),
        ("BatchSize", |settings| settings.batch_size = usize::MAX),
    ];
    for (name, set) in wrong {
        let mut settings = settings();
        set(&mut settings);
        let refused = Mapping::new(settings, BEGIN).unwrap_err();
        assert!(
            matches!(&refused, InvalidSettings::OutOfRange { setting, .. } if *setting == name),
            "{refused}"
        );
        refused_by(&refused).proves(Rule::SettingsLimits);
    }
    let most = Settings {
        batch_size: 10_000,
        batching_window: seconds(300),
        parallelization_factor: 10,
        maximum_retry_attempts: Some(10_000),
        maximum_record_age: Some(seconds(604_800)),
        filters: vec![Filter::parse("{}").unwrap(); 5],
        retention: seconds(8760 * 3600),
        ..settings()
    };
    assert!(Mapping::new(most, BEGIN).is_ok());
}
