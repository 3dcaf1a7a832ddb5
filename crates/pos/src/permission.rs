//! Permissions: who may do what, alone or with the approval of another.
//!
//! A role has permissions and a discount limit; a manager may give it other ones. Who acts has a
//! role, or is the owner of the shop, who may do everything. What the role may do is part of every
//! decision: a right that was taken away a moment ago is gone.

use std::collections::BTreeSet;

use dcb::{DecisionProjection, EventRef, Query, Tag};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{Recorded, RoleChanged, ShopEvent};
use crate::ids::UserId;
use crate::input;
use crate::money::BasisPoints;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};
use crate::staff::{Membership, membership_of};

/// What someone of the staff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sells.
    Cashier,
    /// Sells, and approves what a cashier may not do alone.
    Supervisor,
    /// Runs the shop.
    Manager,
}

impl Role {
    /// All roles, from the one with the fewest rights on.
    pub const ALL: [Self; 3] = [Self::Cashier, Self::Supervisor, Self::Manager];

    /// The role as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Supervisor => "supervisor",
            Self::Manager => "manager",
        }
    }

    /// The tag that events about it carry.
    pub fn tag(self) -> Tag {
        Tag::new("role", self.as_str()).expect("a role is a tag's value")
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident($least:ident, $what:literal);)+) => {
        /// Something that not everyone may do.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Permission {
            $($(#[$doc])* $name,)+
        }

        impl Permission {
            /// All there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The first role that has it, as long as nobody changed that.
            fn least_role(self) -> Role {
                match self {
                    $(Self::$name => Role::$least,)+
                }
            }

            /// What it allows, as the end of a sentence.
            fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }
        }
    };
}

permissions! {
    /// Fill a cart and sell it, take back what a receipt shows to have been sold, and take money for
    /// gift cards and for what customers owe.
    Sell(Cashier, "sell");
    /// Open and close a till's shift.
    RunShifts(Cashier, "open and close a shift");
    /// Take cash from the drawer to the safe.
    DropCash(Cashier, "take cash to the safe");
    /// Pay cash into the drawer or out of it, for a reason.
    MoveCash(Supervisor, "pay cash in or out");
    /// Close a shift whose cash is off by more than the shop lets pass.
    AcceptVariance(Supervisor, "close a shift whose cash is off by that much");
    /// Sell more of a product than is known to be on hand, because it lies on the counter.
    OverrideStock(Supervisor, "sell what is not on hand");
    /// Charge another price than the one in the catalogue.
    OverridePrice(Supervisor, "charge another price");
    /// Pay goods back that nobody can show to have been sold.
    RefundWithoutReceipt(Supervisor, "refund without a receipt");
    /// Raise or lower what a customer may owe.
    SetCreditLimit(Manager, "change what a customer may owe");
    /// Block a gift card, or void a coupon.
    BlockValue(Supervisor, "block a gift card or void a coupon");
    /// Take back a payment that did not arrive, or money put on a gift card by mistake.
    ReversePayment(Supervisor, "take back a payment");
    /// Add customers.
    AddCustomers(Cashier, "add a customer");
    /// Receive deliveries.
    ReceiveStock(Supervisor, "receive a delivery");
    /// Count and correct what is on hand.
    CorrectStock(Supervisor, "correct the stock");
    /// Add products, and give them prices, barcodes and limits.
    ManageProducts(Manager, "change the catalogue");
    /// Add and remove staff, and say what each role may do.
    ManageStaff(Manager, "change the staff");
    /// Change the shop's settings.
    ManageShop(Manager, "change the settings");
    /// See what was sold, the cash in a drawer, and what was refused.
    SeeReports(Supervisor, "see reports");
}

/// What a role may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// The largest discount it may give, on a line or a total.
    pub discount_limit: BasisPoints,
}

impl Rights {
    /// Those of the owner: everything.
    pub fn all() -> Self {
        let permissions = Permission::ALL.iter().copied().collect();
        Self { permissions, discount_limit: BasisPoints::MAX }
    }

