//! What a publication says, kept as the frame in which most clients are sent it: its text has no copy beside that.
//!
//! Must not know what it means.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::frame;

/// JSON, as a WebSocket frame with its text. A clone shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// How long the text is, without a look at it.
    pub fn len(&self) -> usize {
        self.0.len() - frame::head(&self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn frame(&self) -> &Bytes {
        &self.0
    }
}

impl Deref for Payload {
    type Target = str;

    fn deref(&self) -> &str {
        frame::payload(&self.0)
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(frame::text(text))
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Arc<str>> for Payload {
    fn from(text: Arc<str>) -> Self {
        (&*text).into()
    }
}

impl PartialEq<str> for Payload {
    fn eq(&self, text: &str) -> bool {
        **self == *text
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, to)
    }
}
