//! Who is at a till: signing in by PIN, out again, and what one may do there.
//!
//! A till has at most one person at it. Whoever opens it on the shop's folder may be there as the
//! owner, who needs no PIN: with the folder in hand one could do anything anyway. Everybody else
//! picks their name and enters their PIN, and is signed out when nobody attended the till for as
//! long as the shop's settings say. What a page asks by itself is no sign of anybody, so only acts,
//! what is kept, and [`Attend`] count.

use std::sync::PoisonError;

use chrono::{DateTime, TimeDelta, Utc};
use dcb::ReadOptions;
use pos::event::ActRefused;
use pos::{
    Authority, NameKey, NextAction, Permission, ProductId, Recorded, Refusal, RefusalCode, Rights,
    Role, ShopEvent, StaffMember, TillId, UserId,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::credentials::Pin;
use crate::operations::{Access, Draft, FromInput};
use crate::queries::Query;
use crate::{Till, TillError};

/// Who is at a till.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AtTill {
    /// Whoever has the shop's folder, under this name.
    Owner(UserId),
    /// Someone of the staff who showed it.
    Member {
        user: UserId,
        /// When they last gave a sign of themselves.
        attended_at: DateTime<Utc>,
    },
}

/// Someone at a till: what they are called and may do.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Person {
    /// The opaque id.
    pub user: UserId,
    /// What they are called.
    pub name: String,
    /// What they are; the owner of the shop needs to be nothing.
    pub role: Option<Role>,
    /// What they may do alone.
    pub rights: Rights,
}

/// What the owner of the shop is called unless told otherwise.
const OWNER: &str = "owner";
/// What that name was before there was a staff; scripts still use it.
const OWNER_BEFORE: &str = "cashier";

/// The owner of the shop, by the usual name.
pub fn owner() -> UserId {
    UserId::new(OWNER).expect("the owner has a good id")
}

impl Till {
    /// Lets be at the till who is meant on a command line: the owner, or someone of the staff by id
    /// or name, whose PIN is asked for if they have one. In a shop without staff everyone is the
    /// owner, by whatever name; elsewhere an unknown name is a bad request.
    pub fn entered_by(
        self,
        who: &str,
        pin_of: impl FnOnce(&StaffMember) -> Result<Pin, TillError>,
    ) -> Result<Self, TillError> {
        let invalid = |error: pos::InvalidId| TillError::bad_request(format!("--user: {error}"));
        let user = UserId::new(who).map_err(invalid)?;
        let (found, names) = self.look_at_staff(|staff| {
            let found = staff.get(&user).or_else(|| staff.by_name(who)).cloned();
            (found, staff.iter().map(|member| member.name.clone()).collect::<Vec<_>>())
        })?;
        let at_till = match found {
            Some(member) => {
                if self.credentials().who_has_one()?.contains_key(&member.user) {
                    self.verify(&member.user, &pin_of(&member)?)?;
                }
                self.attended_by(member.user)
            }
            None if [OWNER, OWNER_BEFORE].contains(&who) || names.is_empty() => AtTill::Owner(user),
            None => {
                let message = format!(
                    "--user: nobody is called {who:?} here; there are {} and {OWNER:?}",
                    names.join(", ")
                );
                return Err(TillError::bad_request(message));
            }
        };
        *self.at_till.write().unwrap_or_else(PoisonError::into_inner) = Some(at_till);
        Ok(self)
    }

    /// Lets nobody be at the till until someone signs in, if anyone of the staff can, or if that
    /// cannot be told; else whoever opened it stays.
    pub fn signed_out_if_anyone_can_sign_in(self) -> Self {
        if self.can_anyone_sign_in().unwrap_or(true) {
            self.leave();
        }
        self
    }

    fn can_anyone_sign_in(&self) -> Result<bool, TillError> {
        let have_pins = self.credentials().who_has_one()?;
        let can = |member: &StaffMember| have_pins.contains_key(&member.user);
        Ok(self.look_at_staff(|staff| staff.iter().any(can))?)
    }