    /// What a role may do as long as nobody changed that.
    pub fn of(role: Role) -> Self {
        let has = |permission: &Permission| permission.least_role() <= role;
        let permissions = Permission::ALL.iter().copied().filter(has).collect();
        let discount_limit = match role {
            Role::Cashier => BasisPoints::new(500),
            Role::Supervisor => BasisPoints::new(2_000),
            Role::Manager => BasisPoints::MAX,
        };
        Self { permissions, discount_limit }
    }
}

/// With what right someone acts: their own, and that of whoever approved.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Nobody: the owner needs no role.
    own: Option<Holder>,
    approver: Option<Holder>,
    /// The events that say what the roles may do.
    evidence: Evidence,
}

/// Someone of the staff, and what their role may do.
#[derive(Clone, Debug)]
struct Holder {
    user: UserId,
    role: Role,
    rights: Rights,
}

impl Holder {
    fn new(user: &UserId, role: Role) -> Self {
        Self { user: user.clone(), role, rights: Rights::of(role) }
    }
}

impl Authority {
    /// The owner's: whoever may open the shop's folder by themselves.
    pub fn owner() -> Self {
        Self { own: None, approver: None, evidence: Evidence::default() }
    }

    /// That of someone of the staff, in the role they are known to have.
    pub fn staff(user: &UserId, role: Role) -> Self {
        Self { own: Some(Holder::new(user, role)), ..Self::owner() }
    }

    /// With the approval of someone who showed who they are.
    pub fn approved_by(self, user: &UserId, role: Role) -> Self {
        Self { approver: Some(Holder::new(user, role)), ..self }
    }

    /// Whether it is the owner who acts.
    pub(crate) fn is_owner(&self) -> bool {
        self.own.is_none()
    }

    /// Who approved, if anyone did.
    pub fn approver(&self) -> Option<&UserId> {
        self.approver.as_ref().map(|approver| &approver.user)
    }

    fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.own.iter().chain(&self.approver)
    }

    /// What the decision must know about it: whether those who act and approve are still on the
    /// staff, and what their roles may do by now. A change of another role does not matter.
    pub(crate) fn model(&self) -> AuthorityModel {
        self.holders().map(|holder| (membership_of(&holder.user), rights_of(holder.role))).collect()
    }

    /// The authority as history has it; the states are those of [`Authority::model`].
    pub(crate) fn confirmed(
        &self,
        known: &[(Membership, Option<RightsGiven>)],
    ) -> Result<Self, Refusal> {
        let mut confirmed = self.clone();
        let holders = confirmed.own.iter_mut().chain(&mut confirmed.approver);
        for (holder, (membership, given)) in holders.zip(known) {
            membership.confirm(holder.role)?;
            if let Some(given) = given {
                holder.rights = given.rights.clone();
                confirmed.evidence.extend(&Evidence::only(given.position));
            }
        }
        Ok(confirmed)
    }

    /// By whose right something may be done, if it may: the owner's, one's own, or the approver's.
    fn grant(&self, may: impl Fn(&Rights) -> bool) -> Option<Granted> {
        match (&self.own, &self.approver) {
            (None, _) => Some(Granted { approved_by: None }),
            (Some(own), _) if may(&own.rights) => Some(Granted { approved_by: None }),
            (_, Some(approver)) if may(&approver.rights) => {
                Some(Granted { approved_by: Some(approver.user.clone()) })
            }
            _ => None,
        }
    }

    /// What to say to who may not do something, with the right or the approval they have.
    fn refuse(&self, code: RefusalCode, what: &str) -> Refusal {
        let message = match &self.approver {
            None => format!("You may not {what} alone. Ask someone who may."),
            Some(_) => format!("Who approved may not {what} either. Ask someone who may."),
        };
        Refusal::new(code, message).action(NextAction::GetApproval).because(&self.evidence)
    }
}

