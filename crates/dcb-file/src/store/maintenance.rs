//! Adding tags to past events.

use dcb::{
    AppendCondition, AppendOptions, EventRef, EventStore, InvalidAppend, MAX_COMMIT_EVENTS,
    MAX_EVENT_BYTES, Maintenance, Query, ReadOptions, StoreError, Tag, TagsAdded, missing_tags,
};

use super::FileStore;
use crate::added_tags::{AddedTags, lines};
use crate::line::unwritable;

impl Maintenance for FileStore {
    fn add_tags(
        &self,
        event_type: &str,
        factory: &mut dyn FnMut(&EventRef<'_>) -> Vec<Tag>,
    ) -> Result<TagsAdded, StoreError> {
        let Ok(query) = Query::types([event_type]) else {
            return Err(InvalidAppend::BlankType { index: 0 }.into());
        };
        let mut before = self.log().added();
        let mut added = TagsAdded { events: 0, tags: 0, position: None };
        let mut wanted = Vec::new();
        let mut seen = 0;
        // Events that come while others are looked at are looked at next.
        loop {
            let mut events = self.read(&query, ReadOptions::from(seen + 1))?;
            let now = self.log().added();
            if now.position() != before.position() {
                // Somebody else has added tags: what is missing may not be any more.
                (before, wanted, seen) = (now, Vec::new(), 0);
                added = TagsAdded { events: 0, tags: 0, position: None };
                continue;
            }
            while let Some(event) = events.next_ref()? {
                let missing = missing_tags(&event, factory(&event));
                added.events += 1;
                added.tags += missing.len() as u64;
                if !missing.is_empty() {
                    wanted.push((event.position, missing));
                }
            }
            seen = events.head();
            if wanted.is_empty() {
                return Ok(added);
            }
            let condition =
                AppendCondition { fail_if_events_match: query.clone(), after: Some(seen) };
            match self.append_lines(event_type, &before, &wanted, condition) {
                Err(StoreError::ConditionFailed { .. }) => {}
                appended => return Ok(TagsAdded { position: Some(appended?), ..added }),
            }
        }
    }
}

impl FileStore {
    /// Appends the commit that adds tags, and returns the position of its last line.
    fn append_lines(
        &self,
        event_type: &str,
        before: &AddedTags,
        tags: &[(u64, Vec<Tag>)],
        condition: AppendCondition,
    ) -> Result<u64, StoreError> {
        let lines = match lines(event_type, before, tags) {
            Ok(lines) => lines,
            Err(error) => return Err(unwritable(&serde::ser::Error::custom(error))),
        };
        if lines.len() > MAX_COMMIT_EVENTS {
            return Err(InvalidAppend::TooManyEvents { count: lines.len() }.into());
        }
        for (index, line) in lines.iter().enumerate() {
            let bytes = line.data.as_str().len();
            if bytes > MAX_EVENT_BYTES {
                return Err(InvalidAppend::TooLarge { index, bytes }.into());
            }
        }
        let options = AppendOptions { condition: Some(condition), ..AppendOptions::default() };
        let positions = self.append_in_group(&lines, &options)?;
        Ok(*positions.end())
    }
}
