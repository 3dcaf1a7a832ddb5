//! The staff: opaque ids outside, names only inside `private`, and no two of the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dcb::{DecisionProjection, EventRef, Projection, Query, Tag};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use ts_rs::TS;

use crate::command::{Command, Context, hex};
use crate::event::{
    Person, Recorded, RoleChanged, ShopEvent, StaffAdded, StaffRemoved, StaffRoleSet, of_types,
};
use crate::ids::UserId;
use crate::input;
use crate::permission::{Permission, Rights, RightsGiven, Role};
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// The secret with which names become tags: who has only the log can neither read nor guess them.
#[derive(Clone, Default)]
pub struct NameKey([u8; 32]);

impl NameKey {
    /// A key of these bytes, which must be random and kept out of the log.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The keyed hash of a name, the same for all that are [`alike`].
    fn hash(&self, name: &str) -> NameHash {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length makes a key");
        mac.update(alike(name).as_bytes());
        NameHash(hex(&mac.finalize().into_bytes()))
    }
}

/// A name with one space between its words and none around them.
fn tidied(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a name has in common with those that only case and space tell apart from it.
fn alike(name: &str) -> String {
    tidied(name).to_lowercase()
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(secret)")
    }
}

/// HMAC-SHA256 of a name, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameHash(String);

impl NameHash {
    /// The tag that events about the name carry; none if it was not written by this program.
    pub fn tag(&self) -> Option<Tag> {
        Tag::new("staff-name", &self.0).ok()
    }
}

/// Adds someone to the staff. Their name must be nobody else's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AddStaff {
    name: String,
    role: Role,
    name_hash: NameHash,
}

impl AddStaff {
    /// Someone of this name and role; the key is the same for all of a shop's staff.
    pub fn new(name: impl Into<String>, role: Role, key: &NameKey) -> Self {
        let name = tidied(&name.into());
        Self { name_hash: key.hash(&name), name, role }
    }
}

/// Someone of the staff who was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StaffMade {
    /// The new person's id.
    pub user: UserId,
}

/// Whether a name is somebody's.
#[derive(Clone, Debug, Default)]
pub struct NameUse {
    taken: bool,
    evidence: Evidence,
}

impl Command for AddStaff {
    const NAME: &'static str = "add_staff";
    const PERMISSION: Permission = Permission::ManageStaff;
    type Model = Vec<DecisionProjection<NameUse>>;
    type Answer = StaffMade;

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::name("name", &self.name)?;
        let used = self
            .name_hash
            .tag()
            .map(|tag| Query::tagged([StaffAdded::TYPE, StaffRemoved::TYPE], &tag));
        let used = used.map(|query| {
            DecisionProjection::last(NameUse::default(), query, |event| {
                let taken = matches!(ShopEvent::decode(event)?, ShopEvent::StaffAdded(_));
                Some(NameUse { taken, evidence: Evidence::only(event.position) })
            })
            .named("name_use", 1, &self.name_hash.0)
        });
        Ok(used.into_iter().collect())
    }

    fn decide(
        &self,
        used: &Vec<NameUse>,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        if let Some(used) = used.iter().find(|used| used.taken) {
            let message = "Someone of the staff has this name. Enter another, or add an initial.";
            return Err(Refusal::new(RefusalCode::NameTaken, message)
                .action(NextAction::CorrectInput)
                .because(&used.evidence));
        }
        let (user, role) = (UserId::from(context.request_id), self.role);
        let name_hash = Some(self.name_hash.clone());
        let private = Person { name: self.name.clone() };
        Ok(vec![StaffAdded { user, role, name_hash, private }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<StaffMade> {
        match recorded {
            [Recorded { event: ShopEvent::StaffAdded(e), .. }] => {
                Some(StaffMade { user: e.user.clone() })
            }
            _ => None,
        }
    }
}

/// Gives someone of the staff another role. The last manager keeps theirs, unless the owner acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetStaffRole {
    /// Who.
    pub user: UserId,
    /// What they may do from now on.
    pub role: Role,
}

impl Command for SetStaffRole {
    const NAME: &'static str = "set_staff_role";
    const PERMISSION: Permission = Permission::ManageStaff;
    /// Whose role it is, and the managers unless it makes one.
    type Model = (DecisionProjection<Membership>, Vec<DecisionProjection<Managers>>);
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        let managers = (self.role != Role::Manager).then(managers);
        Ok((membership_of(&self.user), managers.into_iter().collect()))
    }

    fn decide(
        &self,
        (membership, managers): &(Membership, Vec<Managers>),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        membership.known()?;
        managers.iter().try_for_each(|managers| managers.can_spare(&self.user, context))?;
        Ok(vec![StaffRoleSet { user: self.user.clone(), role: self.role }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::StaffRoleSet(_), .. }]).then_some(())
    }
}