/// A permission as it was granted: part of what is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Who approved it, if it was not the right of who acts.
    pub approved_by: Option<UserId>,
}

impl Context<'_> {
    /// The permission, by the right of who acts or of who approved this request; or the refusal
    /// that says what to do.
    pub fn permit(&self, permission: Permission) -> Result<Granted, Refusal> {
        let authority = &self.authority;
        let granted = authority.grant(|rights| rights.permissions.contains(&permission));
        granted.ok_or_else(|| authority.refuse(RefusalCode::NotPermitted, permission.what()))
    }

    /// The largest discount, as a share of the list price, that who acts may give.
    pub fn discount_limit(&self) -> BasisPoints {
        let own = self.authority.own.as_ref();
        own.map_or(BasisPoints::MAX, |own| own.rights.discount_limit)
    }

    /// A discount of this share, by the right of who acts or of who approved this request; or the
    /// refusal with the share that is allowed, in basis points.
    pub fn permit_discount(&self, share: BasisPoints) -> Result<Granted, Refusal> {
        let authority = &self.authority;
        authority.grant(|rights| share <= rights.discount_limit).ok_or_else(|| {
            let what = "give so large a discount";
            let limit = self.discount_limit().points();
            authority.refuse(RefusalCode::DiscountOverLimit, what).left(limit)
        })
    }
}

/// What a decision must know of those by whose right it is made.
pub(crate) type AuthorityModel =
    Vec<(DecisionProjection<Membership>, DecisionProjection<Option<RightsGiven>>)>;

/// What a role was given last.
#[derive(Clone, Debug)]
pub(crate) struct RightsGiven {
    rights: Rights,
    position: u64,
}

impl RightsGiven {
    pub(crate) fn of(event: &EventRef<'_>) -> Option<(Role, Self)> {
        let Some(ShopEvent::RoleChanged(e)) = ShopEvent::decode(event) else { return None };
        let rights = Rights { permissions: e.permissions, discount_limit: e.discount_limit };
        Some((e.role, Self { rights, position: event.position }))
    }

    pub(crate) fn rights(self) -> Rights {
        self.rights
    }
}

/// What a role may do by now: a change conflicts, of this role only.
fn rights_of(role: Role) -> DecisionProjection<Option<RightsGiven>> {
    let query = Query::tagged([RoleChanged::TYPE], &role.tag());
    DecisionProjection::last(None, query, |event| {
        let (_, given) = RightsGiven::of(event)?;
        Some(Some(given))
    })
    .named("rights", 1, role.as_str())
}

/// Says what a role may do from now on, in place of what it could.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeRole {
    /// Which role.
    pub role: Role,
    /// All that it may do. Managers keep the right to change the staff.
    pub permissions: BTreeSet<Permission>,
    /// The largest discount it may give; at most 100 %.
    pub discount_limit: BasisPoints,
}