    /// Lets someone of the staff be at the till, if this is their PIN.
    pub fn sign_in(&self, user: &UserId, pin: &Pin) -> Result<Person, TillError> {
        let member = self.verify(user, pin)?;
        let rights = self.look_at_staff(|staff| staff.rights_of(member.role))?;
        let StaffMember { user, name, role } = member;
        *self.at_till.write().unwrap_or_else(PoisonError::into_inner) =
            Some(self.attended_by(user.clone()));
        Ok(Person { user, name, role: Some(role), rights })
    }

    fn attended_by(&self, user: UserId) -> AtTill {
        AtTill::Member { user, attended_at: self.clock().now() }
    }

    /// Notes that whoever is at the till is there.
    pub(crate) fn attended(&self) {
        let mut at_till = self.at_till.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(AtTill::Member { attended_at, .. }) = &mut *at_till {
            *attended_at = self.clock().now();
        }
    }

    /// Signs out who did not attend the till since then, if that is too long ago.
    fn is_locked(&self, since: DateTime<Utc>) -> Result<bool, TillError> {
        let tills = self.settings()?.map(|settings| settings.tills).unwrap_or_default();
        let idle = self.clock().now().signed_duration_since(since);
        let most = TimeDelta::seconds(tills.auto_lock_seconds.into());
        if most.is_zero() || idle < most {
            return Ok(false);
        }
        let mut at_till = self.at_till.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have signed in meanwhile.
        if matches!(&*at_till, Some(AtTill::Member { attended_at, .. }) if *attended_at == since) {
            *at_till = None;
        }
        Ok(true)
    }

    /// Lets nobody be at the till any more.
    fn leave(&self) {
        *self.at_till.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Who is at the till, if anyone is who may be.
    pub fn person(&self) -> Result<Option<Person>, TillError> {
        let at_till = self.at_till.read().unwrap_or_else(PoisonError::into_inner).clone();
        match at_till {
            None => Ok(None),
            Some(AtTill::Owner(user)) => {
                let name = user.as_str().to_owned();
                Ok(Some(Person { user, name, role: None, rights: Rights::all() }))
            }
            Some(AtTill::Member { attended_at, .. }) if self.is_locked(attended_at)? => Ok(None),
            Some(AtTill::Member { user, .. }) => Ok(self.look_at_staff(|staff| {
                let StaffMember { user, name, role } = staff.get(&user)?.clone();
                Some(Person { user, name, role: Some(role), rights: staff.rights_of(role) })
            })?),
        }
    }

    /// Who is at the till, or the refusal that nobody is.
    pub(crate) fn acting(&self) -> Result<Person, TillError> {
        self.person()?.ok_or_else(|| {
            Refusal::new(RefusalCode::SignedOut, "Nobody is signed in here. Sign in first.")
                .action(NextAction::SignIn)
                .into()
        })
    }

    /// Refuses what nobody, or not who is at the till, may be told or keep.
    pub(crate) fn admit(&self, access: Access) -> Result<(), TillError> {
        match access {
            Access::Anyone => Ok(()),
            Access::SignedIn => self.acting().map(drop),
            Access::Permitted(permission) => {
                if self.acting()?.rights.permissions.contains(&permission) {
                    return Ok(());
                }
                let message = "You may not do this. Ask someone who may, and sign in as them.";
                Err(Refusal::new(RefusalCode::NotPermitted, message)
                    .action(NextAction::SignIn)
                    .into())
            }
        }
    }

    /// Someone of the staff who shows that they are there.
    fn verify(&self, user: &UserId, pin: &Pin) -> Result<StaffMember, TillError> {
        let member = self.member(user)?;
        self.credentials().check(user, pin, self.clock().now())?;
        Ok(member)
    }

    fn member(&self, user: &UserId) -> Result<StaffMember, TillError> {
        self.look_at_staff(|staff| staff.get(user).cloned())?.ok_or_else(|| {
            let message = "There is nobody with this id on the staff. Choose someone else.";
            Refusal::new(RefusalCode::StaffUnknown, message).action(NextAction::CorrectInput).into()
        })
    }
}

/// Someone's consent to what another does: who, and the PIN that shows it. It is looked at and put
/// aside before anything is decided, so that no PIN gets into the log.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who approves.
    pub user: UserId,
    /// Their PIN.
    pub pin: Pin,
}