/// Takes someone off the staff. Their name may be another's from then on. The last manager stays,
/// unless the owner acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveStaff {
    /// Who.
    pub user: UserId,
}

impl Command for RemoveStaff {
    const NAME: &'static str = "remove_staff";
    const PERMISSION: Permission = Permission::ManageStaff;
    type Model = (DecisionProjection<Membership>, DecisionProjection<Managers>);
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        Ok((membership_of(&self.user), managers()))
    }

    fn decide(
        &self,
        (membership, managers): &(Membership, Managers),
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        membership.known()?;
        managers.can_spare(&self.user, context)?;
        let (user, name_hash) = (self.user.clone(), membership.name_hash.clone());
        Ok(vec![StaffRemoved { user, name_hash }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::StaffRemoved(_), .. }]).then_some(())
    }
}

/// Whether someone is on the staff, and as what.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    role: Option<Role>,
    name_hash: Option<NameHash>,
    evidence: Evidence,
}

impl Membership {
    /// Refuses who is not on the staff.
    fn known(&self) -> Result<Role, Refusal> {
        self.role.ok_or_else(|| {
            let message = "There is nobody with this id on the staff. Choose someone else.";
            Refusal::new(RefusalCode::StaffUnknown, message)
                .action(NextAction::CorrectInput)
                .because(&self.evidence)
        })
    }

    /// Refuses who acts in a role that they have no longer.
    pub(crate) fn confirm(&self, role: Role) -> Result<(), Refusal> {
        if self.known()? == role {
            return Ok(());
        }
        let message = "Somebody's role was changed just now. Try again.";
        Err(Refusal::new(RefusalCode::RoleJustChanged, message)
            .action(NextAction::TryAgain)
            .because(&self.evidence))
    }
}

/// Whether someone is on the staff: what happens to others of the staff does not matter.
pub(crate) fn membership_of(user: &UserId) -> DecisionProjection<Membership> {
    let types = [StaffAdded::TYPE, StaffRoleSet::TYPE, StaffRemoved::TYPE];
    let query = Query::tagged(types, user.tag());
    DecisionProjection::new(Membership::default(), query, |membership: &mut Membership, event| {
        match ShopEvent::decode(event) {
            Some(ShopEvent::StaffAdded(e)) => {
                (membership.role, membership.name_hash) = (Some(e.role), e.name_hash);
            }
            Some(ShopEvent::StaffRoleSet(e)) => membership.role = Some(e.role),
            Some(ShopEvent::StaffRemoved(_)) => membership.role = None,
            _ => return,
        }
        membership.evidence.push(event.position);
    })
    .named("membership", 1, user)
}

/// Who of the staff is a manager. They keep the right to change the staff whatever else their role
/// may do, so as long as there is one the staff can be changed without the owner.
#[derive(Clone, Debug, Default)]
pub struct Managers {
    users: BTreeSet<UserId>,
    evidence: Evidence,
}

/// The managers, for an act after which there may be one less: whatever else could take one away
/// conflicts, a new one does not.
fn managers() -> DecisionProjection<Managers> {
    let less = of_types([StaffRoleSet::TYPE, StaffRemoved::TYPE]);
    let query = less.clone().or(of_types([StaffAdded::TYPE]));
    DecisionProjection::new(Managers::default(), query, |managers: &mut Managers, event| {
        let (user, role) = match ShopEvent::decode(event) {
            Some(ShopEvent::StaffAdded(e)) => (e.user, Some(e.role)),
            Some(ShopEvent::StaffRoleSet(e)) => (e.user, Some(e.role)),
            Some(ShopEvent::StaffRemoved(e)) => (e.user, None),
            _ => return,
        };
        let changed = match role {
            Some(Role::Manager) => managers.users.insert(user),
            _ => managers.users.remove(&user),
        };
        if changed {
            managers.evidence.push(event.position);
        }
    })
    .named("managers", 1, "")
    .conflicts_with(less)
}

