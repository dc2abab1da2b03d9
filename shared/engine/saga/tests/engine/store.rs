//! The table of sagas.

use std::sync::Arc;

use alpes_saga::{
    Definitions, Entry, Input, LoadError, Request, Requested, SagaId, Sagas, SaveError, Status,
    What, start, transition,
};
use futures::executor::block_on;
use simulation::{Fault, Faults};
use twins::{MemoryTables, world};
use uuid::Uuid;

use crate::common::{ID, definition, fact};

fn sagas_over(tables: Arc<MemoryTables>, faults: &Faults) -> Sagas {
    let (world, _) = world(1);
    let definitions = Definitions::new(vec![definition()]);
    Sagas::new(Arc::new(faults.tables(tables)), definitions, world)
}

fn sagas() -> Sagas {
    sagas_over(Arc::default(), &Faults::none())
}

fn begun(sagas: &Sagas, id: SagaId) -> alpes_saga::Saga {
    start(&definition(), id, &fact("Done1", 1), sagas.now()).unwrap()
}

#[test]
fn what_is_written_is_read_back_whole() {
    let sagas = sagas();
    let mut saga = begun(&sagas, ID);
    let stored = block_on(sagas.save(None, saga.clone())).unwrap();
    saga = transition(&definition(), &saga, &Input::Time, sagas.now()).0;
    let stored = block_on(sagas.save(Some(&stored), saga.clone())).unwrap();
    let read = block_on(sagas.load(ID)).unwrap().unwrap();
    assert_eq!(
        read.saga, saga,
        "with how often its command was sent, and when it is due"
    );
    assert_eq!(read, stored);
    assert_eq!(block_on(sagas.load(SagaId(Uuid::nil()))).unwrap(), None);
}

#[test]
fn whoever_read_before_another_wrote_is_overtaken() {
    let sagas = sagas();
    let saga = begun(&sagas, ID);
    let stored = block_on(sagas.save(None, saga.clone())).unwrap();
    assert_eq!(
        block_on(sagas.save(None, saga.clone())),
        Err(SaveError::Overtaken)
    );
    block_on(sagas.save(Some(&stored), saga.clone())).unwrap();
    assert_eq!(
        block_on(sagas.save(Some(&stored), saga)),
        Err(SaveError::Overtaken)
    );
}

#[test]
fn a_write_whose_answer_was_lost_or_that_was_made_twice_is_known_for_ones_own() {
    for fault in [Fault::FailAfter, Fault::Twice] {
        let sagas = sagas_over(Arc::default(), &Faults::once(0, fault));
        let saga = begun(&sagas, ID);
        let saved = block_on(sagas.save(None, saga));
        assert!(saved.is_ok(), "{fault:?}: {saved:?}");
    }
    let sagas = sagas_over(Arc::default(), &Faults::once(0, Fault::FailBefore));
    let saga = begun(&sagas, ID);
    assert_eq!(block_on(sagas.save(None, saga)), Err(SaveError::Overtaken));
}

#[test]
fn what_is_due_is_found_and_what_waits_for_a_person_is_not() {
    let sagas = sagas();
    let saga = begun(&sagas, ID);
    let stored = block_on(sagas.save(None, saga)).unwrap();
    let due = block_on(sagas.due(10)).unwrap();
    assert_eq!((due.sagas, due.oldest), (vec![ID], Some(sagas.now())));
    let cancel = Request::Cancel("x".into());
    let Requested::Taken(saga) = block_on(sagas.request(ID, None, &cancel, None)).unwrap() else {
        panic!("it runs")
    };
    assert_ne!(saga, stored.saga);
    let stored = block_on(sagas.load(ID)).unwrap().unwrap();
    let command = saga.outstanding.as_ref().unwrap().command;
    let answer = alpes_saga::Answer::Rejected("never".into());
    let input = Input::Reply { command, answer };
    let (stuck, _) = transition(&definition(), &saga, &input, sagas.now());
    block_on(sagas.save(Some(&stored), stuck)).unwrap();
    assert_eq!(block_on(sagas.due(10)).unwrap().sagas, vec![]);
    let stuck = block_on(sagas.count(Status::NeedsIntervention, 10)).unwrap();
    assert_eq!(stuck, 1);
}