impl Approval {
    /// The authority, with this approval if it is a real one.
    pub(crate) fn add_to(self, authority: Authority, till: &Till) -> Result<Authority, TillError> {
        let member = till.verify(&self.user, &self.pin)?;
        Ok(authority.approved_by(&member.user, member.role))
    }
}

/// Signs someone in at this till, in place of whoever is there.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Who.
    pub user: UserId,
    /// Their PIN.
    pub pin: Pin,
}

impl Draft for SignIn {
    const NAME: &'static str = "sign_in";
    const ACCESS: Access = Access::Anyone;
    type Answer = Person;

    fn keep(&self, till: &Till) -> Result<Person, TillError> {
        till.sign_in(&self.user, &self.pin)
    }
}

/// Signs out whoever is at this till.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SignOut {}

/// It is done.
#[derive(Clone, Copy, Debug, Serialize, TS)]
pub struct Kept {}

impl Draft for SignOut {
    const NAME: &'static str = "sign_out";
    const ACCESS: Access = Access::Anyone;
    type Answer = Kept;

    fn keep(&self, till: &Till) -> Result<Kept, TillError> {
        till.leave();
        Ok(Kept {})
    }
}

/// Tells that somebody touches the till or types, so that they stay signed in.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Attend {}

impl Draft for Attend {
    const NAME: &'static str = "attend";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Kept;

    /// There is nothing more to it: whatever is kept shows that somebody is there.
    fn keep(&self, _till: &Till) -> Result<Kept, TillError> {
        Ok(Kept {})
    }
}

/// Gives someone of the staff a PIN. One's own takes the one before, whoever one is; those of others,
/// and one's first, are set by who may change the staff.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SetPin {
    /// Who.
    pub user: UserId,
    /// The PIN from now on.
    pub pin: Pin,
    /// The PIN until now, of who changes their own.
    #[ts(optional)]
    pub current: Option<Pin>,
}

impl Draft for SetPin {
    const NAME: &'static str = "set_pin";
    const ACCESS: Access = Access::SignedIn;
    type Answer = Kept;

    fn keep(&self, till: &Till) -> Result<Kept, TillError> {
        let is_own = till.acting()?.user == self.user;
        if is_own && till.credentials().who_has_one()?.contains_key(&self.user) {
            let current = self.current.as_ref().ok_or_else(|| {
                let message = "Your PIN is changed with the one you have now. Enter both.";
                Refusal::new(RefusalCode::PinWrong, message).action(NextAction::CorrectInput)
            })?;
            till.verify(&self.user, current)?;
        } else {
            till.admit(Access::Permitted(Permission::ManageStaff))?;
            till.member(&self.user)?;
        }
        till.credentials().set(&self.user, &self.pin, false)?;
        Ok(Kept {})
    }
}

/// Adds someone to the staff. Their name must be nobody else's.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AddStaff {
    /// The person's name.
    pub name: String,
    /// What the person may do.
    pub role: Role,
}

impl FromInput<AddStaff> for pos::AddStaff {
    fn read(input: AddStaff, till: &Till) -> Result<Self, TillError> {
        let key: NameKey = till.credentials().name_key()?;
        Ok(Self::new(input.name, input.role, &key))
    }
}

/// Asks who may sign in here.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AboutStaff {}

/// Someone who may sign in.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Colleague {
    /// Who.
    #[serde(flatten)]
    pub member: StaffMember,
    /// Whether they have a PIN; without one they cannot sign in.
    pub has_pin: bool,
    /// The PIN, where everybody is to see it: in a demo shop.
    pub shown_pin: Option<String>,
}

