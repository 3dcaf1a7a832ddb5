//! The shop and its people: settings, customers, staff.

use dcb::Tag;
use serde::{Deserialize, Serialize};

use super::staff::staff_tags;
use super::{About, about};
use crate::ids::{CustomerId, UserId};
use crate::permission::Role;
use crate::settings::ShopSettings;
use crate::staff::NameHash;

/// The shop got its settings, or other ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShopConfigured {
    /// The settings from now on.
    pub settings: ShopSettings,
}

/// What is personal about a customer or a member of staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The name.
    pub name: String,
}

/// A customer was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerAdded {
    /// The opaque id.
    pub customer: CustomerId,
    /// What is personal.
    pub private: Person,
}

/// Someone joined the staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffAdded {
    /// The opaque id.
    pub user: UserId,
    /// What the person may do.
    pub role: Role,
    /// The keyed hash of the name, by which no two are the same; the oldest events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_hash: Option<NameHash>,
    /// What is personal.
    pub private: Person,
}

about! {
    ShopConfigured {}
    CustomerAdded { customer }
}

impl About for StaffAdded {
    fn tags(&self) -> Vec<Tag> {
        staff_tags(&self.user, self.name_hash.as_ref())
    }
}
