//! What a client says on `/ws` is understood or has a reason; a channel is what its name says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pulso::model::ChannelName;
use pulso::session::words::{ClientMessage, error};

fuzz_target!(|text: &str| {
    match ClientMessage::decode(text) {
        Ok(ClientMessage::Subscribe(channel) | ClientMessage::Unsubscribe(channel)) => {
            let name = match &channel {
                ChannelName::Estadisticas(negocio) => format!("estadisticas:{negocio}"),
                ChannelName::Canal { negocio, name } => format!("canal:{negocio}:{name}"),
                ChannelName::Consulta { query, key: None } => format!("consulta:{query}"),
                ChannelName::Consulta { query, key: Some(key) } => format!("consulta:{query}:{key}"),
            };
            assert_eq!(ChannelName::parse(&name), Some(channel));
        }
        Ok(ClientMessage::Ping | ClientMessage::Auth(_)) => {}
        Err(why) => assert!(error(&why).bytes().len() < 126),
    }
    if let Some(ChannelName::Canal { negocio, name }) = ChannelName::parse(text) {
        assert_eq!(format!("canal:{negocio}:{name}"), text);
    }
});
