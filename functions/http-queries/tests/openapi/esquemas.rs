//! The schemas of requests and answers. Their form comes from the Rust types, and their Spanish descriptions come from
//! this file.

use std::collections::BTreeSet;

use alpes_messages::{Context, Event, Problem};
use api::MAX_KEY;
use events::{COMMANDS, CONTEXTS, vuelos::CrearReserva};
use http_queries::{Lista, ListaSagas, ReservaDto, ReservasPorDia, SagaDto, Totales};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use vuelos::{
    cancelar_reserva::{MAX_MOTIVO, PLAZO},
    cotizacion::MAX_COTIZACION,
    crear_reserva::{MAX_LEGS, MAX_LIST, MAX_NOMBRE, MAX_OPENING_EVENT, MAX_PASAJEROS, MAX_TOKEN},
};

/// The description of each schema and of each of its fields.
const TEXTOS: &[(&str, &str)] = &[
    ("Aeropuerto", "Un aeropuerto."),
    (
        "Aeropuerto.codigo",
        "Código IATA, de tres letras mayúsculas, de un aeropuerto que esté abierto.",
    ),
    (
        "Aeropuerto.nombre",
        "Nombre, de 200 caracteres como máximo. No se compara con nada.",
    ),
    ("Cancelacion", "Por qué se cancela."),
    (
        "Cancelacion.motivo",
        "Queda en el evento. De 1 a 200 caracteres que digan algo; `plazo` es de los plazos que se vencen.",
    ),
    ("CancelacionAceptada", "La cancelación que se aceptó."),
    (
        "CancelacionAceptada.estado",
        "Cómo quedó su saga: `Compensando`, o `RequiereIntervencion` si espera a una persona.",
    ),
    ("CancelacionAceptada.id_correlacion", "Su saga."),
    ("CancelacionAceptada.id_reserva", "La reserva."),
    ("ComandoCumplido", "Lo que respondió el participante."),
    (
        "ComandoCumplido.eventos",
        "Los eventos del comando, por versión. Si ya se había cumplido, los de entonces.",
    ),
    ("ComandoCumplido.resultado", "Siempre `eventos`."),
    (
        "CrearReserva",
        "Lo que se reserva. Los campos que no están aquí se rechazan. El evento que resulta ocupa 32 KB como máximo.",
    ),
    (
        "Cotizacion",
        "Lo que cuesta un viaje, por un rato y para quien lo pidió.",
    ),
    (
        "Cotizacion.cotizacion",
        "La cotización firmada. Se manda tal cual en `cotizacion` al reservar, las veces que haga falta. No aparta sillas.",
    ),
    ("Cotizacion.moneda", "Código ISO 4217 de la moneda."),
    (
        "Cotizacion.monto",
        "La tarifa de todos los pasajeros, sin impuesto.",
    ),
    ("Cotizacion.monto_vat", "El impuesto."),
    (
        "Cotizacion.vence",
        "Desde cuándo no vale: 15 minutos después de pedirla.",
    ),
    (
        "CrearReserva.cotizacion",
        "La cotización de `POST /vuelos/cotizacion` cuyo precio vale. Sin ella, la reserva cuesta la tarifa del momento.",
    ),
    (
        "CrearReserva.id_cliente",
        "El cliente: de 1 a 64 letras, dígitos, «.», «_» o «-». Sirve de filtro en las consultas.",
    ),
    (
        "CrearReserva.itinerarios",
        "De 1 a 10 itinerarios, con 50 legs en total como máximo.",
    ),
    (
        "CrearReserva.pago",
        "Medio de pago, y el precio que se espera. Sin él, se paga con `tok_visa`.",
    ),
    (
        "CrearReserva.pasajeros",
        "De 1 a 9 pasajeros. Cada uno ocupa una silla en cada leg, y la tarifa que se calcula es por pasajero. Sin ellos, uno sin \
         nombre.",
    ),
    (
        "CrearReserva.saga",
        "Cómo avanza la reserva. Sin él, `orquestacion`.",
    ),
    (
        "Direccion",
        "Para qué es un comando: `hacer` su paso o `deshacer`lo.",
    ),
    (
        "EntradaSaga",
        "Una línea del log de una saga. Los campos dependen de su `tipo`.",
    ),
    (
        "EntradaSaga.actor",
        "De `CancelacionPedida`, `Reanudada` y `PasoMarcado`: quién lo pidió, si se sabe.",
    ),
    ("EntradaSaga.asunto", "De `Inicio`: la reserva."),
    ("EntradaSaga.comando", "El comando que se va a enviar."),
    (
        "EntradaSaga.cuando",
        "Cuándo se anotó. En una coreografía, cuándo lo oyó quien anota: el evento puede ser de antes.",
    ),
    (
        "EntradaSaga.datos",
        "Lo que los comandos siguientes necesitan del evento.",
    ),
    ("EntradaSaga.definicion", "De `Inicio`: la definición."),
    (
        "EntradaSaga.direccion",
        "De `SinRespuesta` y `TiempoAgotado`: para qué era el comando.",
    ),
    (
        "EntradaSaga.en_duda",
        "De `ComandoRechazado`: si un intento anterior quedó sin respuesta y pudo haberse cumplido.",
    ),
    (
        "EntradaSaga.enviado",
        "De `SinRespuesta`: cuándo se envió ese intento.",
    ),
    ("EntradaSaga.estado", "De `Fin`: cómo terminó."),
    ("EntradaSaga.evento", "El evento."),
    (
        "EntradaSaga.fecha_evento",
        "Cuándo ocurrió el evento, según él mismo.",
    ),
    (
        "EntradaSaga.id_comando",
        "El id del comando, el mismo en cada intento.",
    ),
    ("EntradaSaga.id_evento", "El id del evento."),
    (
        "EntradaSaga.intento",
        "De `SinRespuesta`: qué intento quedó sin respuesta, desde 1. De cada comando se anotan los primeros 8.",
    ),
    ("EntradaSaga.intentos", "Cuántas veces se envió el comando."),
    (
        "EntradaSaga.modo",
        "Quién la lleva: el coordinador, los participantes mismos, o una ejecución de Step Functions.",
    ),
    ("EntradaSaga.motivo", "De `CancelacionPedida`: por qué."),
    (
        "EntradaSaga.nombre",
        "De `EjecucionIniciada`: el nombre de la ejecución.",
    ),
    ("EntradaSaga.nota", "Lo que dijo la persona."),
    ("EntradaSaga.paso", "El paso, desde 1."),
    ("EntradaSaga.problema", "Qué pasó."),
    (
        "EntradaSaga.proximo",
        "De `SinRespuesta`: desde cuándo se envía otra vez. Si no está, fue el último intento.",
    ),
    (
        "EntradaSaga.sentido",
        "De `EventoRecibido`: qué significa para la saga. `duda` es un fallo del que no se sabe si algo alcanzó a hacerse; `nota` no cambia nada.",
    ),
    (
        "EntradaSaga.sin_enviar",
        "De `CancelacionPedida`: el paso cuyo comando no se alcanzó a enviar.",
    ),
    ("EntradaSaga.stream", "El flujo del evento."),
    ("EntradaSaga.streamversion", "Su lugar en ese flujo."),
    ("EntradaSaga.tipo", "Qué se anotó."),
    (
        "EntradaSaga.traza",
        "De `Inicio`: la traza que acompaña a los comandos.",
    ),
    (
        "EntradaSaga.version",
        "De `Inicio`: la versión de la definición.",
    ),
    (
        "EntradaSaga.via",
        "De `EventoRecibido`: si llegó como respuesta a un comando o por el flujo de eventos.",
    ),
    ("EstadoReserva", "Estado de una reserva."),
    ("EstadoSaga", "Estado de una saga."),
    (
        "Event",
        "Un evento, tal como quedó registrado: CloudEvents 1.0 en JSON.",
    ),
    (
        "Event.actor",
        "Quién mandó el comando: `cliente:ID` u `operador:NOMBRE`. Falta si fue una parte del sistema, o si no se sabe.",
    ),
    ("Event.causationid", "El comando o el evento que lo causó."),
    ("Event.correlationid", "La saga a la que pertenece."),
    (
        "Event.data",
        "Los datos, en la versión que dice `dataschema`.",
    ),
    ("Event.datacontenttype", "Siempre `application/json`."),
    (
        "Event.dataschema",
        "Contexto, tipo y versión de `data`, por ejemplo `urn:aeroalpes:esquema:vuelos:ReservaCreada:v3`.",
    ),
    ("Event.id", "Identifica el evento."),
    (
        "Event.prueba",
        "Verdadero si viene de una ruta de pruebas. Si no está, es falso.",
    ),
    ("Event.sagamode", "Cómo avanza esa saga."),
    (
        "Event.source",
        "El contexto de donde viene, por ejemplo `/aeroalpes/vuelos`.",
    ),
    (
        "Event.specversion",
        "Versión de CloudEvents, siempre `1.0`.",
    ),
    ("Event.stream", "El flujo al que pertenece."),
    (
        "Event.streamversion",
        "Su lugar en ese flujo, desde 1 y sin huecos.",
    ),
    ("Event.subject", "La reserva."),
    ("Event.time", "Cuándo se registró."),
    (
        "Event.traceparent",
        "Traza de quien hizo la solicitud (W3C Trace Context).",
    ),
    ("Event.type", "Qué pasó, por ejemplo `ReservaCreada`."),
    ("EventId", "UUID de un evento."),
    (
        "EventoV1",
        "Un evento del código de los tutoriales, en el sobre de ese código.",
    ),
    ("EventoV1.data", "Los datos, como ese código los escribió."),
    ("EventoV1.id", "UUID del evento."),
    (
        "EventoV1.specversion",
        "La versión que ese sobre dice tener, siempre `v1`.",
    ),
    (
        "EventoV1.time",
        "Cuándo se registró, en milisegundos desde 1970.",
    ),
    ("EventoV1.type", "Qué pasó, siempre `ReservaCreada`."),
    ("Eventos", "Los eventos de una reserva."),
    (
        "Eventos.eventos",
        "Los eventos de todos sus flujos, por fecha y luego por versión, cada uno tal como quedó registrado.",
    ),
    ("Falla", "Cómo debe fallar un participante."),
    (
        "Falla.clave",
        "La clave de idempotencia con que quien llama hará la reserva: solo los comandos de esa reserva. No va con `id_reserva`.",
    ),
    ("Falla.comando", "El comando: uno de los de ese contexto."),
    ("Falla.contexto", "De quién es el comando."),
    (
        "Falla.id_reserva",
        "Solo los comandos de esta reserva. Sin ella, los de todas.",
    ),
    ("Falla.modo", "Cómo falla."),
    ("Falla.veces", "En cuántos comandos, uno tras otro."),
    (
        "FilaReservasPorDia",
        "Las reservas que se crearon en un día.",
    ),
    ("FilaReservasPorDia.Aprobada", "Cuántas están aprobadas."),
    ("FilaReservasPorDia.Cancelada", "Cuántas están canceladas."),
    (
        "FilaReservasPorDia.Pagada",
        "Cuántas están pagadas y sin aprobar.",
    ),
    ("FilaReservasPorDia.Pendiente", "Cuántas están sin pagar."),
    ("FilaReservasPorDia.dia", "El día, en UTC."),
    ("FilaReservasPorDia.total", "Cuántas son."),
    ("FilaTotales", "Las reservas que se crearon en un día."),
    ("FilaTotales.dia", "El día, en UTC."),
    ("FilaTotales.total", "Cuántas son."),
    (
        "IdCorrelacion",
        "UUID que reúne todo lo que pasa por una reserva; también identifica su saga. Lo asigna el servidor, y es el mismo de la reserva.",
    ),
    ("IdReserva", "UUID de una reserva. Lo asigna el servidor."),
    ("Importe", "Cuánto cuesta una reserva."),
    ("Importe.moneda", "Código ISO 4217 de la moneda."),
    (
        "Importe.monto",
        "La tarifa sin impuesto, de todos los pasajeros.",
    ),
    ("Importe.monto_vat", "El impuesto."),
    ("Inventario", "Cuántas sillas quedan en un vuelo."),
    ("Inventario.destino", "Código IATA de adónde llega."),
    ("Inventario.fecha_salida", "Cuándo sale. RFC 3339 con zona."),
    ("Inventario.origen", "Código IATA de dónde sale."),
    ("Inventario.sillas", "Las que quedan libres."),
    ("InventarioVuelo", "Las sillas de un vuelo."),
    ("InventarioVuelo.capacidad", "Las que tiene el avión."),
    ("InventarioVuelo.destino", "Código IATA de adónde llega."),
    ("InventarioVuelo.fecha_salida", "Cuándo sale."),
    (
        "InventarioVuelo.libres",
        "Las que se pueden tomar. Negativo si se tomaron más de las que ahora hay.",
    ),
    ("InventarioVuelo.origen", "Código IATA de dónde sale."),
    ("InventarioVuelo.reservadas", "Las que tienen las reservas."),
    ("Itinerario", "Un viaje."),
    (
        "Itinerario.odos",
        "De 1 a 10 direcciones del viaje, por ejemplo la ida y la vuelta, en el orden en que se vuelan: cada una sale cuando ya llegó \
         la anterior. No tiene que salir de donde llegó la anterior.",
    ),
    (
        "Leg",
        "Un vuelo, de un despegue al siguiente aterrizaje. En una reserva no se repite ni coincide en el tiempo con otro.",
    ),
    (
        "Leg.destino",
        "Adónde llega: otro aeropuerto que el de origen.",
    ),
    (
        "Leg.fecha_llegada",
        "Cuándo llega: después de la salida, y no tan pronto que el leg vuele a más de 2500 km/h en línea recta. RFC 3339 con zona.",
    ),
    (
        "Leg.fecha_salida",
        "Cuándo sale: no antes de que llegue el leg anterior del itinerario. RFC 3339 con zona, entre los años 1900 y 2200. De la \
         fracción de segundo quedan nueve cifras.",
    ),
    (
        "Leg.origen",
        "De dónde sale: de donde llegó el leg anterior del odo.",
    ),
    (
        "Lista",
        "Una página de reservas, de la más reciente a la más antigua.",
    ),
    ("Lista.reservas", "Las reservas."),
    (
        "Lista.siguiente",
        "Dónde sigue la lista: el valor del parámetro `siguiente` de la próxima consulta. Nulo al final.",
    ),
    (
        "ListaSagas",
        "Una página de sagas, de la más reciente a la más antigua.",
    ),
    ("ListaSagas.sagas", "Las sagas."),
    (
        "ListaSagas.siguiente",
        "Dónde sigue la lista: el valor del parámetro `siguiente` de la próxima consulta. Nulo al final.",
    ),
    ("Moment", "Un instante en UTC, con tres decimales."),
    ("Monto", "Un decimal, como texto."),
    ("Odo", "Una dirección del viaje, de su origen a su destino."),
    (
        "Odo.segmentos",
        "De 1 a 10 segmentos. Cada uno sale de donde llegó el anterior.",
    ),
    (
        "Origen",
        "De dónde viene una respuesta: `vista`, o `comando` si la vista, o el log de sagas, aún no conoce la reserva.",
    ),
    ("Pago", "Cuánto cuesta una reserva y cómo se paga."),
    (
        "PagoPedido",
        "Con qué se paga. El precio es el de la aerolínea: `monto`, `monto_vat` y `moneda` pueden faltar, y si vienen deben ser los \
         del precio.",
    ),
    (
        "PagoPedido.medio",
        "Token del medio de pago, por ejemplo `tok_visa`: de 1 a 64 letras minúsculas, dígitos o «_».",
    ),
    (
        "PagoPedido.moneda",
        "La moneda que se espera, en código ISO 4217.",
    ),
    (
        "PagoPedido.monto",
        "La tarifa sin impuesto que se espera: mayor que cero, con los decimales de la moneda como máximo.",
    ),
    ("PagoPedido.monto_vat", "El impuesto que se espera."),
    (
        "PedidoCotizacion",
        "El viaje y los pasajeros. Los campos que no están aquí se rechazan.",
    ),
    (
        "PedidoCotizacion.itinerarios",
        "De 1 a 10 itinerarios, con 50 legs en total como máximo.",
    ),
    (
        "PedidoCotizacion.pasajeros",
        "De 1 a 9 pasajeros. Sin ellos, uno. Sus nombres no cambian el precio.",
    ),
    (
        "Pago.medio",
        "Token del medio de pago, por ejemplo `tok_visa`: de 1 a 64 letras minúsculas, dígitos o «_».",
    ),
    ("Pago.moneda", "Código ISO 4217 de la moneda."),
    (
        "Pago.monto",
        "La tarifa sin impuesto: mayor que cero, con los decimales de la moneda como máximo.",
    ),
    ("Pago.monto_vat", "El impuesto."),
    ("ModoSaga", "Quién lleva una saga."),
    ("Pasajero", "Un pasajero."),
    (
        "Pasajero.nombre",
        "Nombre, de 1 a 200 caracteres que digan algo. No se compara con nada.",
    ),
    ("PendienteSaga", "El comando cuya respuesta se espera."),
    ("PendienteSaga.comando", "El comando."),
    ("PendienteSaga.direccion", "Para qué es."),
    ("PendienteSaga.intentos", "Cuántas veces se envió."),
    ("PendienteSaga.paso", "Su paso, desde 1."),
    (
        "ProblemaDelGateway",
        "Por qué el gateway no pasó la solicitud al servicio, o no obtuvo su respuesta (RFC 9457).",
    ),
    ("ProblemaDelGateway.detail", "Qué pasó esta vez."),
    ("ProblemaDelGateway.status", "El estado HTTP, si se dice."),
    ("ProblemaDelGateway.title", "Qué pasó, en inglés."),
    ("ProblemaDelGateway.type", "Siempre `about:blank`."),
    ("Problem", "Por qué se rechazó la solicitud (RFC 9457)."),
    ("Problem.detail", "Qué pasó esta vez."),
    ("Problem.errores", "Cada campo con error."),
    ("Problem.status", "El estado HTTP."),
    (
        "Problem.title",
        "El mismo para todos los problemas de esta clase.",
    ),
    (
        "Problem.type",
        "La clase de problema: una URI que no cambia.",
    ),
    ("PruebaComando", "Un comando para su participante."),
    (
        "PruebaComando.data",
        "Los datos del comando. Si no están, ninguno.",
    ),
    (
        "PruebaComando.id_correlacion",
        "La saga, si la reserva no tiene eventos todavía.",
    ),
    (
        "PruebaComando.id_reserva",
        "La reserva. Solo `CrearReserva` puede no decirla.",
    ),
    ("PruebaEvento", "Un evento para su flujo."),
    (
        "PruebaEvento.data",
        "Los datos del evento, según su esquema.",
    ),
    (
        "PruebaEvento.id_correlacion",
        "La saga, si la reserva no tiene eventos todavía.",
    ),
    ("PruebaEvento.id_reserva", "La reserva."),
    ("Reanudacion", "Qué hizo la persona."),
    (
        "Reanudacion.hecho",
        "Verdadero si el paso ya se deshizo a mano: entonces no se intenta más, y `nota` y `paso` son obligatorios.",
    ),
    (
        "Reanudacion.paso",
        "El paso que se deshizo a mano: el que la saga no pudo deshacer.",
    ),
    (
        "Reanudacion.nota",
        "Queda en el log de la saga. De 1 a 500 caracteres que digan algo.",
    ),
    ("ReanudacionAceptada", "La saga que se reanudó."),
    ("ReanudacionAceptada.estado", "Cómo quedó."),
    ("ReanudacionAceptada.id_correlacion", "La saga."),
    ("ReservaAceptada", "La reserva que se aceptó."),
    ("ReservaAceptada.estado", "Siempre `Pendiente`."),
    ("ReservaAceptada.id_correlacion", "Su saga."),
    ("ReservaAceptada.id_reserva", "La reserva."),
    ("ReservaDto", "Una reserva."),
    ("ReservaDto.estado", "Su estado."),
    (
        "ReservaDto.fecha_actualizacion",
        "Cuándo cambió por última vez.",
    ),
    ("ReservaDto.fecha_creacion", "Cuándo se creó."),
    ("ReservaDto.id_cliente", "El cliente, si se dijo."),
    ("ReservaDto.id_correlacion", "Su saga."),
    ("ReservaDto.id_reserva", "La reserva."),
    ("ReservaDto.itinerarios", "El viaje."),
    ("ReservaDto.origen", "De dónde viene esta respuesta."),
    (
        "ReservaDto.pago",
        "Precio y medio de pago; nulo en reservas muy antiguas que no lo decían.",
    ),
    (
        "ReservaDto.pasajeros",
        "Los pasajeros; uno sin nombre si el cliente no dijo ninguno.",
    ),
    ("ReservasPorDia", "La tabla pivote de días contra estados."),
    (
        "ReservasPorDia.filas",
        "Los días en que se crearon reservas, en orden.",
    ),
    (
        "ResumenReserva",
        "Una reserva en una lista, sin sus legs, sus pasajeros ni su medio de pago.",
    ),
    ("ResumenReserva.estado", "Su estado."),
    (
        "ResumenReserva.fecha_actualizacion",
        "Cuándo cambió por última vez.",
    ),
    ("ResumenReserva.fecha_creacion", "Cuándo se creó."),
    ("ResumenReserva.id_cliente", "El cliente, si se dijo."),
    ("ResumenReserva.id_correlacion", "Su saga."),
    ("ResumenReserva.id_reserva", "La reserva."),
    (
        "ResumenReserva.importe",
        "Cuánto cuesta; nulo en reservas muy antiguas que no lo decían.",
    ),
    ("ResumenReserva.numero_pasajeros", "Cuántos son."),
    (
        "ResumenReserva.viaje",
        "De dónde a dónde; nulo en reservas muy antiguas que no lo decían.",
    ),
    (
        "ResumenViaje",
        "Un viaje, de su primer leg al último, en el orden de la reserva.",
    ),
    (
        "ResumenViaje.destino",
        "Código IATA de adónde llega el último leg.",
    ),
    ("ResumenViaje.fecha_llegada", "Cuándo llega el último leg."),
    ("ResumenViaje.fecha_salida", "Cuándo sale el primer leg."),
    ("ResumenViaje.numero_legs", "Cuántos legs son."),
    (
        "ResumenViaje.origen",
        "Código IATA de dónde sale el primer leg.",
    ),
    ("ResumenSaga", "Una saga, sin su log."),
    (
        "ResumenSaga.actualizacion",
        "Cuándo se anotó algo por última vez.",
    ),
    ("ResumenSaga.definicion", "Su definición."),
    ("ResumenSaga.estado", "Cómo va."),
    ("ResumenSaga.id_correlacion", "La saga."),
    ("ResumenSaga.id_reserva", "Su reserva."),
    (
        "ResumenSaga.inicio",
        "Cuándo empezó: cuándo ocurrió el evento que la abre.",
    ),
    (
        "ResumenSaga.modo",
        "Quién la lleva: el coordinador, los participantes mismos, o una ejecución de Step Functions.",
    ),
    (
        "ResumenSaga.motivo",
        "Por qué se deshace. Si no está, no se deshace.",
    ),
    ("ResumenSaga.pendiente", "Lo que espera. Si no está, nada."),
    (
        "ResumenSaga.proximo_intento",
        "Desde cuándo sigue por sí misma: en la primera pasada de los timers, que corren una vez por minuto. Si no está, no sigue sin \
         que pase algo.",
    ),
    (
        "ResumenSaga.retrasada",
        "Verdadero si no la lleva el coordinador y tarda más de lo debido.",
    ),
    (
        "ResumenSaga.origen",
        "De dónde sale esta respuesta: de los eventos, si no ha empezado.",
    ),
    (
        "ResumenSaga.version",
        "La versión de su definición. Si no ha empezado, no está.",
    ),
    ("SagaDto", "Una saga: cómo avanza una reserva."),
    (
        "SagaDto.actualizacion",
        "Cuándo se anotó algo por última vez.",
    ),
    ("SagaDto.definicion", "Su definición."),
    ("SagaDto.estado", "Cómo va."),
    ("SagaDto.id_correlacion", "La saga."),
    ("SagaDto.id_reserva", "Su reserva."),
    (
        "SagaDto.inicio",
        "Cuándo empezó: cuándo ocurrió el evento que la abre.",
    ),
    (
        "SagaDto.log",
        "Todo lo que pasó, en orden. De ahí sale lo demás.",
    ),
    (
        "SagaDto.modo",
        "Quién la lleva: el coordinador, los participantes mismos, o una ejecución de Step Functions.",
    ),
    (
        "SagaDto.motivo",
        "Por qué se deshace. Si no está, no se deshace.",
    ),
    ("SagaDto.pendiente", "Lo que espera. Si no está, nada."),
    (
        "SagaDto.proximo_intento",
        "Desde cuándo sigue por sí misma: en la primera pasada de los timers, que corren una vez por minuto. Si no está, no sigue sin \
         que pase algo.",
    ),
    (
        "SagaDto.retrasada",
        "Verdadero si no la lleva el coordinador y tarda más de lo debido.",
    ),
    (
        "SagaDto.origen",
        "De dónde sale esta respuesta: de los eventos, si no ha empezado.",
    ),
    (
        "SagaDto.version",
        "La versión de su definición. Si no ha empezado, no está.",
    ),
    (
        "SagaMode",
        "Cómo avanza una reserva: `orquestacion`, con un coordinador que envía comandos; `coreografia`, en la que cada contexto reacciona a los eventos de los demás; o `stepfunctions`, una ejecución de AWS Step Functions que envía los mismos comandos, donde la instalación la ofrece.",
    ),
    ("Salud", "El servicio responde."),
    ("Salud.estado", "Siempre `ok`."),
    ("Segmento", "Uno o más vuelos con un mismo cupón."),
    (
        "Segmento.legs",
        "De 1 a 10 legs. Cada uno sale de donde llegó el anterior.",
    ),
    (
        "StreamId",
        "Lo que un contexto sabe de una reserva: `reserva-`, `pago-` o `gds-`, y el UUID de la reserva.",
    ),
    ("Totales", "Las reservas que se crearon en cada día."),
    (
        "Totales.filas",
        "Los días en que se crearon reservas, en orden.",
    ),
    ("Violation", "Un campo con error."),
    (
        "Violation.campo",
        "Dónde, por ejemplo `itinerarios[0].odos[1].segmentos[0].legs[0].origen.codigo`; un parámetro o encabezado por su nombre; `cuerpo` para el cuerpo entero.",
    ),
    ("Violation.detalle", "La regla en palabras."),
    (
        "Violation.regla",
        "La regla que incumple: una palabra que no cambia.",
    ),
];

