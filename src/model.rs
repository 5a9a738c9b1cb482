//! The domain's own types: ids in their one form, channels, figures, changes, devices, why a connection ends.
//!
//! Values only. Must not know where they come from, where they are kept, nor how they are sent.

mod call;
mod changes;
mod channel;
mod channel_name;
mod close;
mod code;
mod connection;
mod consulta;
mod device;
mod error_word;
mod figures;
mod id;
mod key_id;
mod ownership;
mod topic;
mod version;
mod wording;

pub use call::{Answered, Once};
pub use changes::{Change, Confirmation, Entity, Pending};
pub use channel::{Canal, Channel, Kiosk};
pub use channel_name::{ChannelName, MAX_NAME_CHARS, is_name, may_be_id, parse_canal};
pub use close::CloseReason;
pub use code::Code;
pub use connection::ConnectionId;
pub use consulta::{Consulta, QueryName};
pub use device::{Device, DeviceName};
pub use error_word::ErrorWord;
pub use figures::Figures;
pub use id::{DeviceId, IdType, MAX_ID_BYTES, NegocioId, RestauranteId, Tenant, UserId};
pub use key_id::KeyId;
pub use ownership::Ownership;
pub use topic::{Defined, Topic};
pub use version::Version;
pub use wording::Wording;