impl Command for ChangeRole {
    const NAME: &'static str = "change_role";
    const PERMISSION: Permission = Permission::ManageStaff;
    type Model = NoHistory;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::rate("discount limit", self.discount_limit)?;
        if self.role == Role::Manager && !self.permissions.contains(&Permission::ManageStaff) {
            let message = "Managers must be able to change the staff, or nobody could.";
            return Err(input::invalid(message));
        }
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let Self { role, permissions, discount_limit } = self.clone();
        Ok(vec![RoleChanged { role, permissions, discount_limit }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::RoleChanged(_), .. }]).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{Event, EventStore, MemoryStore};
    use serde::Serialize;

    use super::*;
    use crate::event::{StaffRemoved, StaffRoleSet};
    use crate::testing::{Actor, Interrupted, at, configured, happened, of_request, refusal, seen};
    use crate::testing::{act, hired};
    use crate::{AddCustomer, SetStaffRole, Staff};

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    /// Ann is a cashier, Sam a supervisor, Mel a manager.
    fn shop() -> Vec<Event> {
        let staff = [("ann", Role::Cashier), ("sam", Role::Supervisor), ("mel", Role::Manager)];
        std::iter::once(configured()).chain(staff.map(|(id, role)| hired(id, role))).collect()
    }

    fn stored() -> MemoryStore {
        let store = MemoryStore::new();
        store.append(&shop(), None).unwrap();
        store
    }

    /// Ann at the till, as the cashier she is.
    fn ann(request: u128) -> Actor {
        Actor { authority: Authority::staff(&user("ann"), Role::Cashier), ..at("T1", request) }
    }

    fn ann_approved_by(id: &str, role: Role) -> Actor {
        let authority = ann(1).authority.approved_by(&user(id), role);
        Actor { authority, ..ann(1) }
    }

    fn cashiers_may(permissions: &[Permission], discount: u32) -> RoleChanged {
        RoleChanged {
            role: Role::Cashier,
            permissions: permissions.iter().copied().collect(),
            discount_limit: BasisPoints::new(discount),
        }
    }

    /// Something that needs a discount of this many basis points.
    #[derive(Serialize)]
    struct Discount(u32);

    impl Command for Discount {
        const NAME: &'static str = "discount";
        const PERMISSION: Permission = Permission::Sell;
        type Model = NoHistory;
        type Answer = ();

        fn model(&self, _: &Context<'_>) -> Result<Self::Model, Refusal> {
            Ok(no_history())
        }

        fn decide(&self, _: &Vec<()>, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
            let granted = context.permit_discount(BasisPoints::new(self.0))?;
            let reason = granted.approved_by.map_or("own right".into(), |user| user.to_string());
            AddCustomer { name: reason }.decide(&vec![], context)
        }

        fn answer(_: &[Recorded]) -> Option<()> {
            Some(())
        }
    }

    #[test]
    fn a_role_has_what_lesser_roles_have_and_the_owner_has_all() {
        let [cashier, supervisor, manager] = Role::ALL.map(Rights::of);
        assert!(cashier.permissions.is_subset(&supervisor.permissions));
        assert!(supervisor.permissions.is_subset(&manager.permissions));
        assert!(cashier.discount_limit < supervisor.discount_limit);
        assert_eq!(manager, Rights::all());
    }

    #[test]
    fn what_a_role_may_not_do_is_refused_with_the_next_step() {
        let store = stored();
        let hire = SetStaffRole { user: user("ann"), role: Role::Manager };
        let refusal = refusal(ann(1).act(&store, &hire).unwrap_err());
        assert_eq!(refusal.code, RefusalCode::NotPermitted);
        assert_eq!(refusal.details.action, Some(NextAction::GetApproval));
        assert_eq!(refusal.message, "You may not change the staff alone. Ask someone who may.");
        assert_eq!(store.head().unwrap(), 4);
    }

    #[test]
    fn who_may_approves_and_is_recorded_beside_who_acts() {
        let hire = SetStaffRole { user: user("ann"), role: Role::Supervisor };
        let by = |id, role| ann_approved_by(id, role);
        let approved =
            |id, role| given(shop()).when(move |store| by(id, role).act(store, &hire.clone()));
        let events = approved("mel", Role::Manager).then_accepted();
        let metadata = &events[0].metadata;
        assert_eq!(
            (metadata.user_id.as_deref(), &metadata.extra["approvedBy"]),
            (Some("ann"), &"mel".into())
        );
        let hire = SetStaffRole { user: user("ann"), role: Role::Supervisor };
        let refused = given(shop())
            .when(|store| by("sam", Role::Supervisor).act(store, &hire))
            .then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::NotPermitted);
    }

    #[test]
    fn a_manager_gives_a_role_other_rights_in_place_of_those_it_had() {
        let change = ChangeRole {
            role: Role::Cashier,
            permissions: [Permission::ManageStaff].into(),
            discount_limit: BasisPoints::new(100),
        };
        let expected = cashiers_may(&[Permission::ManageStaff], 100);
        given(shop()).when(act(change)).then_recorded(of_request([expected.clone().into()]));
        let store = stored();
        store.append(&[happened(expected)], None).unwrap();
        ann(2).act(&store, &SetStaffRole { user: user("sam"), role: Role::Cashier }).unwrap();
        let refused = ann(3).act(&store, &AddCustomer { name: "Bo".into() }).unwrap_err();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::NotPermitted);
        assert_eq!(refusal.details.because.positions(), [5]);
        let staff: Staff = seen(&store);
        assert_eq!(staff.rights_of(Role::Cashier).discount_limit, BasisPoints::new(100));
        assert_eq!(staff.rights_of(Role::Manager), Rights::all());
    }

    #[test]
    fn a_discount_limit_over_the_whole_is_refused_as_what_it_is() {
        let change = ChangeRole {
            role: Role::Cashier,
            permissions: BTreeSet::new(),
            discount_limit: BasisPoints::new(10_001),
        };
        let refusal = refusal(given(shop()).when(act(change)).then_refused());
        assert_eq!(refusal.code, RefusalCode::InvalidInput);
        assert_eq!(refusal.message, "A discount limit is 0 to 100 percent. Correct it.");
    }

    #[test]
    fn managers_cannot_lock_everyone_out_of_the_staff() {
        let change = ChangeRole {
            role: Role::Manager,
            permissions: [Permission::Sell].into(),
            discount_limit: BasisPoints::MAX,
        };
        let refused = given(shop()).when(act(change)).then_refused();
        assert_eq!(refusal(refused).code, RefusalCode::InvalidInput);
    }

    #[test]
    fn a_discount_goes_up_to_the_limit_of_the_role_or_of_the_approver() {
        let granted = |actor: Actor, rate| {
            let events =
                given(shop()).when(|store| actor.act(store, &Discount(rate))).then_accepted();
            let Some(ShopEvent::CustomerAdded(e)) = ShopEvent::decode(&events[0].at(5)) else {
                panic!("{events:?}")
            };
            e.private.name
        };
        assert_eq!(granted(ann(1), 500), "own right");
        assert_eq!(granted(at("T1", 1), 10_000), "own right");
        assert_eq!(granted(ann_approved_by("sam", Role::Supervisor), 2_000), "sam");
        for (actor, rate) in [(ann(1), 501), (ann_approved_by("sam", Role::Supervisor), 2_001)] {
            let refused =
                given(shop()).when(|store| actor.act(store, &Discount(rate))).then_refused();
            let refusal = refusal(refused);
            assert_eq!(
                (refusal.code, refusal.details.left),
                (RefusalCode::DiscountOverLimit, Some(500))
            );
        }
    }

    #[test]
    fn a_lowered_limit_conflicts_with_a_discount_and_another_role_does_not() {
        let store = stored();
        let lowered =
            || drop(store.append(&[happened(cashiers_may(&[Permission::Sell], 100))], None));
        let refused = ann(1).act(&store, &Interrupted::new(Discount(500), lowered)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::DiscountOverLimit);
        let other = RoleChanged { role: Role::Supervisor, ..cashiers_may(&[], 0) };
        let other = || {
            let others = [happened(other), hired("new", Role::Cashier)];
            drop(store.append(&others, None));
        };
        let done = ann(2).act(&store, &Interrupted::new(Discount(100), other)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
    }

    #[test]
    fn who_left_or_got_another_role_a_moment_ago_acts_in_the_old_one_no_more() {
        let act_after = |event: ShopEvent| {
            let store = stored();
            let meanwhile = || drop(store.append(&[happened(event)], None));
            refusal(ann(1).act(&store, &Interrupted::new(Discount(0), meanwhile)).unwrap_err()).code
        };
        let left = StaffRemoved { user: user("ann"), name_hash: None };
        assert_eq!(act_after(left.into()), RefusalCode::StaffUnknown);
        let moved = StaffRoleSet { user: user("ann"), role: Role::Supervisor };
        assert_eq!(act_after(moved.into()), RefusalCode::RoleJustChanged);
    }
}