/// Every schema, by name.
pub(crate) fn esquemas() -> Value {
    let limits = [
        MAX_LIST,
        MAX_LEGS,
        MAX_TOKEN,
        MAX_NOMBRE,
        MAX_PASAJEROS,
        MAX_OPENING_EVENT,
    ];
    let told = [10, 50, 64, 200, 9, 32 * 1024];
    assert_eq!(limits, told, "TEXTOS tells other limits");

    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut received = settings().for_deserialize().into_generator();
    received.subschema_for::<CrearReserva>();
    let mut sent = settings().for_serialize().into_generator();
    sent.subschema_for::<ReservaDto>();
    sent.subschema_for::<Lista>();
    sent.subschema_for::<Totales>();
    sent.subschema_for::<ReservasPorDia>();
    sent.subschema_for::<SagaDto>();
    sent.subschema_for::<ListaSagas>();
    sent.subschema_for::<Event>();
    sent.subschema_for::<Problem>();

    let mut esquemas = Map::new();
    let of_types = received.take_definitions(true).into_iter();
    for (name, schema) in of_types.chain(sent.take_definitions(true)) {
        let (name, mut schema) = in_words_of_the_api(&name, &schema);
        strip(&mut schema);
        if let Some(other) = esquemas.insert(name.clone(), schema.clone()) {
            assert_eq!(
                other, schema,
                "{name} is received in another form than sent"
            );
        }
    }
    esquemas.extend(made_by_hand());

    bound(&mut esquemas);
    let properties = &mut esquemas["CrearReserva"]["properties"];
    properties["itinerarios"]["minItems"] = 1.into();
    properties["itinerarios"]["maxItems"] = MAX_LIST.into();
    properties["pasajeros"]["minItems"] = 1.into();
    properties["pasajeros"]["maxItems"] = MAX_PASAJEROS.into();
    properties["id_cliente"]["pattern"] = "^[A-Za-z0-9._-]{1,64}$".into();
    let asked = json!({
        "type": "object",
        "required": ["itinerarios"],
        "properties": {
            "itinerarios": properties["itinerarios"],
            "pasajeros": properties["pasajeros"],
        },
        "additionalProperties": false,
    });
    esquemas.insert("PedidoCotizacion".to_owned(), asked);

    // The engine accepts event streams of any domain. The API has only the event streams of the three contexts.
    let categories = CONTEXTS.map(|context| context.category).join("|");
    esquemas["StreamId"]["pattern"] = format!("^({categories})-[0-9a-f-]{{36}}$").into();

    describe(&mut esquemas);
    esquemas.into()
}

