//! One connection to one server: asks, waits for so long, and is over after an error that ends lines.
//!
//! Must not know what is asked, nor how the server was found.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, TlsCertificates, Value,
};
use tokio::time::timeout;

use super::script::Lua;
use super::trouble::{Moment, trouble};
use crate::broker::log::Trouble;
use crate::config::{RedisConfig, RedisHost};

/// For a new connection, with all that is said first.
pub(super) const DIALLED_WITHIN: Duration = Duration::from_secs(1);
/// For an answer. A hook that waits for it is answered within 2 s.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_millis(1_500);
/// Questions that may be on their way to the server at once, before others wait for theirs.
const PIPELINE: usize = 1_024;

/// A connection.
pub(super) struct Connection {
    server: String,
    inner: MultiplexedConnection,
    is_over: AtomicBool,
}

impl Connection {
    /// To `host`; without user and password where `is_known` is false.
    pub(super) async fn open(config: &RedisConfig, host: &RedisHost, is_known: bool) -> Result<Self, Trouble> {
        let server = format!("{}:{}", host.name, host.port);
        let client = client(config, host, is_known, &server)?;
        let how = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DIALLED_WITHIN))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE);
        let inner = client
            .get_multiplexed_async_connection_with_config(&how)
            .await
            .map_err(|error| trouble(&server, &error, Moment::Dialling))?;
        Ok(Self { server, inner, is_over: AtomicBool::new(false) })
    }

    /// A line to `host` for what is published there by pub/sub, with nothing asked for yet.
    pub(super) async fn listener(config: &RedisConfig, host: &RedisHost) -> Result<PubSub, Trouble> {
        let server = format!("{}:{}", host.name, host.port);
        let client = client(config, host, true, &server)?;
        let late = |_| Trouble::Away(format!("{server}: no line within {DIALLED_WITHIN:?}"));
        let listener = timeout(DIALLED_WITHIN, client.get_async_pubsub()).await.map_err(late)?;
        listener.map_err(|error| trouble(&server, &error, Moment::Dialling))
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The answer to a command.
    pub(super) async fn ask(&self, command: &Cmd, within: Duration) -> Result<Value, Trouble> {
        self.exchange(command, within).await?.map_err(|error| self.told(trouble(&self.server, &error, Moment::Asked)))
    }

    /// As [`Self::ask`], of a command that a server may keep to itself: `None` then.
    pub(super) async fn ask_if_allowed(&self, command: &Cmd, within: Duration) -> Result<Option<Value>, Trouble> {
        match self.exchange(command, within).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(error)
                if [ServerErrorKind::NoPerm, ServerErrorKind::ResponseError]
                    .map(Into::into)
                    .contains(&error.kind()) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.told(trouble(&self.server, &error, Moment::Asked))),
        }
    }

    /// The answer of a script. `keys` and `arguments` are its `KEYS` and `ARGV`.
    pub(super) async fn run(&self, lua: &Lua, keys: &[&str], arguments: &[&[u8]]) -> Result<Value, Trouble> {
        let command = |by: &str, script: &str| {
            let mut command = redis::cmd(by);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        match self.exchange(&command("EVALSHA", &lua.hash), ANSWERED_WITHIN).await? {
            Ok(answer) => Ok(answer),
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                self.ask(&command("EVAL", lua.text), ANSWERED_WITHIN).await
            }
            Err(error) => Err(self.told(trouble(&self.server, &error, Moment::Asked))),
        }
    }

    /// What came back, be it the server's refusal.
    async fn exchange(&self, command: &Cmd, within: Duration) -> Result<RedisResult<Value>, Trouble> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err(Trouble::Away(format!("{}: the line has ended", self.server)));
        }
        let mut inner = self.inner.clone();
        let silence = |_| self.told(Trouble::Unanswered(format!("{}: no answer within {within:?}", self.server)));
        timeout(within, command.query_async(&mut inner)).await.map_err(silence)
    }

    fn told(&self, trouble: Trouble) -> Trouble {
        if trouble.ends_the_line() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        trouble
    }
}

/// Who comes to `host`, and how; nothing is dialled yet.
fn client(config: &RedisConfig, host: &RedisHost, is_known: bool, server: &str) -> Result<Client, Trouble> {
    let refused = |error: RedisError| trouble(server, &error, Moment::Dialling);
    let (name, port) = (host.name.clone(), host.port);
    let address = if config.has_tls {
        ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(name, port)
    };
    let mut who = RedisConnectionInfo::default().set_skip_set_lib_name();
    if is_known && let Some(password) = &config.password {
        who = who.set_password(password.expose());
        if let Some(user) = &config.user {
            who = who.set_username(user);
        }
    }
    let info = address.into_connection_info().map_err(refused)?.set_redis_settings(who);
    let Some(authority) = &config.authority else { return Client::open(info).map_err(refused) };
    let certificate = fs::read(authority).map_err(|error| {
        Trouble::Refused(format!("{server}: the file of REDIS_CA cannot be read ({})", error.kind()))
    })?;
    Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(certificate) }).map_err(refused)
}
