//! What is checked of every input before a rule looks at it.

use dcb::MAX_COMMIT_EVENTS;

use crate::money::{BasisPoints, Money, Quantity};
use crate::payment::MAX_PAYMENTS;
use crate::refusal::{NextAction, Refusal, RefusalCode};

/// The most lines an act may have: with the receipt and its payments it stays within one commit.
pub const MAX_LINES: usize = MAX_COMMIT_EVENTS - 1 - MAX_PAYMENTS;

/// The most characters a name, category, reason or reference may have.
pub const MAX_TEXT_CHARS: usize = 200;

/// The most characters a note may have.
pub const MAX_NOTE_CHARS: usize = 2_000;

/// A name: not blank and not too long.
pub(crate) fn name(what: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(invalid(format!("The {what} is empty. Enter one.")));
    }
    optional(what, Some(text), MAX_TEXT_CHARS)
}

/// A text that may be missing or empty, but not too long.
pub(crate) fn optional(what: &str, text: Option<&str>, most: usize) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.chars().count() > most) {
        return Err(invalid(format!("The {what} has more than {most} characters. Shorten it.")));
    }
    Ok(())
}

/// How many lines there are: at least one and at most [`MAX_LINES`].
pub(crate) fn lines(count: usize) -> Result<(), Refusal> {
    match count {
        0 => Err(Refusal::new(RefusalCode::Empty, "There is nothing here yet. Add a line.")
            .action(NextAction::CorrectInput)),
        1..=MAX_LINES => Ok(()),
        _ => {
            let message =
                format!("{count} lines are too many; {MAX_LINES} can be handled. Split it.");
            Err(Refusal::new(RefusalCode::TooManyLines, message).action(NextAction::CorrectInput))
        }
    }
}

/// A quantity that is moved: positive and at most [`Quantity::MAX_LINE`].
pub(crate) fn moved(quantity: Quantity) -> Result<(), Refusal> {
    if quantity <= Quantity::ZERO || quantity > Quantity::MAX_LINE {
        return Err(bad_quantity(quantity, "more than 0"));
    }
    Ok(())
}

/// A quantity that is found: not negative and at most [`Quantity::MAX_LINE`].
pub(crate) fn counted(quantity: Quantity) -> Result<(), Refusal> {
    if quantity < Quantity::ZERO || quantity > Quantity::MAX_LINE {
        return Err(bad_quantity(quantity, "0 or more"));
    }
    Ok(())
}

/// A price of one unit: not negative and at most [`Money::MAX_PRICE`].
pub(crate) fn price(price: Money) -> Result<(), Refusal> {
    if price < Money::ZERO || price > Money::MAX_PRICE {
        let (price, most) = (price.minor(), Money::MAX_PRICE.minor());
        let message = format!("A price is 0 to {most} minor units, not {price}. Correct it.");
        return Err(
            Refusal::new(RefusalCode::PriceOutOfBounds, message).action(NextAction::CorrectInput)
        );
    }
    Ok(())
}

/// Cash that one act moves, or a limit of cash: not negative and at most [`Money::MAX_CASH`].
pub(crate) fn cash(amount: Money) -> Result<(), Refusal> {
    cash_up_to(Money::MAX_CASH, amount)
}

/// Cash that was counted, which many acts may have brought: not negative and at most [`Money::MAX`].
pub(crate) fn counted_cash(amount: Money) -> Result<(), Refusal> {
    cash_up_to(Money::MAX, amount)
}

fn cash_up_to(most: Money, amount: Money) -> Result<(), Refusal> {
    if amount < Money::ZERO || amount > most {
        return Err(invalid("The cash is negative or absurdly much. Correct it."));
    }
    Ok(())
}

/// A share of something: at most [`BasisPoints::MAX`].
pub(crate) fn rate(what: &str, rate: BasisPoints) -> Result<(), Refusal> {
    if rate > BasisPoints::MAX {
        return Err(invalid(format!("A {what} is 0 to 100 percent. Correct it.")));
    }
    Ok(())
}

/// Which line of an act it is, counted from 1.
pub(crate) fn line_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

fn bad_quantity(quantity: Quantity, least: &str) -> Refusal {
    let most = Quantity::MAX_LINE;
    let message = format!("A quantity is {least} and at most {most}, not {quantity}. Correct it.");
    Refusal::new(RefusalCode::QuantityOutOfBounds, message).action(NextAction::CorrectInput)
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::InvalidInput, message).action(NextAction::CorrectInput)
}

pub(crate) fn overflow() -> Refusal {
    let message = "The sum is too large to be held exactly. Split it.";
    Refusal::new(RefusalCode::AmountOverflow, message).action(NextAction::CorrectInput)
}

/// A number of things, of which there are never as many as a `u32` can hold.
pub(crate) fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}