/// Adds the bounds that the rules of `vuelos` set to the schemas of a request for a reservation.
fn bound(esquemas: &mut Map<String, Value>) {
    for name in [
        "CrearReserva",
        "Itinerario",
        "Odo",
        "Segmento",
        "Leg",
        "Aeropuerto",
        "PagoPedido",
        "Pasajero",
    ] {
        esquemas[name]["additionalProperties"] = false.into();
    }
    let mut bound = |schema: &str, field: &str, bounds: Value| {
        let Value::Object(bounds) = bounds else {
            panic!("{bounds} is no object")
        };
        let field = &mut esquemas[schema]["properties"][field];
        field.as_object_mut().unwrap().extend(bounds);
    };
    for (schema, list) in [
        ("Itinerario", "odos"),
        ("Odo", "segmentos"),
        ("Segmento", "legs"),
    ] {
        bound(schema, list, json!({"minItems": 1, "maxItems": MAX_LIST}));
    }
    let name = json!({"maxLength": MAX_NOMBRE, "pattern": TEXT});
    bound("Aeropuerto", "nombre", name);
    let words = json!({"minLength": 1, "maxLength": MAX_NOMBRE, "pattern": WORDS_OF_TEXT});
    bound("Pasajero", "nombre", words);
    bound("Aeropuerto", "codigo", json!({"pattern": "^[A-Z]{3}$"}));
    let token = format!("^[a-z0-9_]{{1,{MAX_TOKEN}}}$");
    for pago in ["Pago", "PagoPedido"] {
        bound(pago, "moneda", json!({"pattern": "^[A-Z]{3}$"}));
        bound(pago, "medio", json!({"pattern": token}));
    }
    let quote = json!({"minLength": 1, "maxLength": MAX_COTIZACION, "pattern": "^[a-p]+-[a-p]+$"});
    bound("CrearReserva", "cotizacion", quote);
}

