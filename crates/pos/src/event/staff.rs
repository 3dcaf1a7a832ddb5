//! What happens to the staff, and what it was refused.

use std::collections::BTreeSet;

use dcb::Tag;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{About, about};
use crate::ids::{ProductId, TillId, UserId, refused_tag};
use crate::money::BasisPoints;
use crate::permission::{Permission, Role};
use crate::refusal::RefusalCode;
use crate::staff::NameHash;

/// Someone of the staff got another role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffRoleSet {
    /// Who.
    pub user: UserId,
    /// What they may do from now on.
    pub role: Role,
}

/// Someone left the staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffRemoved {
    /// Who.
    pub user: UserId,
    /// The keyed hash of the name that is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_hash: Option<NameHash>,
}

/// A role got other rights, in place of those it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleChanged {
    /// Which role.
    pub role: Role,
    /// All that it may do from now on. What later versions let somebody permit is not among it:
    /// an update never widens a role that was changed.
    pub permissions: BTreeSet<Permission>,
    /// The largest discount it may give.
    pub discount_limit: BasisPoints,
}

/// A rule said no. Nothing depends on it: it is there to be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActRefused {
    /// The request that was refused. It may be sent again, and then perhaps be done.
    pub request: Uuid,
    /// What was to be done: `checkout`.
    pub command: String,
    /// Where.
    pub till: TillId,
    /// Which rule refused.
    pub code: RefusalCode,
    /// What the cashier was told.
    pub message: String,
    /// The product in question, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
}

about! {
    StaffRoleSet { user }
}

impl About for StaffRemoved {
    fn tags(&self) -> Vec<Tag> {
        staff_tags(&self.user, self.name_hash.as_ref())
    }
}

impl About for RoleChanged {
    fn tags(&self) -> Vec<Tag> {
        vec![self.role.tag()]
    }
}

impl About for ActRefused {
    fn tags(&self) -> Vec<Tag> {
        vec![refused_tag(self.request)]
    }
}

/// Someone of the staff, and the name that only one of them may have.
pub(super) fn staff_tags(user: &UserId, name: Option<&NameHash>) -> Vec<Tag> {
    std::iter::once(user.tag().clone()).chain(name.and_then(NameHash::tag)).collect()
}
