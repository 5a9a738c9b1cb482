//! What happens next in the business, and what keeps its book believable for days: bounded, mostly attended, never
//! standing still.
//!
//! Must not know HTTP, nor when the next step is due.

use jiff::civil::Date;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use sqlx::SqliteConnection;

use super::appointments::{self, Estado, Page, Slot};
use super::business::Cast;

/// Appointments of one day, cancelled ones included: less than the slots, so there is always a free one.
const MAX_TODAY: i64 = 45;
/// Booked ahead, over all coming days.
const MAX_COMING: i64 = 30;
/// Beyond this the oldest are archived.
const MAX_TOTAL: i64 = 500;
const ARCHIVED_AT_ONCE: i64 = 5;
const BOOKED_AHEAD_DAYS: i32 = 7;

/// Something that happened. Each kind moves at least one of the four figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    BookedToday,
    BookedAhead,
    Attended,
    Cancelled,
    Postponed,
    BroughtForward,
    Removed,
    Archived,
}

impl Step {
    /// For the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BookedToday => "booked for today",
            Self::BookedAhead => "booked ahead",
            Self::Attended => "attended",
            Self::Cancelled => "cancelled",
            Self::Postponed => "postponed",
            Self::BroughtForward => "brought forward",
            Self::Removed => "removed",
            Self::Archived => "archived",
        }
    }

    /// The hook's word for it.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::BookedToday | Self::BookedAhead => "created",
            Self::Attended | Self::Cancelled => "status_changed",
            Self::Postponed | Self::BroughtForward => "updated",
            Self::Removed | Self::Archived => "deleted",
        }
    }
}

/// Chooses the next step by what the book says, and writes it.
pub(crate) async fn take(
    db: &mut SqliteConnection,
    rng: &mut StdRng,
    cast: &Cast,
    today: Date,
) -> Result<Step, sqlx::Error> {
    let step = choose(rng, appointments::page(db, today).await?);
    let later = appointments::day_after(today, rng.random_range(1..=BOOKED_AHEAD_DAYS));
    match step {
        Step::BookedToday => book(db, rng, cast, today).await?,
        Step::BookedAhead => book(db, rng, cast, later).await?,
        Step::Attended => appointments::attend_first(db, today).await?,
        Step::Cancelled => appointments::cancel_any(db, today).await?,
        Step::Postponed => {
            let id = appointments::any_pending(db, today, false).await?;
            reschedule(db, rng, cast, id, later).await?;
        }
        Step::BroughtForward => {
            let id = appointments::any_pending(db, today, true).await?;
            reschedule(db, rng, cast, id, today).await?;
        }
        Step::Removed => appointments::remove_closed(db, today).await?,
        Step::Archived => appointments::archive_oldest(db, today, ARCHIVED_AT_ONCE).await?,
    }
    Ok(step)
}

/// The fuller the day, the fewer bookings and the more corrections; only what can be done has a weight.
fn choose(rng: &mut StdRng, page: Page) -> Step {
    let room = (MAX_TODAY - page.today).max(0);
    let closed = page.today - page.pending_today;
    let past = page.total - page.today - page.coming;
    if page.total > MAX_TOTAL && past > 0 {
        return Step::Archived;
    }
    let weights = [
        (Step::BookedToday, room.min(20)),
        (Step::BookedAhead, if page.coming < MAX_COMING { 2 } else { 0 }),
        (Step::Attended, if page.pending_today + page.overdue > 0 { 10 + 10 * page.overdue } else { 0 }),
        (Step::Cancelled, if page.pending_today > 3 { 2 } else { 0 }),
        (Step::Postponed, i64::from(page.pending_today > 3 && page.coming < MAX_COMING)),
        (Step::BroughtForward, i64::from(page.pending_coming > 5 && room > 0)),
        (Step::Removed, if closed > 0 { (12 - room).max(0) } else { 0 }),
    ];
    // No weight at all is a day full of appointments that wait, and those can be attended.
    weights.choose_weighted(rng, |(_, weight)| *weight).map_or(Step::Attended, |(step, _)| *step)
}

async fn book(db: &mut SqliteConnection, rng: &mut StdRng, cast: &Cast, fecha: Date) -> Result<(), sqlx::Error> {
    let slot = free_slot(db, rng, cast, fecha).await?;
    appointments::insert(db, &cast.cita(rng, fecha, slot), Estado::Pendiente).await
}

async fn reschedule(
    db: &mut SqliteConnection,
    rng: &mut StdRng,
    cast: &Cast,
    id: Option<String>,
    fecha: Date,
) -> Result<(), sqlx::Error> {
    let Some(id) = id else { return Ok(()) };
    let slot = free_slot(db, rng, cast, fecha).await?;
    appointments::move_to(db, &id, fecha, slot, cast.estacion(slot)).await
}

/// A slot nobody has on that day.
async fn free_slot(db: &mut SqliteConnection, rng: &mut StdRng, cast: &Cast, fecha: Date) -> Result<Slot, sqlx::Error> {
    let taken = appointments::taken(db, fecha).await?;
    let is_free =
        |slot: &Slot| !taken.contains(&(cast.estacion(*slot).to_owned(), appointments::begins(slot.half_hour)));
    let free: Vec<Slot> = Slot::all().into_iter().filter(is_free).collect();
    Ok(free.choose(rng).copied().unwrap_or(Slot { half_hour: 0, station: 0 }))
}
