//! A clinic's kiosk.

/// A device (a clinic's kiosk) as the database spells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    pub id: String,
    /// What it calls itself when it connects.
    pub uid: String,
    pub is_active: bool,
}

/// How a call names a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    Uid(String),
    Id(String),
}
