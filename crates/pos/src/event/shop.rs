//! The shop and its people: settings, customers, staff.

use serde::{Deserialize, Serialize};

use super::about;
use crate::ids::{CustomerId, UserId};
use crate::people::Role;
use crate::settings::ShopSettings;

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
    /// What is personal.
    pub private: Person,
}

about! {
    ShopConfigured {}
    CustomerAdded { customer }
    StaffAdded { user }
}