impl Managers {
    /// Refuses to take this role from the only one who has it, unless the owner does.
    fn can_spare(&self, user: &UserId, context: &Context<'_>) -> Result<(), Refusal> {
        let is_last = self.users.len() == 1 && self.users.contains(user);
        if !is_last || context.authority.is_owner() {
            return Ok(());
        }
        let message = "This is the last manager. Make someone else a manager first.";
        Err(Refusal::new(RefusalCode::LastManager, message)
            .action(NextAction::CorrectInput)
            .because(&self.evidence))
    }
}

/// Someone of the staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StaffMember {
    /// The opaque id.
    pub user: UserId,
    /// What they are called.
    pub name: String,
    /// What they are.
    pub role: Role,
}

/// A view of the staff, and of what each role may do.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    members: BTreeMap<UserId, StaffMember>,
    /// The names of those who left: what they did stays theirs.
    former: BTreeMap<UserId, String>,
    given: BTreeMap<Role, Rights>,
}

impl Staff {
    /// Someone of the staff.
    pub fn get(&self, user: &UserId) -> Option<&StaffMember> {
        self.members.get(user)
    }

    /// What someone is called who is on the staff, or was.
    pub fn name_of(&self, user: &UserId) -> Option<&str> {
        let member = self.members.get(user).map(|member| &member.name);
        member.or_else(|| self.former.get(user)).map(String::as_str)
    }

    /// Who has this name; case and space do not matter.
    pub fn by_name(&self, name: &str) -> Option<&StaffMember> {
        let name = alike(name);
        self.members.values().find(|member| alike(&member.name) == name)
    }

    /// All of the staff, by id.
    pub fn iter(&self) -> impl Iterator<Item = &StaffMember> {
        self.members.values()
    }

    /// What a role may do.
    pub fn rights_of(&self, role: Role) -> Rights {
        self.given.get(&role).cloned().unwrap_or_else(|| Rights::of(role))
    }
}