/// One line of printable characters: the rule of every text, as a pattern. The characters that Unicode assigns to
/// nothing beyond U+FFFF are missing in it.
const TEXT: &str =
    r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*$";
/// The same, with at least one character that is not blank. The pattern has no lookahead, with which programs that make
/// texts from a pattern take seconds for each text.
const WORDS_OF_TEXT: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*",
    r"[^\s\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]",
    r"[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*$",
);

/// Types of the engine whose schemas have Spanish names in the API.
const WORDS: [(&str, &str); 2] = [
    ("SubjectId", "IdReserva"),
    ("CorrelationId", "IdCorrelacion"),
];

/// Replaces the engine's names by the API's names, in the name of a schema and in its references.
fn in_words_of_the_api(name: &str, schema: &Value) -> (String, Value) {
    let mut named = (name.to_owned(), schema.to_string());
    for (word, ours) in WORDS {
        if name == word {
            ours.clone_into(&mut named.0);
        }
        let reference = |name: &str| format!("\"#/components/schemas/{name}\"");
        named.1 = named.1.replace(&reference(word), &reference(ours));
    }
    (named.0, serde_json::from_str(&named.1).unwrap())
}

/// The schemas of requests and answers that have no Rust type.
fn made_by_hand() -> Map<String, Value> {
    let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let events = || json!({"type": "array", "items": of("Event")});
    let mut schemas = Map::new();
    let mut told = |name: &str, properties: Value| {
        let names: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({"type": "object", "required": names, "properties": properties});
        schemas.insert(name.to_owned(), schema);
    };
    told(
        "ReservaAceptada",
        json!({
            "id_reserva": of("IdReserva"), "id_correlacion": of("IdCorrelacion"), "estado": of("EstadoReserva"),
        }),
    );
    told(
        "Cotizacion",
        json!({
            "monto": of("Monto"), "monto_vat": of("Monto"), "moneda": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "cotizacion": {"type": "string", "maxLength": MAX_COTIZACION}, "vence": of("Moment"),
        }),
    );
    told(
        "CancelacionAceptada",
        json!({
            "id_reserva": of("IdReserva"), "id_correlacion": of("IdCorrelacion"), "estado": of("EstadoSaga"),
        }),
    );
    told(
        "ReanudacionAceptada",
        json!({"id_correlacion": of("IdCorrelacion"), "estado": of("EstadoSaga")}),
    );
    told(
        "EventoV1",
        json!({
            "specversion": {"type": "string", "const": "v1"},
            "id": {"type": "string", "format": "uuid"},
            "type": {"type": "string", "const": "ReservaCreada"},
            "time": {"type": "integer"},
            "data": {"type": "object"},
        }),
    );
    let either = json!({"anyOf": [of("Event"), of("EventoV1")]});
    told(
        "Eventos",
        json!({"eventos": {"type": "array", "items": either}}),
    );
    told(
        "ComandoCumplido",
        json!({"resultado": {"type": "string", "const": "eventos"}, "eventos": events()}),
    );
    let number = json!({"type": "integer"});
    let mut flight = vuelo();
    for name in ["capacidad", "libres", "reservadas"] {
        flight[name] = number.clone();
    }
    told("InventarioVuelo", flight);
    told(
        "ProblemaDelGateway",
        json!({"type": {"type": "string", "const": "about:blank"}, "title": {"type": "string"}}),
    );
    told(
        "Salud",
        json!({"estado": {"type": "string", "const": "ok"}}),
    );
    // Only some of the gateway's refusals say more.
    let more = &mut schemas["ProblemaDelGateway"]["properties"];
    more["detail"] = json!({"type": "string"});
    more["status"] = json!({"type": "integer", "minimum": 400, "maximum": 599});
    schemas.extend(asked_by_hand());
    schemas
}