impl Query for AboutStaff {
    const NAME: &'static str = "staff";
    const ACCESS: Access = Access::Anyone;
    type Answer = Vec<Colleague>;

    fn ask(&self, till: &Till) -> Result<Vec<Colleague>, TillError> {
        let mut pins = till.credentials().who_has_one()?;
        let members: Vec<StaffMember> =
            till.look_at_staff(|staff| staff.iter().cloned().collect())?;
        let with_pin = |member: StaffMember| {
            let pin = pins.remove(&member.user);
            Colleague { has_pin: pin.is_some(), shown_pin: pin.flatten(), member }
        };
        let mut colleagues: Vec<Colleague> = members.into_iter().map(with_pin).collect();
        colleagues.sort_by(|a, b| a.member.name.cmp(&b.member.name));
        Ok(colleagues)
    }
}

/// Asks what each role may do.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AboutRoles {}

/// What a role may do.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RoleRights {
    /// The role.
    pub role: Role,
    /// What it may do.
    pub rights: Rights,
}

impl Query for AboutRoles {
    const NAME: &'static str = "roles";
    const ACCESS: Access = Access::Permitted(Permission::ManageStaff);
    type Answer = Vec<RoleRights>;

    fn ask(&self, till: &Till) -> Result<Vec<RoleRights>, TillError> {
        Ok(till.look_at_staff(|staff| {
            Role::ALL.map(|role| RoleRights { role, rights: staff.rights_of(role) }).to_vec()
        })?)
    }
}

/// The most refused acts that are told at once.
pub const MAX_REFUSED: u32 = 1_000;

/// Asks which acts were refused, the newest first.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct RefusedActs {
    /// How many, at most [`MAX_REFUSED`]; 50 unless told otherwise.
    #[ts(optional)]
    pub limit: Option<u32>,
}

/// An act that a rule refused.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAct {
    /// Where it stands in the history.
    #[ts(type = "number")]
    pub position: u64,
    /// When.
    #[ts(type = "string")]
    pub at: DateTime<Utc>,
    /// Where.
    pub till: TillId,
    /// Who tried.
    pub user: String,
    /// What they are called.
    pub name: String,
    /// What was to be done: `checkout`.
    pub command: String,
    /// Which rule refused.
    pub code: RefusalCode,
    /// What was told.
    pub message: String,
    /// The product in question, if there was one.
    pub product: Option<ProductId>,
}

impl Query for RefusedActs {
    const NAME: &'static str = "refused_acts";
    const ACCESS: Access = Access::Permitted(Permission::SeeReports);
    type Answer = Vec<RefusedAct>;

    fn ask(&self, till: &Till) -> Result<Vec<RefusedAct>, TillError> {
        let limit = self.limit.unwrap_or(50);
        if limit > MAX_REFUSED {
            let message = format!("at most {MAX_REFUSED} refused acts are told at once");
            return Err(TillError::bad_request(message));
        }
        let query = dcb::Query::types([ActRefused::TYPE])
            .map_err(|error| TillError::bad_request(error.to_string()))?;
        let newest = ReadOptions::backwards().limit(limit.into());
        let mut events = till.store().read(&query, newest)?;
        let mut refused = Vec::new();
        while let Some(event) = events.next_ref()? {
            let Some(Recorded { position, when, event: ShopEvent::ActRefused(told) }) =
                Recorded::decode(&event)
            else {
                continue;
            };
            let user = event.metadata().ok().and_then(|metadata| metadata.user_id);
            let user = user.unwrap_or_default();
            refused.push(RefusedAct {
                position,
                at: when.at,
                till: told.till,
                name: till.name_of(&user)?,
                user,
                command: told.command,
                code: told.code,
                message: told.message,
                product: told.product,
            });
        }
        Ok(refused)
    }
}

#[cfg(test)]
mod tests;
