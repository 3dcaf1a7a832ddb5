//! A username belongs to one account. It is free again some days after the account was closed or
//! took another name. No table of names is kept beside the events: the name is a tag.
//! <https://dcb.events/examples/unique-username/>

use chrono::{DateTime, TimeDelta, Utc};
use dcb::testing::given;
use dcb::{DecideError, Decided, DecisionProjection, Event, EventStore, Query, Retry, Tag, decide};
use serde::{Deserialize, Serialize};

/// For so long a released name is kept from others.
const RETENTION: TimeDelta = TimeDelta::days(3);

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Accounts {
    AccountRegistered { username: String },
    AccountClosed { username: String },
    UsernameChanged { old: String, new: String },
}

impl Accounts {
    /// The event, with a tag for each name that it is about.
    fn event(&self) -> Event {
        let names = match self {
            Self::AccountRegistered { username } | Self::AccountClosed { username } => {
                vec![username]
            }
            Self::UsernameChanged { old, new } => vec![old, new],
        };
        Event::from_typed(self, names.into_iter().map(|name| username_tag(name)))
            .expect("it can be written as JSON")
    }
}

fn username_tag(name: &str) -> Tag {
    Tag::new("username", name).expect("a username is a tag's value")
}

#[derive(Debug, PartialEq)]
struct UsernameIsTaken;

#[derive(Clone, Copy)]
enum Username {
    NeverUsed,
    Claimed,
    Released { at: DateTime<Utc> },
}

/// What became of a username. The clock stays outside: the fold says when the name was released, and
/// the decision whether that is long enough ago.
fn username(name: &str) -> DecisionProjection<Username> {
    let query = Query::tagged(
        ["AccountRegistered", "AccountClosed", "UsernameChanged"],
        &username_tag(name),
    );
    let name = name.to_owned();
    DecisionProjection::new(Username::NeverUsed, query, move |username, event| {
        let at = event.metadata().ok().and_then(|metadata| metadata.timestamp).unwrap_or_default();
        match event.typed() {
            Ok(Accounts::AccountRegistered { .. }) => *username = Username::Claimed,
            Ok(Accounts::UsernameChanged { new, .. }) if new == name => {
                *username = Username::Claimed;
            }
            Ok(Accounts::AccountClosed { .. } | Accounts::UsernameChanged { .. }) => {
                *username = Username::Released { at };
            }
            Err(_) => {}
        }
    })
}

fn register(
    store: &impl EventStore,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Decided<()>, DecideError<UsernameIsTaken>> {
    decide(store, &username(name), Retry::default(), |username| {
        let is_free = match *username {
            Username::NeverUsed => true,
            Username::Claimed => false,
            Username::Released { at } => now - at > RETENTION,
        };
        if !is_free {
            return Err(UsernameIsTaken);
        }
        Ok(vec![Accounts::AccountRegistered { username: name.into() }.event()].into())
    })
}

fn registered(name: &str) -> Event {
    Accounts::AccountRegistered { username: name.into() }.event()
}

fn closed(name: &str) -> Event {
    Accounts::AccountClosed { username: name.into() }.event()
}

fn renamed(old: &str, new: &str) -> Event {
    Accounts::UsernameChanged { old: old.into(), new: new.into() }.event()
}

fn days_ago(days: i64, mut event: Event) -> Event {
    event.metadata.timestamp = Some(Utc::now() - TimeDelta::days(days));
    event
}

#[test]
fn a_name_that_nobody_has_can_be_registered() {
    given([registered("u1")])
        .when(|store| register(store, "u2", Utc::now()))
        .then_recorded([registered("u2")]);
}

#[test]
fn a_name_that_somebody_has_cannot() {
    given([registered("u1")])
        .when(|store| register(store, "u1", Utc::now()))
        .then_refused_with(UsernameIsTaken);
    given([registered("u1"), renamed("u1", "u2")])
        .when(|store| register(store, "u2", Utc::now()))
        .then_refused_with(UsernameIsTaken);
}

#[test]
fn a_released_name_is_kept_for_a_while() {
    given([days_ago(5, registered("u1")), days_ago(2, closed("u1"))])
        .when(|store| register(store, "u1", Utc::now()))
        .then_refused_with(UsernameIsTaken);
    given([days_ago(5, registered("u1")), days_ago(2, renamed("u1", "u2"))])
        .when(|store| register(store, "u1", Utc::now()))
        .then_refused_with(UsernameIsTaken);
}

#[test]
fn and_then_it_is_free_again() {
    given([days_ago(5, registered("u1")), days_ago(4, closed("u1"))])
        .when(|store| register(store, "u1", Utc::now()))
        .then_recorded([registered("u1")]);
    given([days_ago(5, registered("u1")), days_ago(4, renamed("u1", "u2"))])
        .when(|store| register(store, "u1", Utc::now()))
        .then_recorded([registered("u1")]);
}
