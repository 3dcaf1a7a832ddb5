//! The events every store is filled with.

use crate::engine::Draft;

/// Five types that every entity has about equally often.
const COMMON_TYPES: [&str; 5] =
    ["ProductSold", "ProductReturned", "PriceChanged", "StockReceived", "StockCounted"];

/// A type of which there are 100 events, however large the store is.
pub(crate) const RARE_TYPE: &str = "ProductRecalled";

/// How many events an entity has, spread over the whole store.
pub(crate) const EVENTS_PER_ENTITY: u64 = 100;

/// Coprime to every number of entities: it is prime and larger than the factors of any.
const SHUFFLE: u64 = 2_147_483_647;

/// A shop's history of this many events: each of them concerns one product of which there are 100
/// events, and one customer of whom there are about 20.
#[derive(Clone, Copy)]
pub(crate) struct Corpus {
    pub(crate) events: u64,
}

impl Corpus {
    /// How many entities there are: at least two.
    pub(crate) fn entities(self) -> u64 {
        (self.events / EVENTS_PER_ENTITY).max(2)
    }

    /// The event at position `index + 1`.
    pub(crate) fn draft(self, index: u64) -> Draft {
        let entities = self.entities();
        let (block, within) = (index / entities, index % entities);
        let entity = (within * SHUFFLE + block * 104_729) % entities;
        let event_type = match within == entities / 2 {
            true => RARE_TYPE,
            false => common_type(block + entity),
        };
        let customer = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (self.events / 20).max(1);
        draft(event_type, entity_tag(entity), format!("customer:{customer}"), index)
    }

    pub(crate) fn drafts(self) -> impl Iterator<Item = Draft> {
        (0..self.events).map(move |index| self.draft(index))
    }
}

pub(crate) fn common_type(number: u64) -> &'static str {
    let [first, ..] = COMMON_TYPES;
    let index = usize::try_from(number % COMMON_TYPES.len() as u64).unwrap_or_default();
    COMMON_TYPES.get(index).copied().unwrap_or(first)
}

pub(crate) fn entity_tag(entity: u64) -> String {
    format!("product:{entity}")
}

/// An event with 196 bytes of JSON.
pub(crate) fn draft(event_type: &'static str, entity: String, other: String, number: u64) -> Draft {
    const BYTES: usize = 196;
    const WORDS: &str = "WHITE HANGING HEART T-LIGHT HOLDER, SET OF 6 RED RETROSPOT CAKE TINS, \
                         REGENCY CAKESTAND 3 TIER, JUMBO BAG RED RETROSPOT, PARTY BUNTING, LUNCH BAG";
    let quantity = number % 9 + 1;
    let price = number * 7 % 5000 + 99;
    let mut data = format!(
        r#"{{"receipt":"T1-{number:010}","quantity":{quantity},"unitPrice":{price},"currency":"GBP","description":""#
    );
    let room = BYTES.saturating_sub(data.len() + 2);
    data.push_str(WORDS.get(..room).unwrap_or(WORDS));
    data.push_str("\"}");
    Draft { event_type, tags: [entity, other], data }
}
