//! The shop's calendar: which business day an instant belongs to.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use dcb::EventRef;

/// A day of trade, written `2010-12-01`. It may end hours after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
#[ts(type = "string")]
pub struct BusinessDay(NaiveDate);

impl BusinessDay {
    /// The day so many days later; `None` past the end of the calendar.
    pub fn checked_add_days(self, days: u64) -> Option<Self> {
        self.0.checked_add_days(Days::new(days)).map(Self)
    }

    /// The business day of this date.
    pub const fn new(date: NaiveDate) -> Self {
        Self(date)
    }

    /// The date it is written with.
    pub const fn date(self) -> NaiveDate {
        self.0
    }
}

impl fmt::Display for BusinessDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BusinessDay {
    type Err = chrono::ParseError;

    /// Reads `2010-12-01`.
    fn from_str(text: &str) -> Result<Self, chrono::ParseError> {
        text.parse().map(Self)
    }
}

/// A time zone by its IANA name, such as `Europe/London`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct Zone(Tz);

/// Why a text is not a [`Zone`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone; write its IANA name, such as Europe/London")]
pub struct InvalidZone(String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// Reads an IANA name.
    pub fn new(name: &str) -> Result<Self, InvalidZone> {
        name.parse().map(Self).map_err(|_| InvalidZone(name.to_owned()))
    }

    /// The hour on the wall clock, written `2010-12-01T08`.
    pub fn hour(self, at: DateTime<Utc>) -> String {
        self.wall_clock(at).format("%Y-%m-%dT%H").to_string()
    }

    /// The minute on the wall clock, as people write it: `2010-12-01 08:26`.
    pub fn minute(self, at: DateTime<Utc>) -> String {
        self.wall_clock(at).format("%Y-%m-%d %H:%M").to_string()
    }

    /// What the clock on the wall shows. At the very ends of time, where the zone's offset leads
    /// beyond them, it shows UTC.
    fn wall_clock(self, at: DateTime<Utc>) -> NaiveDateTime {
        let utc = at.naive_utc();
        let offset = self.0.offset_from_utc_datetime(&utc).fix();
        utc.checked_add_offset(offset).unwrap_or(utc)
    }
}

impl TryFrom<String> for Zone {
    type Error = InvalidZone;

    fn try_from(name: String) -> Result<Self, InvalidZone> {
        Self::new(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.name().to_owned()
    }
}

/// The time of day at which a business day begins, written `04:00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct CutOver(NaiveTime);

/// Why a text is not a [`CutOver`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time of day; write hours and minutes, such as 04:00")]
pub struct InvalidCutOver(String);

impl CutOver {
    /// Business days are calendar days.
    pub const MIDNIGHT: Self = Self(NaiveTime::MIN);

    /// Reads hours and minutes.
    pub fn new(text: &str) -> Result<Self, InvalidCutOver> {
        let time = NaiveTime::parse_from_str(text, "%H:%M");
        time.map(Self).map_err(|_| InvalidCutOver(text.to_owned()))
    }

    /// The business day of an instant: it begins when the clock on the wall first shows the
    /// cut-over, and ends when the next one begins. It never goes back, even where clocks do.
    pub fn business_day(self, at: DateTime<Utc>, zone: Zone) -> BusinessDay {
        let local = zone.wall_clock(at);
        let begins = local.date().and_time(self.0);
        let has_begun = match zone.0.from_local_datetime(&begins).earliest() {
            Some(begins) => at >= begins,
            None => local >= begins, // clocks jump over the cut-over on this day
        };
        match (has_begun, local.date().checked_sub_days(Days::new(1))) {
            (false, Some(day_before)) => BusinessDay(day_before),
            _ => BusinessDay(local.date()),
        }
    }
}

impl TryFrom<String> for CutOver {
    type Error = InvalidCutOver;

    fn try_from(text: String) -> Result<Self, InvalidCutOver> {
        Self::new(&text)
    }
}

impl From<CutOver> for String {
    fn from(cut_over: CutOver) -> Self {
        cut_over.0.format("%H:%M").to_string()
    }
}

/// When an act happened: part of the data of each of its events. When it was recorded is another
/// matter, and stands in the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// The instant, in UTC.
    pub at: DateTime<Utc>,
    /// The business day it counts for.
    pub business_day: BusinessDay,
}

impl When {
    /// When the act of this event happened; `None` if the event doesn't say.
    pub fn of(event: &EventRef<'_>) -> Option<Self> {
        event.data_as().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(at: &str, zone: &str, cut_over: &str) -> String {
        let zone = Zone::new(zone).unwrap();
        CutOver::new(cut_over).unwrap().business_day(at.parse().unwrap(), zone).to_string()
    }

    #[test]
    fn a_sale_after_midnight_counts_for_the_day_before_until_the_cut_over() {
        assert_eq!(day("2026-07-04T02:59:59Z", "Europe/London", "04:00"), "2026-07-03");
        assert_eq!(day("2026-07-04T03:00:00Z", "Europe/London", "04:00"), "2026-07-04");
        assert_eq!(day("2026-01-04T03:59:59Z", "Europe/London", "04:00"), "2026-01-03");
    }

    #[test]
    fn at_midnight_business_days_are_calendar_days_of_the_zone() {
        assert_eq!(day("2026-01-04T23:59:59Z", "UTC", "00:00"), "2026-01-04");
        assert_eq!(day("2026-01-04T23:00:00Z", "Europe/Berlin", "00:00"), "2026-01-05");
    }

    #[test]
    fn a_business_day_never_goes_back_when_clocks_do() {
        // On 2026-10-25 in London 01:30 comes at 00:30 and again at 01:30 UTC.
        assert_eq!(day("2026-10-25T00:29:00Z", "Europe/London", "01:30"), "2026-10-24");
        assert_eq!(day("2026-10-25T00:30:00Z", "Europe/London", "01:30"), "2026-10-25");
        assert_eq!(day("2026-10-25T01:10:00Z", "Europe/London", "01:30"), "2026-10-25");
    }

    #[test]
    fn a_cut_over_that_clocks_jump_over_falls_on_the_jump() {
        // On 2026-03-29 in London 01:00 UTC is 02:00; there is no 01:30.
        assert_eq!(day("2026-03-29T00:59:59Z", "Europe/London", "01:30"), "2026-03-28");
        assert_eq!(day("2026-03-29T01:00:00Z", "Europe/London", "01:30"), "2026-03-29");
    }

    #[test]
    fn the_ends_of_time_are_days_like_any_other() {
        for zone in ["UTC", "Asia/Kolkata", "America/New_York"] {
            let zone = Zone::new(zone).unwrap();
            for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
                let cut_over = CutOver::new("12:00").unwrap();
                assert!(!cut_over.business_day(end, zone).to_string().is_empty());
                assert!(!zone.hour(end).is_empty());
            }
        }
    }

    #[test]
    fn hours_and_minutes_are_those_on_the_wall() {
        let at = "2010-12-01T08:34:00Z".parse().unwrap();
        assert_eq!(Zone::new("Asia/Kolkata").unwrap().minute(at), "2010-12-01 14:04");
        assert_eq!(Zone::UTC.hour(at), "2010-12-01T08");
        assert_eq!(Zone::new("Asia/Kolkata").unwrap().hour(at), "2010-12-01T14");
        assert!(Zone::new("Mars/Olympus").is_err());
    }
}
