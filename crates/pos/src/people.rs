//! Customers and staff: opaque ids outside, names only inside `private`.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{CustomerAdded, Person, Recorded, ShopEvent, StaffAdded};
use crate::ids::{CustomerId, UserId};
use crate::input;
use crate::refusal::Refusal;

/// What someone of the staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sells.
    Cashier,
    /// Sells, and approves what a cashier may not do alone.
    Supervisor,
    /// Runs the shop.
    Manager,
}

/// Adds a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddCustomer {
    /// The customer's name.
    pub name: String,
}

/// A customer that was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CustomerMade {
    /// The new customer's id.
    pub customer: CustomerId,
}

impl Command for AddCustomer {
    const NAME: &'static str = "add_customer";
    type Model = NoHistory;
    type Answer = CustomerMade;

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::name("name", &self.name)?;
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let customer = CustomerId::from(context.request_id);
        let private = Person { name: self.name.clone() };
        Ok(vec![CustomerAdded { customer, private }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<CustomerMade> {
        match recorded {
            [Recorded { event: ShopEvent::CustomerAdded(e), .. }] => {
                Some(CustomerMade { customer: e.customer.clone() })
            }
            _ => None,
        }
    }
}

/// Adds someone to the staff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddStaff {
    /// The person's name.
    pub name: String,
    /// What the person may do.
    pub role: Role,
}

/// Someone of the staff who was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StaffMade {
    /// The new person's id.
    pub user: UserId,
}

impl Command for AddStaff {
    const NAME: &'static str = "add_staff";
    type Model = NoHistory;
    type Answer = StaffMade;

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::name("name", &self.name)?;
        Ok(no_history())
    }

    fn decide(&self, _: &Vec<()>, context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let user = UserId::from(context.request_id);
        let private = Person { name: self.name.clone() };
        Ok(vec![StaffAdded { user, role: self.role, private }.into()])
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

#[cfg(test)]
mod tests {
    use dcb::testing::given;
    use uuid::Uuid;

    use super::*;
    use crate::refusal::RefusalCode;
    use crate::testing::{act, configured, of_request, refusal};

    #[test]
    fn staff_get_an_opaque_id_and_a_role() {
        let user = UserId::from(Uuid::from_u128(1));
        let private = Person { name: "Ann".into() };
        let role = Role::Manager;
        given([configured()])
            .when(act(AddStaff { name: "Ann".into(), role }))
            .then_recorded(of_request([StaffAdded { user, role, private }.into()]));
    }

    #[test]
    fn a_person_without_a_name_is_refused() {
        for name in ["", "  ", &"x".repeat(input::MAX_TEXT_CHARS + 1)] {
            let add = AddCustomer { name: name.to_owned() };
            let refusal = refusal(given([configured()]).when(act(add)).then_refused());
            assert_eq!(refusal.code, RefusalCode::InvalidInput, "{name:?}");
        }
    }
}
