//! The word that was meant by one that nobody knows.

/// Of the words that are known the one most like `word`; none if even that one is quite another.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    let known = known.into_iter().map(|known| (distance(&word, known), known));
    let (changes, nearest) = known.min_by_key(|(changes, _)| *changes)?;
    (2 * changes <= nearest.chars().count()).then_some(nearest)
}

/// How many letters must be put in, left out or changed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, in_a) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, in_b) in row.iter_mut().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(in_a != in_b)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood_and_another_word_is_not() {
        let known = ["price", "cost", "tax_rate"];
        assert_eq!(nearest("Tax Rate", known), Some("tax_rate"));
        assert_eq!(nearest("taxrate", known), Some("tax_rate"));
        assert_eq!(nearest("prise", known), Some("price"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("price", []), None);
    }
}