#[test]
fn sagas_are_listed_by_state_newest_first_and_page_by_page() {
    let tables: Arc<MemoryTables> = Arc::default();
    let (world, clock) = world(1);
    let definitions = Definitions::new(vec![definition()]);
    let sagas = Sagas::new(tables, definitions, world);
    let ids: Vec<_> = (1..=5)
        .map(|number| SagaId(Uuid::from_u128(number)))
        .collect();
    for id in &ids {
        clock.advance(std::time::Duration::from_secs(1));
        block_on(sagas.save(None, begun(&sagas, *id))).unwrap();
    }
    let (mut listed, mut after) = (vec![], None);
    loop {
        let page = block_on(sagas.list(Status::Running, after.as_deref(), 2)).unwrap();
        listed.extend(page.sagas.iter().map(|saga| saga.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let newest_first: Vec<_> = ids.into_iter().rev().collect();
    assert_eq!(listed, newest_first);
    let page = block_on(sagas.list(Status::Completed, None, 10)).unwrap();
    assert_eq!(page.sagas, vec![]);
}

#[test]
fn a_request_may_come_before_everything_else_and_says_whether_it_changes_anything() {
    let sagas = sagas();
    let cancel = Request::Cancel("x".into());
    let unknown = block_on(sagas.request(ID, None, &cancel, None)).unwrap();
    assert_eq!(unknown, Requested::Unknown);
    let opening = fact("Done1", 1);
    let taken = block_on(sagas.request(ID, Some(&opening), &cancel, None)).unwrap();
    assert!(matches!(taken, Requested::Taken(saga) if saga.status == Status::Compensating));
    let again = block_on(sagas.request(ID, Some(&opening), &cancel, None)).unwrap();
    assert!(matches!(again, Requested::Taken(_)));
    let resume = Request::Resume(None);
    let refused = block_on(sagas.request(ID, None, &resume, None)).unwrap();
    assert!(matches!(refused, Requested::NotNow(_)));
}

/// The saga after the answer to its outstanding command.
async fn answered(sagas: Sagas, answer: alpes_saga::Answer) {
    let stored = sagas.load(ID).await.unwrap().unwrap();
    let command = stored.saga.outstanding.as_ref().unwrap().command;
    let input = Input::Reply { command, answer };
    let (saga, _) = transition(&definition(), &stored.saga, &input, sagas.now());
    sagas.save(Some(&stored), saga).await.unwrap();
}

/// Makes a request that is written and whose answer is lost. Before the request looks again, another process gets
/// `answer` for the saga.
fn requested_meanwhile(
    tables: &Arc<MemoryTables>,
    request: &Request,
    answer: alpes_saga::Answer,
) -> Requested {
    let other = sagas_over(tables.clone(), &Faults::none());
    let meanwhile = Faults::meanwhile(2, Box::pin(answered(other, answer)));
    let (world, _) = world(1);
    let tables =
        Faults::once(1, Fault::FailAfter).tables(Arc::new(meanwhile.tables(tables.clone())));
    let sagas = Sagas::new(
        Arc::new(tables),
        Definitions::new(vec![definition()]),
        world,
    );
    block_on(sagas.request(ID, None, request, None)).unwrap()
}

#[test]
fn a_request_whose_answer_was_lost_is_taken_once_whatever_others_wrote_since() {
    let tables: Arc<MemoryTables> = Arc::default();
    let sagas = sagas_over(tables.clone(), &Faults::none());
    block_on(sagas.save(None, begun(&sagas, ID))).unwrap();
    let refused = || alpes_saga::Answer::Rejected("never".into());
    let undone = alpes_saga::Answer::Events(vec![fact("Undone1", 2)]);

    let cancelled = requested_meanwhile(&tables, &Request::Cancel("x".into()), refused());
    let Requested::Taken(saga) = cancelled else {
        panic!("{cancelled:?}")
    };
    assert_eq!(
        saga.status,
        Status::NeedsIntervention,
        "as the other left it"
    );

    let resume = Request::Resume(Some("again".into()));
    let resumed = requested_meanwhile(&tables, &resume, refused());
    assert!(matches!(resumed, Requested::Taken(_)), "{resumed:?}");
    let resumed = requested_meanwhile(&tables, &resume, undone);
    let Requested::Taken(saga) = resumed else {
        panic!("{resumed:?}")
    };
    assert_eq!(saga.status, Status::Compensated);
    let resumptions = |entry: &&Entry| matches!(entry.what, What::Resumed { .. });
    assert_eq!(saga.log.iter().filter(resumptions).count(), 2, "one each");
}

#[test]
fn a_saga_of_another_build_is_told_apart_from_a_broken_one() {
    let tables: Arc<MemoryTables> = Arc::default();
    let sagas = sagas_over(tables.clone(), &Faults::none());
    block_on(sagas.save(None, begun(&sagas, ID))).unwrap();
    let (world, _) = world(1);
    let older = Sagas::new(tables, Definitions::default(), world);
    let listed = block_on(older.list(Status::Running, None, 10)).unwrap();
    assert_eq!(listed.sagas, vec![], "and kept out of lists");
    let unknown = block_on(older.load(ID));
    assert_eq!(
        unknown,
        Err(LoadError::UnknownDefinition(ID, "test".into(), 1))
    );
}
