//! Decimal numbers as people write them, read exactly: no floats on the way.

use pos::Money;

/// Why a text is not the number that was asked for; each message finishes "the price …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDecimal {
    /// It is not a sign, digits and at most one dot.
    #[error("is no number")]
    NotANumber,
    /// A digit other than zero stands beyond the last decimal that counts.
    #[error("has more than {decimals} decimals")]
    TooManyDecimals {
        /// How many count.
        decimals: u32,
    },
    /// It does not fit.
    #[error("is too large")]
    TooLarge,
}

/// Reads `text` as a multiple of 10^-`decimals`: `scaled("2.5", 2)` is 250.
///
/// A sign, plain digits and one dot, with space around; zeros beyond the last decimal are fine.
/// Exponents, separators, `NaN` and the like are no numbers.
pub(crate) fn scaled(text: &str, decimals: u32) -> Result<i64, InvalidDecimal> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    if !has_digits || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(InvalidDecimal::NotANumber);
    }
    let counted = usize::try_from(decimals).unwrap_or(usize::MAX).min(fraction.len());
    let (kept, beyond) = fraction.split_at(counted);
    if beyond.bytes().any(|b| b != b'0') {
        return Err(InvalidDecimal::TooManyDecimals { decimals });
    }
    let padding = std::iter::repeat_n(b'0', usize::try_from(decimals).unwrap_or(0) - counted);
    whole
        .bytes()
        .chain(kept.bytes())
        .chain(padding)
        .try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
        .map(|value| if negative { -value } else { value })
        .ok_or(InvalidDecimal::TooLarge)
}

/// Reads the number of a record's field like [`scaled`]; or says in a sentence why it is none.
pub(crate) fn number(what: &str, text: &str, decimals: u32) -> Result<i64, String> {
    scaled(text, decimals).map_err(|error| match text.trim() {
        "" => format!("the record has no {what}"),
        text => format!("the {what} {} {error}", quoted(text)),
    })
}

/// Reads the price in a record's field, 0 to [`Money::MAX_PRICE`]; or says in a sentence why it is
/// none.
pub(crate) fn price(what: &str, text: &str, decimals: u32) -> Result<Money, String> {
    match Money::new(number(what, text, decimals)?) {
        price if price < Money::ZERO => Err(format!("the {what} {} is negative", quoted(text))),
        price if price > Money::MAX_PRICE => {
            Err(format!("the {what} {} is too large", quoted(text)))
        }
        price => Ok(price),
    }
}

/// A text from a file in quotes, short enough for a sentence: a quotation mark that nobody closed
/// makes one field of half a file.
pub(crate) fn quoted(text: &str) -> String {
    quoted_up_to(40, text)
}

/// A text from a file in quotes, with at most so many characters of it.
pub(crate) fn quoted_up_to(most: usize, text: &str) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_to_its_last_digit() {
        for (text, value) in [
            ("2.55", 255),
            ("2.5", 250),
            ("2", 200),
            (" 13541.33 ", 1_354_133),
            ("-9360", -936_000),
            ("+1", 100),
            ("0.000", 0),
            ("1.2500", 125),
            (".5", 50),
            ("5.", 500),
            ("92233720368547758.07", i64::MAX),
        ] {
            assert_eq!(scaled(text, 2), Ok(value), "{text}");
        }
        assert_eq!(scaled("6", 3), Ok(6000));
        assert_eq!(scaled("110", 0), Ok(110));
    }

    #[test]
    fn a_field_that_swallowed_half_a_file_is_told_in_a_few_words() {
        let told = number("price", &"a,".repeat(1_000_000), 2).unwrap_err();
        assert_eq!(told, format!("the price \"{}\"… is no number", "a,".repeat(20)));
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for text in
            ["", " ", ".", "-", "abc", "1e3", "NaN", "inf", "1,5", "1 000", "--1", "1.2.3", "٣"]
        {
            assert_eq!(scaled(text, 2), Err(InvalidDecimal::NotANumber), "{text}");
        }
        assert_eq!(scaled("0.001", 2), Err(InvalidDecimal::TooManyDecimals { decimals: 2 }));
        assert_eq!(scaled("0.5", 0), Err(InvalidDecimal::TooManyDecimals { decimals: 0 }));
        assert_eq!(scaled("92233720368547758.08", 2), Err(InvalidDecimal::TooLarge));
        assert_eq!(scaled(&"9".repeat(400), 2), Err(InvalidDecimal::TooLarge));
    }
}
