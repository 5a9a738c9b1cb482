//! The figures of a business's appointments.

/// The four figures of a business. All are counts of rows, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Figures {
    pub citas_hoy: i64,
    pub total_citas: i64,
    pub citas_completadas: i64,
    pub citas_canceladas: i64,
}
