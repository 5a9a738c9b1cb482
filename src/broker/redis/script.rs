//! The scripts that run in Redis, each one atomic step, and how they are run: by their hash, and with their text where the server does
//! not know it.

use std::sync::LazyLock;

use redis::Script;

/// One script.
#[derive(Debug)]
pub(super) struct Lua {
    pub text: &'static str,
    pub hash: String,
}

macro_rules! lua {
    ($($name:ident: $file:literal,)*) => {
        $(pub(super) static $name: LazyLock<Lua> =
            LazyLock::new(|| Lua::new(concat!(include_str!("prelude.lua"), include_str!($file))));)*
    };
}

lua! {
    APPEND: "append.lua",
    IDENTITY: "identity.lua",
    LACKS: "lacks.lua",
    WATCH: "watch.lua",
    TELL_LISTENERS: "tell_listeners.lua",
    LISTENERS: "listeners.lua",
    HOLD: "hold.lua",
    RAISE: "raise.lua",
}

impl Lua {
    fn new(text: &'static str) -> Self {
        Self { text, hash: Script::new(text).get_hash().to_owned() }
    }
}
