//! A view that is updated without any protection, to compare its number of calls.

use alpes_messages::Event;
use alpes_ports::{Key, LogRecord, Path, Tables, Update};
use events::Payload;

/// Adds each event to its day with one call. The function has no protection against duplicates or faults.
pub async fn plainly(tables: &dyn Tables, records: &[LogRecord]) {
    for record in records {
        let (event, payload) = Event::decode(&record.data, &events::catalogue()).unwrap();
        let Payload::ReservaCreada(made) = payload else {
            let key = Key::new(alpes_projections::TABLE, "plain", event.subject.to_string());
            let update = Update::of(key).set(Path::of(event.kind), 1);
            tables.write(&update.into()).await.unwrap();
            continue;
        };
        let day = made.fecha_creacion.to_string()[..10].to_owned();
        let update = Update::of(Key::new(alpes_projections::TABLE, "plain", day));
        let update = update.add(Path::of("Pendiente"), 1).into();
        tables.write(&update).await.unwrap();
    }
}
