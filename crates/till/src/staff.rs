//! Who is at a till: signing in by PIN, out again, and what one may do there.
//!
//! A till has at most one person at it. Whoever opens it on the shop's folder may be there as the
//! owner, who needs no PIN: with the folder in hand one could do anything anyway. Everybody else
//! picks their name and enters their PIN.

use std::sync::PoisonError;

use chrono::{DateTime, Utc};
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
#[derive(Clone, Debug)]
pub(crate) enum AtTill {
    /// Whoever has the shop's folder, under this name.
    Owner(UserId),
    /// Someone of the staff who showed it.
    Member(UserId),
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
pub const OWNER: &str = "owner";
/// What that name was before there was a staff; scripts still use it.
const OWNER_BEFORE: &str = "cashier";

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
                AtTill::Member(member.user)
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
            Some(AtTill::Member(user.clone()));
        Ok(Person { user, name, role: Some(role), rights })
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
            Some(AtTill::Member(user)) => Ok(self.look_at_staff(|staff| {
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

/// Gives someone of the staff a PIN. One's own takes the one before; those of others are set by who
/// may change the staff.
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
        match &self.current {
            Some(current) if till.acting()?.user == self.user => {
                till.verify(&self.user, current)?;
            }
            _ => {
                till.admit(Access::Permitted(Permission::ManageStaff))?;
                till.member(&self.user)?;
            }
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
    /// What they are called, if they are still on the staff.
    pub name: Option<String>,
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
            refused.push(RefusedAct {
                position,
                at: when.at,
                till: told.till,
                user: user.unwrap_or_default(),
                name: None,
                command: told.command,
                code: told.code,
                message: told.message,
                product: told.product,
            });
        }
        till.look_at_staff(|staff| {
            for act in &mut refused {
                let user = UserId::new(&act.user).ok();
                act.name = user.and_then(|user| staff.get(&user)).map(|known| known.name.clone());
            }
        })?;
        Ok(refused)
    }
}

#[cfg(test)]
mod tests {
    use pos::{OpenShift, Rights};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::demo::demo;
    use crate::testing::till;
    use crate::{ErrorCode, Fault, Kind, OPERATIONS, Operation};

    /// The demo's staff by role, with the PINs that everybody may see.
    fn shop() -> Till {
        let till = till();
        demo(&till).unwrap();
        till
    }

    fn colleague(till: &Till, role: Role) -> (UserId, Pin) {
        let staff = AboutStaff {}.ask(till).unwrap();
        let found = staff.into_iter().find(|colleague| colleague.member.role == role).unwrap();
        (found.member.user, Pin::new(&found.shown_pin.unwrap()).unwrap())
    }

    fn sign_in(till: &Till, role: Role) -> Person {
        let (user, pin) = colleague(till, role);
        till.sign_in(&user, &pin).unwrap()
    }

    fn call(till: &Till, name: &str, mut input: Value) -> Result<Value, TillError> {
        let operation = Operation::find(name).unwrap();
        if operation.kind == Kind::Command && input.get("requestId").is_none() {
            input["requestId"] = Uuid::now_v7().to_string().into();
        }
        let answer = operation.run(till, &input.to_string())?;
        Ok(serde_json::from_str(answer.as_str()).unwrap())
    }

    /// The rule that refused, if one did.
    fn code(result: Result<Value, TillError>) -> Option<RefusalCode> {
        let error = result.err()?;
        assert_ne!(error.code, ErrorCode::Fault(Fault::BadRequest), "{error}");
        error.refusal()
    }

    /// Who may call what alone, and input that is understood. `None`: nobody need sign in.
    fn table() -> Vec<(&'static str, Option<Role>, Value)> {
        use Role::{Cashier, Manager, Supervisor};
        let product = json!({"sku": "NEW", "name": "New", "price": 1});
        let settings = json!({"name": "S", "currency": "GBP", "zone": "UTC", "cutOver": "00:00", "taxMode": "included"});
        let cart = json!({"lines": [], "payments": []});
        let paid = json!({"tender": "cash", "amount": 0});
        let terms = json!({"name": " ", "discount": {"percent": 1_000}, "from": "2026-01-01", "until": "2026-01-01"});
        vec![
            ("staff", None, json!({})),
            ("sign_out", None, json!({})),
            ("shop", None, json!({})),
            ("sign_in", None, json!({"user": "nobody", "pin": "0000"})),
            ("set_pin", Some(Manager), json!({"user": "nobody", "pin": "0000"})),
            ("products", Some(Cashier), json!({})),
            ("product", Some(Cashier), json!({"code": "21071"})),
            ("search", Some(Cashier), json!({"text": ""})),
            ("scan", Some(Cashier), json!({"code": "21071"})),
            ("shift", Some(Cashier), json!({})),
            ("cart", Some(Cashier), json!({})),
            ("save_cart", Some(Cashier), json!({"cart": {"id": Uuid::now_v7(), "lines": []}})),
            ("events", Some(Cashier), json!({"positions": [1]})),
            ("receipt", Some(Cashier), json!({"receipt": "T1-1"})),
            ("sales_report", Some(Supervisor), json!({"by": "day"})),
            ("refused_acts", Some(Supervisor), json!({})),
            ("roles", Some(Manager), json!({})),
            ("configure_shop", Some(Manager), settings),
            ("add_product", Some(Manager), product),
            ("add_products", Some(Manager), json!({"products": []})),
            ("change_price", Some(Manager), json!({"product": "21071", "price": 1})),
            (
                "assign_barcode",
                Some(Manager),
                json!({"product": "21071", "barcode": "4006381333931"}),
            ),
            ("release_barcode", Some(Manager), json!({"barcode": "4006381333931"})),
            ("set_limit", Some(Manager), json!({"product": "21071"})),
            ("add_customer", Some(Cashier), json!({"name": "Bo"})),
            ("add_staff", Some(Manager), json!({"name": " ", "role": "cashier"})),
            ("set_staff_role", Some(Manager), json!({"user": "nobody", "role": "cashier"})),
            ("remove_staff", Some(Manager), json!({"user": "nobody"})),
            (
                "change_role",
                Some(Manager),
                json!({"role": "manager", "permissions": [], "discountLimit": 0}),
            ),
            ("receive_stock", Some(Supervisor), json!({"lines": []})),
            (
                "adjust_stock",
                Some(Supervisor),
                json!({"product": "21071", "quantity": 0, "reason": ""}),
            ),
            ("count_stock", Some(Supervisor), json!({"product": "21071", "counted": 1})),
            ("open_shift", Some(Cashier), json!({"float": 0})),
            ("close_shift", Some(Cashier), json!({"shift": "none", "countedCash": 0})),
            (
                "move_cash",
                Some(Supervisor),
                json!({"shift": "none", "way": "in", "amount": 0, "reason": ""}),
            ),
            ("drop_cash", Some(Cashier), json!({"shift": "none", "amount": 0})),
            ("x_report", Some(Supervisor), json!({})),
            ("z_report", Some(Supervisor), json!({})),
            ("checkout", Some(Cashier), cart),
            ("refund", Some(Supervisor), json!({"lines": [], "tender": "cash", "reason": ""})),
            ("refund_sale", Some(Cashier), json!({"sale": "none", "lines": [], "reason": ""})),
            ("refundable", Some(Cashier), json!({"sale": "none"})),
            ("define_kit", Some(Manager), json!({"kit": "21071", "components": []})),
            ("set_age_rule", Some(Manager), json!({"product": "21071"})),
            ("define_promotion", Some(Manager), json!({"promotion": "P", "terms": terms})),
            ("promotions", Some(Cashier), json!({})),
            (
                "issue_coupons",
                Some(Manager),
                json!({"coupons": [], "discount": {"percent": 1_000}}),
            ),
            ("void_coupon", Some(Supervisor), json!({"coupon": "none", "reason": ""})),
            ("set_credit_limit", Some(Manager), json!({"customer": "nobody", "limit": 0})),
            ("pay_account", Some(Cashier), json!({"customer": "nobody", "paid": paid})),
            (
                "bounce_account_payment",
                Some(Supervisor),
                json!({"customer": "nobody", "amount": 1, "reason": "x"}),
            ),
            ("account", Some(Cashier), json!({"customer": "nobody"})),
            ("issue_gift_card", Some(Cashier), json!({"card": "G", "paid": paid})),
            ("top_up_gift_card", Some(Cashier), json!({"card": "G", "paid": paid})),
            (
                "cancel_gift_card_top_up",
                Some(Supervisor),
                json!({"card": "G", "paidBack": paid, "reason": "x"}),
            ),
            ("block_gift_card", Some(Supervisor), json!({"card": "G", "reason": ""})),
            ("gift_card", Some(Cashier), json!({"card": "G"})),
        ]
    }

    #[test]
    fn each_operation_is_refused_to_each_role_that_may_not_call_it_and_to_no_other() {
        let till = shop();
        let table = table();
        let mut listed: Vec<&str> = table.iter().map(|(name, ..)| *name).collect();
        let mut all: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        listed.sort_unstable();
        all.sort_unstable();
        assert_eq!(listed, all, "every operation is in the table once");
        till.leave();
        for (name, least, input) in &table {
            let refused = code(call(&till, name, input.clone()));
            let is_signed_out = refused == Some(RefusalCode::SignedOut);
            assert_eq!(is_signed_out, least.is_some(), "{name}, signed out: {refused:?}");
        }
        for role in Role::ALL {
            for (name, least, input) in &table {
                sign_in(&till, role);
                let refused = code(call(&till, name, input.clone()));
                let is_refused = refused == Some(RefusalCode::NotPermitted);
                let may = least.is_none_or(|least| role >= least);
                assert_eq!(is_refused, !may, "{name} as {role:?}: {refused:?}");
            }
        }
    }

    #[test]
    fn a_pin_signs_in_and_acts_carry_who_it_was() {
        let till = shop();
        let person = sign_in(&till, Role::Cashier);
        assert_eq!(
            (person.name.as_str(), person.rights),
            ("Priya Nair", Rights::of(Role::Cashier))
        );
        call(&till, "open_shift", json!({"float": 0})).unwrap();
        let last = till.store().read_last(&dcb::Query::all()).unwrap().unwrap();
        assert_eq!(last.event.metadata.user_id.as_deref(), Some(person.user.as_str()));
        call(&till, "sign_out", json!({})).unwrap();
        assert_eq!(code(call(&till, "shift", json!({}))), Some(RefusalCode::SignedOut));
        assert_eq!(call(&till, "shop", json!({})).unwrap()["person"], Value::Null);
    }

    #[test]
    fn an_approval_lets_the_same_request_go_on_and_its_pin_is_nowhere_in_the_log() {
        let till = shop();
        let (supervisor, pin) = colleague(&till, Role::Supervisor);
        sign_in(&till, Role::Cashier);
        let count = json!({"product": "21071", "counted": 5000, "requestId": Uuid::now_v7()});
        let refused = call(&till, "count_stock", count.clone()).unwrap_err();
        assert_eq!(refused.details.action, Some(NextAction::GetApproval));
        let approved = |pin: &str| {
            let mut count = count.clone();
            count["approval"] = json!({"user": supervisor, "pin": pin});
            call(&till, "count_stock", count)
        };
        assert_eq!(code(approved("0000")), Some(RefusalCode::PinWrong));
        let told = approved("2222").unwrap();
        assert_eq!(approved("2222").unwrap(), told, "sent again, it is the same act");
        assert_eq!(format!("{pin:?}"), "Pin(secret)");
        let events: Vec<_> = till
            .store()
            .read(&dcb::Query::all(), ReadOptions::default())
            .unwrap()
            .map(|event| event.unwrap().event)
            .collect();
        let last = events.last().unwrap();
        assert_eq!(last.metadata.extra["approvedBy"], supervisor.as_str());
        assert!(events.iter().all(|event| !event.data.as_str().contains("\"2222\"")));
        assert!(
            events.iter().all(|event| !format!("{:?}", event.metadata.extra).contains("\"2222\""))
        );
    }

    #[test]
    fn what_was_refused_is_told_to_who_looks_after_the_shop() {
        let till = shop();
        sign_in(&till, Role::Cashier);
        let count = json!({"product": "21071", "counted": 5000, "requestId": Uuid::now_v7()});
        for _ in 0..3 {
            assert_eq!(
                code(call(&till, "count_stock", count.clone())),
                Some(RefusalCode::NotPermitted)
            );
        }
        let no_lines = json!({"lines": [], "payments": []});
        assert_eq!(code(call(&till, "checkout", no_lines)), Some(RefusalCode::Empty));
        sign_in(&till, Role::Manager);
        let told = call(&till, "refused_acts", json!({})).unwrap();
        let told: Vec<_> = told.as_array().unwrap().iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (&told[0]["command"], &told[0]["name"]),
            (&json!("count_stock"), &json!("Priya Nair"))
        );
        assert!(call(&till, "refused_acts", json!({"limit": 1001})).is_err());
    }

    #[test]
    fn who_lost_the_right_loses_it_while_signed_in() {
        let till = shop();
        let person = sign_in(&till, Role::Cashier);
        let by_owner = |name, input| {
            let owner =
                till.at_till.write().unwrap().replace(AtTill::Owner(UserId::new("o").unwrap()));
            call(&till, name, input).unwrap();
            *till.at_till.write().unwrap() = owner;
        };
        by_owner(
            "change_role",
            json!({"role": "cashier", "permissions": ["add_customers"], "discountLimit": 0}),
        );
        assert_eq!(
            code(call(&till, "open_shift", json!({"float": 0}))),
            Some(RefusalCode::NotPermitted)
        );
        by_owner("set_staff_role", json!({"user": person.user, "role": "supervisor"}));
        call(&till, "open_shift", json!({"float": 0})).unwrap();
        by_owner("remove_staff", json!({"user": person.user}));
        assert_eq!(code(call(&till, "shift", json!({}))), Some(RefusalCode::SignedOut));
        let refused = till.execute(&OpenShift { float: pos::Money::ZERO }, Uuid::now_v7());
        assert_eq!(refused.unwrap_err().refusal(), Some(RefusalCode::SignedOut));
    }

    #[test]
    fn pins_are_set_by_managers_and_ones_own_with_the_one_before() {
        let till = shop();
        let (cashier, _) = colleague(&till, Role::Cashier);
        sign_in(&till, Role::Cashier);
        let set = |pin: &str, current: Option<&str>| {
            let mut input = json!({"user": cashier, "pin": pin});
            if let Some(current) = current {
                input["current"] = current.into();
            }
            call(&till, "set_pin", input)
        };
        assert_eq!(code(set("5555", None)), Some(RefusalCode::NotPermitted));
        assert_eq!(code(set("5555", Some("0000"))), Some(RefusalCode::PinWrong));
        set("5555", Some("3333")).unwrap();
        till.sign_in(&cashier, &Pin::new("5555").unwrap()).unwrap();
        let staff = AboutStaff {}.ask(&till).unwrap();
        let own = staff.iter().find(|colleague| colleague.member.user == cashier).unwrap();
        assert_eq!((own.has_pin, &own.shown_pin), (true, &None));
        sign_in(&till, Role::Manager);
        set("6666", None).unwrap();
        till.sign_in(&cashier, &Pin::new("6666").unwrap()).unwrap();
    }

    #[test]
    fn a_command_line_is_entered_by_the_owner_or_by_staff_with_their_pin() {
        let enter = |who: &str, pin: &str| {
            let till = shop().entered_by(who, |_| Ok(Pin::new(pin).unwrap()))?;
            Ok::<_, TillError>(till.person()?.unwrap())
        };
        for owner in [OWNER, OWNER_BEFORE] {
            assert_eq!(enter(owner, "0000").unwrap().rights, Rights::all());
        }
        assert_eq!(enter("owen price", "2222").unwrap().role, Some(Role::Supervisor));
        let wrong = enter("Owen Price", "0000").unwrap_err();
        assert_eq!(wrong.refusal(), Some(RefusalCode::PinWrong));
        let unknown = enter("Nobody", "0000").unwrap_err();
        assert_eq!(unknown.code, ErrorCode::Fault(Fault::BadRequest));
        assert!(unknown.message.contains("Maya Thornton"), "{unknown}");
        let elsewhere = till().entered_by("ann", |_| panic!("there is no staff")).unwrap();
        assert_eq!(elsewhere.person().unwrap().unwrap().name, "ann");
    }

    #[test]
    fn nobody_is_at_a_till_until_they_sign_in_if_anyone_can() {
        let opened = |till: Till| till.signed_out_if_anyone_can_sign_in().person().unwrap();
        assert!(opened(shop()).is_none());
        assert!(opened(till()).is_some());
    }
}
