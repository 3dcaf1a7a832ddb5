//! Queries: which events a reader or a condition is about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{EventRef, Tag};

/// Which events are meant: all of them, or those that match at least one [`QueryItem`].
///
/// In JSON: `{"all":true}` or `{"items":[{"types":["T"],"tags":["k:v"]}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "json::Query", into = "json::Query")]
pub struct Query {
    /// `None` is every event; otherwise at least one item.
    items: Option<Vec<QueryItem>>,
}

/// One alternative of a [`Query`]: the event's type is one of `types` (or `types` is empty) **and**
/// the event carries all of `tags`. At least one of the two is not empty.
///
/// A copy is cheap: a decision holds each of its items several times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryItem(Arc<Item>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Item {
    types: Vec<String>,
    tags: Vec<Tag>,
}

/// Why something is not a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// An item names neither a type nor a tag.
    #[error(
        "a query item needs at least one type or one tag; use {{\"all\":true}} for every event"
    )]
    EmptyItem,
    /// A type in an item is blank.
    #[error("a query item has a blank event type")]
    BlankType,
    /// There is neither `all` nor an item, or both.
    #[error("a query is either {{\"all\":true}} or {{\"items\":[…]}} with at least one item")]
    NeitherAllNorItems,
}

impl QueryItem {
    /// An item of types and tags. Either may be empty, but not both, and no type may be blank.
    pub fn new<T: Into<String>>(
        types: impl IntoIterator<Item = T>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Result<Self, InvalidQuery> {
        let types: Vec<String> = types.into_iter().map(Into::into).collect();
        let tags: Vec<Tag> = tags.into_iter().collect();
        if types.is_empty() && tags.is_empty() {
            return Err(InvalidQuery::EmptyItem);
        }
        if types.iter().any(|t| t.trim().is_empty()) {
            return Err(InvalidQuery::BlankType);
        }
        Ok(Self(Arc::new(Item { types, tags })))
    }

    /// The types of which an event must have one; empty means any type.
    pub fn types(&self) -> &[String] {
        &self.0.types
    }

    /// The tags of which an event must carry all; empty means any.
    pub fn tags(&self) -> &[Tag] {
        &self.0.tags
    }

    /// Whether an event has one of the types and all of the tags.
    pub fn matches(&self, event: &EventRef<'_>) -> bool {
        let Item { types, tags } = &*self.0;
        (types.is_empty() || types.iter().any(|t| t == event.event_type))
            && tags.iter().all(|tag| event.tags.contains(tag))
    }
}

impl Query {
    /// Every event.
    pub fn all() -> Self {
        Self { items: None }
    }

    /// Events of one of these types.
    pub fn types<T: Into<String>>(
        types: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidQuery> {
        Ok(QueryItem::new(types, [])?.into())
    }

    /// Events that carry all of these tags.
    pub fn tags(tags: impl IntoIterator<Item = Tag>) -> Result<Self, InvalidQuery> {
        Ok(QueryItem::new::<String>([], tags)?.into())
    }

    /// Events of one of these types that carry this tag. It cannot fail: the tag makes the item
    /// valid, and a blank type matches nothing.
    pub fn tagged<const N: usize>(types: [&str; N], tag: &Tag) -> Self {
        let types = types.into_iter().map(Into::into).collect();
        QueryItem(Arc::new(Item { types, tags: vec![tag.clone()] })).into()
    }

    /// Events that match at least one of the items; without an item it is an error.
    pub fn any_of(items: impl IntoIterator<Item = QueryItem>) -> Result<Self, InvalidQuery> {
        let items: Vec<QueryItem> = items.into_iter().collect();
        if items.is_empty() {
            return Err(InvalidQuery::NeitherAllNorItems);
        }
        Ok(Self { items: Some(items) })
    }

    /// Events that match this query or the other.
    pub fn or(self, other: Self) -> Self {
        match (self.items, other.items) {
            (Some(mut items), Some(more)) => {
                items.extend(more);
                Self { items: Some(items) }
            }
            _ => Self::all(),
        }
    }

    /// The one query that matches what any of these matches; `None` if there are none. Items that
    /// stand in several of them are kept once.
    pub fn union<'q>(queries: impl IntoIterator<Item = &'q Query>) -> Option<Self> {
        let mut seen = std::collections::HashSet::new();
        let mut items = Vec::new();
        let mut any = false;
        for query in queries {
            any = true;
            match &query.items {
                None => return Some(Self::all()),
                Some(more) => items.extend(more.iter().filter(|i| seen.insert(*i)).cloned()),
            }
        }
        any.then_some(Self { items: Some(items) })
    }

