//! Producers that write to the same Redis for servers of their own, and how they write.
//!
//! Must not know what is done with it.

/// A producer that is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bridge {
    /// `BRIDGE_DJANGO`.
    Django(DjangoBridge),
    /// `BRIDGE_SOCKETIO`: what the emitter's channels begin with.
    SocketIo(String),
}

/// Django's `channels_redis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DjangoBridge {
    pub layer: DjangoLayer,
    /// `BRIDGE_DJANGO_PREFIX`.
    pub prefix: String,
    pub serializer: DjangoSerializer,
}

/// Which of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DjangoLayer {
    Core,
    PubSub,
}

/// `BRIDGE_DJANGO_SERIALIZER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DjangoSerializer {
    Msgpack,
    Json,
}

impl Bridge {
    /// For the log, the metrics and the duty.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Django(_) => "django",
            Self::SocketIo(_) => "socketio",
        }
    }
}