/// The schemas of request bodies that have no Rust type.
fn asked_by_hand() -> Map<String, Value> {
    let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let or_null = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let asked = |required: &[&str], properties: Value| {
        json!({
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    // The text must have at least one character that is not blank.
    let words = |most: usize| json!({"type": ["string", "null"], "minLength": 1, "maxLength": most, "pattern": WORDS_OF_TEXT});
    let mut motivo = words(MAX_MOTIVO);
    motivo["default"] = "cancelada por el cliente".into();
    motivo["not"] = json!({"const": PLAZO});
    let probe = json!({
        "id_reserva": or_null(of("IdReserva")),
        "id_correlacion": or_null(of("IdCorrelacion")),
        "data": {"type": ["object", "null"]},
    });
    let mut probe_event = probe.clone();
    probe_event["id_reserva"] = of("IdReserva");
    let contexts = CONTEXTS.map(|context| context.name);
    let commands: Vec<_> = COMMANDS.iter().map(|known| known.name).collect();
    let mut reanudacion = asked(
        &[],
        json!({
            "nota": words(500),
            "hecho": {"type": ["boolean", "null"]},
            "paso": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
        }),
    );
    reanudacion["if"] = json!({"required": ["hecho"], "properties": {"hecho": {"const": true}}});
    reanudacion["then"] = json!({
        "required": ["nota", "paso"],
        "properties": {"nota": {"type": "string"}, "paso": {"type": "integer"}},
    });
    let mut falla = asked(
        &["contexto", "comando", "modo", "veces"],
        json!({
            "contexto": {"type": "string", "enum": contexts},
            "comando": {"type": "string", "enum": commands},
            "id_reserva": or_null(of("IdReserva")),
            "clave": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_KEY, "pattern": r"^[\u0020-\u002b\u002d-\u007e]+$"},
            "modo": {"type": "string", "enum": ["silencio", "falla", "error"]},
            "veces": {"type": "integer", "minimum": 0, "maximum": 1_000},
        }),
    );
    // A fault is for a reservation, for a key, or for all.
    falla["not"] = json!({
        "required": ["id_reserva", "clave"],
        "properties": {"id_reserva": {"type": "string"}, "clave": {"type": "string"}},
    });
    falla["oneOf"] = CONTEXTS.map(of_one_context).to_vec().into();
    let mut seats = vuelo();
    seats["sillas"] = json!({"type": "integer", "minimum": 0, "maximum": 1_000});
    Map::from_iter([
        (
            "Cancelacion".to_owned(),
            asked(&[], json!({"motivo": motivo})),
        ),
        ("Reanudacion".to_owned(), reanudacion),
        ("PruebaComando".to_owned(), asked(&[], probe)),
        (
            "PruebaEvento".to_owned(),
            asked(&["id_reserva"], probe_event),
        ),
        ("Falla".to_owned(), falla),
        (
            "Inventario".to_owned(),
            asked(&["origen", "destino", "fecha_salida", "sillas"], seats),
        ),
    ])
}

/// The faults of one context: a command is of its own context.
fn of_one_context(context: Context) -> Value {
    let known = COMMANDS.iter().filter(|known| known.context == context);
    let commands: Vec<_> = known.map(|known| known.name).collect();
    json!({
        "required": ["contexto", "comando"],
        "properties": {"contexto": {"const": context.name}, "comando": {"enum": commands}},
    })
}

/// The fields that identify a flight.
fn vuelo() -> Value {
    let code = json!({"type": "string", "pattern": "^[A-Z]{3}$"});
    json!({
        "origen": code,
        "destino": code,
        "fecha_salida": {"type": "string", "format": "date-time"},
    })
}

/// Removes the English descriptions of the Rust types, which are for developers, and writes a choice of constants as an
/// enum.
fn strip(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let described = object.get("description").is_some_and(Value::is_string);
            if described {
                object.remove("description");
            }
            if let Some(choices) = object.get("oneOf").and_then(Value::as_array)
                && let Some(words) = choices
                    .iter()
                    .map(|choice| choice.get("const").cloned())
                    .collect::<Option<Vec<_>>>()
            {
                object.remove("oneOf");
                object.insert("type".into(), "string".into());
                object.insert("enum".into(), words.into());
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Inserts the texts of [`TEXTOS`]. Each schema and field must have a text, and each text must have a schema or field.
fn describe(esquemas: &mut Map<String, Value>) {
    let mut unused: BTreeSet<_> = TEXTOS.iter().map(|(place, _)| *place).collect();
    let mut describe = |place: &str, schema: &mut Value| {
        let found = TEXTOS.iter().find(|(known, _)| *known == place);
        let (place, text) =
            found.unwrap_or_else(|| panic!("TEXTOS in esquemas.rs has no text for {place}"));
        unused.remove(place);
        match schema {
            Value::Object(object) => object.insert("description".into(), (*text).into()),
            // A schema that is not an object is `true`, which accepts any value.
            other => std::mem::replace(other, json!({"description": text})).into(),
        };
    };
    for (name, schema) in esquemas.iter_mut() {
        describe(name, schema);
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (field, schema) in properties.into_iter().flatten() {
            describe(&format!("{name}.{field}"), schema);
        }
    }
    assert!(unused.is_empty(), "there is no {unused:?}");
}
