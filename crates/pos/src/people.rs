//! Customers: opaque ids outside, names only inside `private`.

use std::collections::HashSet;

use dcb::{DecisionProjection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::command::{Command, Context, NoHistory, no_history};
use crate::event::{CustomerAdded, Person, Recorded, ShopEvent};
use crate::ids::CustomerId;
use crate::input;
use crate::permission::Permission;
use crate::refusal::{NextAction, Refusal, RefusalCode};

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

/// Takes over customers from elsewhere under the ids they have there, all or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddCustomers {
    /// The customers, at most [`MAX_LINES`](crate::MAX_LINES).
    pub customers: Vec<CustomerFromElsewhere>,
}

/// A customer who has an id already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerFromElsewhere {
    /// The id; no customer has it here.
    pub customer: CustomerId,
    /// The customer's name.
    pub name: String,
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
        Ok(vec![added(CustomerId::from(context.request_id), &self.name)])
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

impl Command for AddCustomers {
    const NAME: &'static str = "add_customers";
    const PERMISSION: Permission = Permission::AddCustomers;
    type Model = Vec<DecisionProjection<bool>>;
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::lines(self.customers.len())?;
        let mut seen = HashSet::new();
        for (index, CustomerFromElsewhere { customer, name }) in self.customers.iter().enumerate() {
            let is_new = seen.insert(customer);
            let checked = if is_new { input::name("name", name) } else { Err(exists(customer)) };
            checked.map_err(|refusal| refusal.line(input::line_number(index)))?;
        }
        let is_free = |new: &CustomerFromElsewhere| {
            is_known(&new.customer).conflicts_with(additions_of(&new.customer))
        };
        Ok(self.customers.iter().map(is_free).collect())
    }

    fn decide(&self, known: &Vec<bool>, _context: &Context<'_>) -> Result<Vec<ShopEvent>, Refusal> {
        let new = self.customers.iter().zip(known).enumerate();
        new.map(|(index, (CustomerFromElsewhere { customer, name }, is_known))| match is_known {
            false => Ok(added(customer.clone(), name)),
            true => Err(exists(customer).line(input::line_number(index))),
        })
        .collect()
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::CustomerAdded(_), .. }, ..]).then_some(())
    }
}

fn added(customer: CustomerId, name: &str) -> ShopEvent {
    CustomerAdded { customer, private: Person { name: name.to_owned() } }.into()
}

fn exists(customer: &CustomerId) -> Refusal {
    let message = format!("There is a customer {customer} already. Leave it out.");
    Refusal::new(RefusalCode::CustomerExists, message).action(NextAction::CorrectInput)
}

/// Whether a customer was added. Nobody is ever taken away, so nothing conflicts.
pub(crate) fn is_known(customer: &CustomerId) -> DecisionProjection<bool> {
    DecisionProjection::last(false, additions_of(customer), |_| Some(true))
        .named("customer_known", 1, customer)
        .conflicts_with_nothing()
}

fn additions_of(customer: &CustomerId) -> Query {
    Query::tagged([CustomerAdded::TYPE], customer.tag())
}

/// Refuses a customer who was never added; the answer is that of [`is_known`].
pub(crate) fn must_be_known(is_known: bool) -> Result<(), Refusal> {
    if is_known {
        return Ok(());
    }
    let message = "There is no such customer. Add them first.";
    Err(Refusal::new(RefusalCode::CustomerUnknown, message).action(NextAction::ChooseCustomer))
}

#[cfg(test)]
mod tests {
    use dcb::MemoryStore;
    use dcb::testing::given;

    use super::*;
    use crate::testing::{
        Interrupted, act, at, configured, customer, customer_added, of_request, refusal, stored,
    };

    fn take_over(ids: &[&str]) -> AddCustomers {
        let from_elsewhere = |id: &&str| {
            let (customer, name) = (customer(id), format!("Customer {id}"));
            CustomerFromElsewhere { customer, name }
        };
        AddCustomers { customers: ids.iter().map(from_elsewhere).collect() }
    }

    #[test]
    fn a_person_without_a_name_is_refused() {
        for name in ["", "  ", &"x".repeat(input::MAX_TEXT_CHARS + 1)] {
            let add = AddCustomer { name: name.to_owned() };
            let refusal = refusal(given([configured()]).when(act(add)).then_refused());
            assert_eq!(refusal.code, RefusalCode::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn customers_from_elsewhere_keep_their_ids() {
        let added = ["17850", "12583"].map(|id| {
            let private = Person { name: format!("Customer {id}") };
            CustomerAdded { customer: customer(id), private }.into()
        });
        given([configured()])
            .when(act(take_over(&["17850", "12583"])))
            .then_recorded(of_request(added));
    }

    #[test]
    fn customers_from_elsewhere_are_taken_over_once_and_all_or_none() {
        let past = || [configured(), customer_added("7")];
        let nameless = |id| {
            let mut add = take_over(&[id]);
            add.customers[0].name = " ".into();
            add
        };
        for (odd, code, line) in [
            (take_over(&[]), RefusalCode::Empty, None),
            (take_over(&["8", "7"]), RefusalCode::CustomerExists, Some(2)),
            (take_over(&["8", "9", "8"]), RefusalCode::CustomerExists, Some(3)),
            (nameless("8"), RefusalCode::InvalidInput, Some(1)),
        ] {
            let refusal = refusal(given(past()).when(act(odd)).then_refused());
            assert_eq!((refusal.code, refusal.details.line), (code, line));
        }
    }

    #[test]
    fn the_same_customer_is_taken_over_once_and_others_do_not_wait() {
        let conflicts = |rival: &[&str]| {
            let store: MemoryStore = stored(&[configured()]);
            let rival = || drop(at("T2", 2).act(&store, &take_over(rival)).unwrap());
            let done = at("T1", 1).act(&store, &Interrupted::new(take_over(&["7"]), rival));
            done.map(|done| done.trace.conflicts()).map_err(|rejected| refusal(rejected).code)
        };
        assert_eq!(conflicts(&["8", "7"]), Err(RefusalCode::CustomerExists));
        assert_eq!(conflicts(&["8"]), Ok(0));
    }
}