impl Projection for Staff {
    fn query(&self) -> Query {
        of_types([StaffAdded::TYPE, StaffRoleSet::TYPE, StaffRemoved::TYPE, RoleChanged::TYPE])
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        match ShopEvent::decode(event) {
            Some(ShopEvent::StaffAdded(e)) => {
                let member =
                    StaffMember { user: e.user.clone(), name: e.private.name, role: e.role };
                self.members.insert(e.user, member);
            }
            Some(ShopEvent::StaffRoleSet(e)) => {
                if let Some(member) = self.members.get_mut(&e.user) {
                    member.role = e.role;
                }
            }
            Some(ShopEvent::StaffRemoved(e)) => {
                let left = self.members.remove(&e.user);
                self.former.extend(left.map(|member| (member.user, member.name)));
            }
            Some(ShopEvent::RoleChanged(_)) => {
                self.given
                    .extend(RightsGiven::of(event).map(|(role, given)| (role, given.rights())));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use dcb::{EventStore, MemoryStore};
    use uuid::Uuid;

    use super::*;
    use crate::Authority;
    use crate::testing::{
        Actor, Interrupted, act, at, configured, hired, of_request, refusal, seen,
    };

    fn add(name: &str) -> AddStaff {
        AddStaff::new(name, Role::Cashier, &NameKey::default())
    }

    fn shop() -> MemoryStore {
        let store = MemoryStore::new();
        store.append(&[configured()], None).unwrap();
        store
    }

    #[test]
    fn staff_get_an_opaque_id_and_a_role_and_their_name_stands_only_in_private() {
        let user = UserId::from(Uuid::from_u128(1));
        let private = Person { name: "Ann".into() };
        let name_hash = Some(NameKey::default().hash("Ann"));
        let added = StaffAdded { user, role: Role::Cashier, name_hash, private };
        let recorded = of_request([added.into()]);
        assert!(recorded[0].tags.iter().all(|tag| !tag.as_str().to_lowercase().contains("ann")));
        given([configured()]).when(act(add("Ann"))).then_recorded(recorded);
    }

    #[test]
    fn no_two_of_the_staff_have_the_same_name_until_one_has_left() {
        let store = shop();
        let ann = at("T1", 1).act(&store, &add("Ann Lee")).unwrap().answer.user;
        let refused = at("T2", 2).act(&store, &add(" ann  LEE ")).unwrap_err();
        let refusal = refusal(refused);
        assert_eq!(refusal.code, RefusalCode::NameTaken);
        assert_eq!(refusal.details.because.positions(), [2]);
        at("T1", 3).act(&store, &RemoveStaff { user: ann.clone() }).unwrap();
        let again = at("T1", 4).act(&store, &add("Ann Lee")).unwrap().answer.user;
        assert_ne!(again, ann);
    }

    #[test]
    fn a_name_is_found_however_it_is_spaced_and_kept_with_one_space_between_words() {
        let store = shop();
        let ann = at("T1", 1).act(&store, &add(" Ann \t Lee ")).unwrap().answer.user;
        let staff: Staff = seen(&store);
        assert_eq!(staff.name_of(&ann), Some("Ann Lee"));
        for name in ["Ann Lee", "ann  lee", " ANN LEE"] {
            assert_eq!(staff.by_name(name).map(|member| &member.user), Some(&ann), "{name}");
        }
        assert_eq!(staff.by_name("AnnLee"), None);
    }

    #[test]
    fn the_same_name_at_the_same_moment_is_given_once_and_other_names_do_not_wait() {
        let store = shop();
        let rival = || drop(at("T2", 2).act(&store, &add("Ann")));
        let refused = at("T1", 1).act(&store, &Interrupted::new(add("Ann"), rival)).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::NameTaken);
        let rival = || drop(at("T2", 4).act(&store, &add("Ben")));
        let done = at("T1", 3).act(&store, &Interrupted::new(add("Cy"), rival)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
    }

    #[test]
    fn under_another_key_a_name_is_another_tag() {
        let hash = |key: u8, name| NameKey::new([key; 32]).hash(name);
        assert_ne!(hash(1, "Ann"), hash(2, "Ann"));
        assert_ne!(hash(1, "Ann"), hash(1, "Anna"));
        assert_eq!(hash(1, "Ann"), hash(1, "ANN "));
        assert_eq!(format!("{:?}", NameKey::new([7; 32])), "NameKey(secret)");
    }

    #[test]
    fn who_is_not_on_the_staff_gets_no_role_and_cannot_leave() {
        let store = shop();
        let nobody = UserId::new("nobody").unwrap();
        let set = SetStaffRole { user: nobody.clone(), role: Role::Manager };
        let refused = at("T1", 1).act(&store, &set).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::StaffUnknown);
        let refused = at("T1", 2).act(&store, &RemoveStaff { user: nobody }).unwrap_err();
        assert_eq!(refusal(refused).code, RefusalCode::StaffUnknown);
    }

    /// A manager at the till, who asks for this.
    fn by<C: Command>(
        store: &MemoryStore,
        user: &str,
        request: u128,
        command: &C,
    ) -> Result<(), RefusalCode> {
        let authority = Authority::staff(&UserId::new(user).unwrap(), Role::Manager);
        let actor = Actor { authority, ..at("T1", request) };
        actor.act(store, command).map(drop).map_err(|rejected| refusal(rejected).code)
    }

    fn demote(user: &str) -> SetStaffRole {
        SetStaffRole { user: UserId::new(user).unwrap(), role: Role::Supervisor }
    }

    fn remove(user: &str) -> RemoveStaff {
        RemoveStaff { user: UserId::new(user).unwrap() }
    }

    /// Mel and Max are managers, Ann is a cashier.
    fn managed() -> MemoryStore {
        let store = shop();
        let staff = [("mel", Role::Manager), ("max", Role::Manager), ("ann", Role::Cashier)];
        store.append(&staff.map(|(id, role)| hired(id, role)), None).unwrap();
        store
    }

    #[test]
    fn the_last_manager_stays_one_unless_the_owner_says_otherwise() {
        let store = managed();
        let last = Err(RefusalCode::LastManager);
        by(&store, "mel", 1, &demote("max")).unwrap();
        assert_eq!(by(&store, "mel", 2, &demote("mel")), last);
        assert_eq!(by(&store, "mel", 3, &remove("mel")), last);
        let still = SetStaffRole { role: Role::Manager, ..demote("mel") };
        by(&store, "mel", 4, &still).unwrap();
        by(&store, "mel", 5, &remove("ann")).unwrap();
        at("T1", 6).act(&store, &demote("mel")).unwrap();
        assert_eq!(seen::<Staff>(&store).iter().filter(|m| m.role == Role::Manager).count(), 0);
    }

    #[test]
    fn two_managers_who_leave_or_demote_each_other_at_the_same_moment_leave_one() {
        type Act = fn(&MemoryStore, &str, &str, u128) -> Result<(), RefusalCode>;
        let acts: [Act; 3] = [
            |store, own, _, n| by(store, own, n, &demote(own)),
            |store, own, _, n| by(store, own, n, &remove(own)),
            |store, own, other, n| by(store, own, n, &demote(other)),
        ];
        for act in acts {
            let store = managed();
            let results = std::thread::scope(|scope| {
                let one = scope.spawn(|| act(&store, "mel", "max", 1));
                let other = scope.spawn(|| act(&store, "max", "mel", 2));
                [one.join().unwrap(), other.join().unwrap()]
            });
            let done = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!(done, 1, "{results:?}");
        }
    }

    #[test]
    fn a_manager_who_leaves_meanwhile_conflicts_and_a_new_one_does_not() {
        let store = managed();
        let rival = || at("T2", 2).act(&store, &demote("max")).map(drop).unwrap();
        let leave = Interrupted::new(remove("mel"), rival);
        assert_eq!(by(&store, "mel", 1, &leave), Err(RefusalCode::LastManager));
        let promote = SetStaffRole { role: Role::Manager, ..demote("ann") };
        let hire = || drop(store.append(&[hired("new", Role::Manager)], None).unwrap());
        let done = at("T1", 3).act(&store, &Interrupted::new(demote("mel"), hire)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
        let rival = || drop(at("T2", 5).act(&store, &demote("new")).unwrap());
        let done = at("T1", 4).act(&store, &Interrupted::new(promote, rival)).unwrap();
        assert_eq!(done.trace.conflicts(), 0);
    }

    #[test]
    fn the_staff_is_seen_with_roles_as_they_are_now_and_the_names_of_who_left() {
        let store = shop();
        store.append(&[hired("a", Role::Cashier), hired("b", Role::Manager)], None).unwrap();
        let user = UserId::new("a").unwrap();
        at("T1", 1)
            .act(&store, &SetStaffRole { user: user.clone(), role: Role::Supervisor })
            .unwrap();
        let staff: Staff = seen(&store);
        assert_eq!(staff.get(&user).unwrap().role, Role::Supervisor);
        assert_eq!(staff.by_name(" A").unwrap().user, user);
        at("T1", 2).act(&store, &RemoveStaff { user: user.clone() }).unwrap();
        let staff: Staff = seen(&store);
        assert_eq!(staff.iter().count(), 1);
        assert_eq!((staff.get(&user), staff.by_name("a")), (None, None));
        assert_eq!(staff.name_of(&user), Some("a"));
        assert_eq!(staff.name_of(&UserId::new("b").unwrap()), Some("b"));
        assert_eq!(staff.name_of(&UserId::new("c").unwrap()), None);
    }

    #[test]
    fn a_person_without_a_name_is_refused() {
        for name in ["", "  ", &"x".repeat(input::MAX_TEXT_CHARS + 1)] {
            let refused = given([configured()]).when(act(add(name))).then_refused();
            assert_eq!(refusal(refused).code, RefusalCode::InvalidInput, "{name:?}");
        }
    }
}
