//! Customers: opaque ids outside, names only inside `private`.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{CustomerAdded, Person, Recorded, ShopEvent};
use crate::ids::CustomerId;
use crate::input;
use crate::permission::Permission;
use crate::refusal::Refusal;

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
    const PERMISSION: Permission = Permission::AddCustomers;
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

#[cfg(test)]
mod tests {
    use dcb::testing::given;

    use super::*;
    use crate::refusal::RefusalCode;
    use crate::testing::{act, configured, refusal};

    #[test]
    fn a_person_without_a_name_is_refused() {
        for name in ["", "  ", &"x".repeat(input::MAX_TEXT_CHARS + 1)] {
            let add = AddCustomer { name: name.to_owned() };
            let refusal = refusal(given([configured()]).when(act(add)).then_refused());
            assert_eq!(refusal.code, RefusalCode::InvalidInput, "{name:?}");
        }
    }
}
