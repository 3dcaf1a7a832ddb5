//! The seven examples of <https://dcb.events/examples/>, as they stand in `tests/examples`, where
//! `cargo test` runs them. Each can be read alone: what happens, which rule may refuse, what the
//! decision depends on, and its tests.

macro_rules! examples {
    ($($name:ident $file:literal $what:literal)+) => {
        $(
            #[doc = $what]
            #[doc = concat!("\n```ignore\n", include_str!(concat!("../tests/examples/", $file)), "```")]
            pub mod $name {}
        )+
    };
}

examples! {
    course_subscriptions "course_subscriptions.rs" "A rule that spans two entities."
    unique_username "unique_username.rs" "A name that is unique, and free again after a while."
    invoice_number "invoice_number.rs" "Numbers without a gap."
    dynamic_product_price "dynamic_product_price.rs" "A cart of prices that were shown a while ago."
    opt_in_token "opt_in_token.rs" "A one-time password that expires, without a table of tokens."
    prevent_record_duplication "prevent_record_duplication.rs" "A form that is sent twice."
    event_sourced_aggregate "event_sourced_aggregate.rs" "An aggregate of old, on such a store."
}