    /// The alternatives, or `None` for every event.
    pub fn items(&self) -> Option<&[QueryItem]> {
        self.items.as_deref()
    }

    /// Whether an event is meant. This is the one definition of *matches*: every store is tested
    /// against it.
    pub fn matches(&self, event: &EventRef<'_>) -> bool {
        self.items.as_ref().is_none_or(|items| items.iter().any(|item| item.matches(event)))
    }
}

impl From<QueryItem> for Query {
    fn from(item: QueryItem) -> Self {
        Self { items: Some(vec![item]) }
    }
}

/// The JSON form, checked on the way in.
mod json {
    use serde::{Deserialize, Serialize};

    use super::InvalidQuery;
    use crate::Tag;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Query {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        all: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        items: Vec<Item>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<Tag>,
    }

    impl TryFrom<Query> for super::Query {
        type Error = InvalidQuery;

        fn try_from(query: Query) -> Result<Self, InvalidQuery> {
            match (query.all, query.items.is_empty()) {
                (true, true) => Ok(Self::all()),
                (false, false) => {
                    let items: Result<Vec<_>, _> = query
                        .items
                        .into_iter()
                        .map(|item| super::QueryItem::new(item.types, item.tags))
                        .collect();
                    Self::any_of(items?)
                }
                _ => Err(InvalidQuery::NeitherAllNorItems),
            }
        }
    }

    impl From<super::Query> for Query {
        fn from(query: super::Query) -> Self {
            let all = query.items.is_none();
            let items = query.items.unwrap_or_default();
            let item = |item: &super::QueryItem| Item {
                types: item.types().to_vec(),
                tags: item.tags().to_vec(),
            };
            Self { all, items: items.iter().map(item).collect() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn sale() -> Event {
        Event::builder("ProductSold").tag("product", "1").tag("customer", "7").build().unwrap()
    }

    fn matches(query: &Query) -> bool {
        query.matches(&sale().at(1))
    }

    #[test]
    fn an_item_wants_one_of_its_types_and_all_of_its_tags() {
        let item = |types: &[&str], tags: &[&str]| {
            Query::from(QueryItem::new(types.to_vec(), tags.iter().map(|t| tag(t))).unwrap())
        };
        assert!(matches(&item(&["StockTaken", "ProductSold"], &[])));
        assert!(matches(&item(&[], &["product:1"])));
        assert!(matches(&item(&["ProductSold"], &["product:1", "customer:7"])));
        assert!(!matches(&item(&["ProductSold"], &["product:1", "customer:8"])));
        assert!(!matches(&item(&["StockTaken"], &["product:1"])));
    }

    #[test]
    fn items_are_alternatives() {
        let query =
            Query::types(["StockTaken"]).unwrap().or(Query::tags([tag("product:1")]).unwrap());
        assert!(matches(&query));
        assert!(matches(&query.or(Query::all())));
    }

    #[test]
    fn the_json_form_round_trips_and_refuses_what_means_nothing() {
        for text in
            [r#"{"all":true}"#, r#"{"items":[{"types":["T"],"tags":["k:v"]},{"tags":["a:b"]}]}"#]
        {
            let query: Query = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&query).unwrap(), text);
        }
        for bad in [
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{}]}"#,
            r#"{"all":true,"items":[{"types":["T"]}]}"#,
            r#"{"items":[{"types":[" "]}]}"#,
            r#"{"items":[{"tags":["nocolon"]}]}"#,
            r#"{"al":true}"#,
        ] {
            assert!(serde_json::from_str::<Query>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_union_keeps_each_item_once() {
        let (a, b) = (Query::types(["A"]).unwrap(), Query::types(["B"]).unwrap());
        assert_eq!(Query::union([&a, &b, &a]), Some(a.clone().or(b)));
        assert_eq!(Query::union([&a, &Query::all()]), Some(Query::all()));
        assert_eq!(Query::union([]), None);
    }
}
