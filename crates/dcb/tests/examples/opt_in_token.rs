//! An e-mail address is confirmed with a one-time password that was sent to it. The password is in
//! the event of the sign-up; no other storage holds tokens, and none has to be cleaned up.
//! <https://dcb.events/examples/opt-in-token/>

use chrono::{DateTime, TimeDelta, Utc};
use dcb::testing::given;
use dcb::{DecideError, Decided, DecisionProjection, Event, EventStore, Query, Retry, Tag, decide};
use serde::{Deserialize, Serialize};

/// For so long a password can be used.
const VALIDITY: TimeDelta = TimeDelta::minutes(60);

/// Who signs up. It is personal, so it stands in the events' data and not in their tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    email: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum SignUp {
    SignUpInitiated { private: Person },
    SignUpConfirmed { private: Person },
}

impl SignUp {
    fn with_otp(&self, otp: &str) -> Event {
        Event::from_typed(self, [otp_tag(otp)]).expect("it can be written as JSON")
    }
}

fn otp_tag(otp: &str) -> Tag {
    Tag::new("otp", otp).expect("a password is a tag's value")
}

#[derive(Debug, PartialEq)]
enum Refusal {
    NoPendingSignUp,
    AlreadyUsed,
    Expired,
}

#[derive(Clone, Default)]
struct Pending {
    initiated: Option<(Person, DateTime<Utc>)>,
    is_used: bool,
}

/// The sign-up that a one-time password was made for.
fn pending(otp: &str) -> DecisionProjection<Pending> {
    let query = Query::tagged(["SignUpInitiated", "SignUpConfirmed"], &otp_tag(otp));
    DecisionProjection::new(Pending::default(), query, |pending: &mut Pending, event| {
        let at = event.metadata().ok().and_then(|metadata| metadata.timestamp).unwrap_or_default();
        match event.typed() {
            Ok(SignUp::SignUpInitiated { private }) => pending.initiated = Some((private, at)),
            Ok(SignUp::SignUpConfirmed { .. }) => pending.is_used = true,
            Err(_) => {}
        }
    })
}

fn confirm(
    store: &impl EventStore,
    email: &str,
    otp: &str,
    now: DateTime<Utc>,
) -> Result<Decided<()>, DecideError<Refusal>> {
    decide(store, &pending(otp), Retry::default(), |pending| {
        let initiated = pending.initiated.as_ref().filter(|(person, _)| person.email == email);
        let Some((person, at)) = initiated else { return Err(Refusal::NoPendingSignUp) };
        if pending.is_used {
            return Err(Refusal::AlreadyUsed);
        }
        if now - at > VALIDITY {
            return Err(Refusal::Expired);
        }
        Ok(vec![SignUp::SignUpConfirmed { private: person.clone() }.with_otp(otp)].into())
    })
}

fn john() -> Person {
    Person { email: "john.doe@example.com".into(), name: "John Doe".into() }
}

fn initiated(minutes_ago: i64) -> Event {
    let mut event = SignUp::SignUpInitiated { private: john() }.with_otp("444444");
    event.metadata.timestamp = Some(Utc::now() - TimeDelta::minutes(minutes_ago));
    event
}

fn confirmed() -> Event {
    SignUp::SignUpConfirmed { private: john() }.with_otp("444444")
}

#[test]
fn the_right_password_confirms_the_address() {
    given([initiated(1)])
        .when(|store| confirm(store, &john().email, "444444", Utc::now()))
        .then_recorded([confirmed()]);
}

#[test]
fn an_unknown_password_or_that_of_another_address_does_not() {
    given([initiated(1)])
        .when(|store| confirm(store, &john().email, "000000", Utc::now()))
        .then_refused_with(Refusal::NoPendingSignUp);
    given([initiated(1)])
        .when(|store| confirm(store, "jane.doe@example.com", "444444", Utc::now()))
        .then_refused_with(Refusal::NoPendingSignUp);
}

#[test]
fn a_password_can_be_used_once() {
    given([initiated(1), confirmed()])
        .when(|store| confirm(store, &john().email, "444444", Utc::now()))
        .then_refused_with(Refusal::AlreadyUsed);
}

#[test]
fn a_password_expires() {
    given([initiated(61)])
        .when(|store| confirm(store, &john().email, "444444", Utc::now()))
        .then_refused_with(Refusal::Expired);
}
