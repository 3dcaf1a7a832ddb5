//! The seven examples of <https://dcb.events/examples/>, each in a file that can be read alone:
//! what happens, which rule may refuse, what the decision depends on, and its tests.

mod course_subscriptions;
mod dynamic_product_price;
mod event_sourced_aggregate;
mod invoice_number;
mod opt_in_token;
mod prevent_record_duplication;
mod unique_username;
