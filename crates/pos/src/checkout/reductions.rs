//! What makes a sale cheaper, in this order: discounts on lines, promotions, a discount on the
//! whole, coupons, points. Each works on what the ones before have left.

use std::collections::HashSet;
use std::hash::Hash;

use dcb::DecisionProjection;

use super::Checkout;
use crate::command::Context;
use crate::coupons::{CouponState, coupon_of};
use crate::discounts::{Discount, GivenDiscount, share_given};
use crate::event::{CouponRedeemed, DiscountGiven, PointsRedeemed, PromotionApplied, ShopEvent};
use crate::ids::{ProductId, SaleId};
use crate::input;
use crate::loyalty::{Points, points_of};
use crate::money::{BasisPoints, Money};
use crate::pricing::{Pricing, Reduced};
use crate::promotions::{self, PromotionModel, PromotionState, promotion_model};
use crate::refusal::{NextAction, Refusal, RefusalCode};

/// What must be known of each promotion and coupon that is used, and of the points if any are.
pub(super) type ReductionsModel =
    (Vec<PromotionModel>, Vec<DecisionProjection<CouponState>>, Vec<DecisionProjection<Points>>);
pub(super) type ReductionsState = (Vec<PromotionState>, Vec<CouponState>, Vec<Points>);

/// What must be known.
pub(super) fn model(checkout: &Checkout, context: &Context<'_>) -> ReductionsModel {
    let customer = checkout.customer.as_ref();
    let promotion = |id| promotion_model(id, customer, context);
    let redeems_points = checkout.redeem_points > 0;
    (
        checkout.promotions.iter().map(promotion).collect(),
        checkout.coupons.iter().map(coupon_of).collect(),
        customer.filter(|_| redeems_points).map(points_of).into_iter().collect(),
    )
}

/// Refuses what makes no sense, whatever the cart comes to.
pub(super) fn check(checkout: &Checkout) -> Result<(), Refusal> {
    checkout.discount.as_ref().map_or(Ok(()), GivenDiscount::check)?;
    if !all_differ(&checkout.promotions) || !all_differ(&checkout.coupons) {
        return Err(input::invalid("A promotion or coupon counts once a sale. Remove one."));
    }
    // Each may stand in events of its own, and in one more if it is given back.
    if checkout.promotions.len().saturating_add(checkout.coupons.len()) > MAX_OFFERS {
        let message = format!("At most {MAX_OFFERS} promotions and coupons a sale. Remove some.");
        return Err(input::invalid(message));
    }
    match (checkout.redeem_points, &checkout.customer) {
        (i64::MIN..=-1, _) => Err(input::invalid("Points are 0 or more. Correct them.")),
        (1.., None) => {
            let message = "Points belong to a customer. Say who it is.";
            Err(Refusal::new(RefusalCode::CustomerNeeded, message)
                .action(NextAction::ChooseCustomer))
        }
        _ => Ok(()),
    }
}

/// The most promotions and coupons that one sale may use.
const MAX_OFFERS: usize = 100;

fn all_differ<T: Eq + Hash>(ids: &[T]) -> bool {
    let mut seen = HashSet::new();
    ids.iter().all(|id| seen.insert(id))
}

/// Takes everything off, and says what it was; or the refusal of what may not be used, takes
/// nothing off or is more than somebody may give. The states are those of [`model`].
pub(super) fn apply(
    checkout: &Checkout,
    pricing: &mut Pricing,
    (promotions, coupons, points): &ReductionsState,
    sale: &SaleId,
    context: &Context<'_>,
) -> Result<Vec<ShopEvent>, Refusal> {
    let mut cart = Cart { checkout, pricing, sale, context, told: Vec::new() };
    cart.discount_lines()?;
    cart.use_promotions(promotions)?;
    let rest = cart.left()?;
    cart.discount_the_whole(rest)?;
    cart.permit_discounts(rest)?;
    cart.redeem_coupons(coupons)?;
    cart.redeem_points(points)?;
    Ok(cart.told)
}

/// A cart while things are taken off it.
struct Cart<'c, 'v> {
    checkout: &'c Checkout,
    pricing: &'c mut Pricing,
    sale: &'c SaleId,
    context: &'c Context<'v>,
    told: Vec<ShopEvent>,
}

impl Cart<'_, '_> {
    /// What is left of the whole cart.
    fn left(&self) -> Result<Money, Refusal> {
        self.pricing.left(|_| true).ok_or_else(input::overflow)
    }

    fn discount_lines(&mut self) -> Result<(), Refusal> {
        for (index, line) in self.checkout.lines.iter().enumerate() {
            let Some(given) = &line.discount else { continue };
            let number = input::line_number(index);
            let amount = self
                .give(|other| other == index, given)
                .map_err(|refusal| refusal.product(&line.product).line(number))?;
            self.tell_discount(Some(number), given, amount);
        }
        Ok(())
    }

    fn discount_the_whole(&mut self, rest: Money) -> Result<(), Refusal> {
        let Some(given) = &self.checkout.discount else { return Ok(()) };
        let amount = self.give(|_| true, given).map_err(|refusal| refusal.money_left(rest))?;
        self.tell_discount(None, given, amount);
        Ok(())
    }

    /// Takes off a discount that somebody gives: all of it, or it is refused.
    fn give(
        &mut self,
        concerns: impl Fn(usize) -> bool,
        given: &GivenDiscount,
    ) -> Result<Money, Refusal> {
        let Reduced { amount, .. } =
            self.pricing.reduce(concerns, given.off).ok_or_else(input::overflow)?;
        let is_too_much = matches!(given.off, Discount::Amount(wanted) if wanted > amount);
        if amount.is_zero() || is_too_much {
            let message = "The discount is more than there is to pay. Lower it.";
            return Err(nothing_to_reduce(message, NextAction::ReduceDiscount).money_left(amount));
        }
        Ok(amount)
    }

    fn tell_discount(&mut self, line: Option<u32>, given: &GivenDiscount, amount: Money) {
        let (sale, discount) = (self.sale.clone(), given.off);
        let reason = given.reason.clone();
        self.told.push(DiscountGiven { sale, line, discount, amount, reason }.into());
    }

    /// Asks for permission to give away what the cashier gives away of the line that gets most.
    fn permit_discounts(&self, rest: Money) -> Result<(), Refusal> {
        let off = |given: &Option<GivenDiscount>| given.as_ref().map(|given| given.off);
        let whole = off(&self.checkout.discount);
        let lines = self.checkout.lines.iter().enumerate();
        let shares = lines.map(|(index, line)| {
            share_given((off(&line.discount), self.pricing.full(index)), (whole, rest))
        });
        match shares.max().filter(|share| *share > BasisPoints::ZERO) {
            Some(share) => self.context.permit_discount(share).map(|_| ()),
            None => Ok(()),
        }
    }

    fn use_promotions(&mut self, states: &[PromotionState]) -> Result<(), Refusal> {
        let (customer, context) = (self.checkout.customer.as_ref(), self.context);
        let today = context.settings()?.business_day(context.at);
        for (id, state) in self.checkout.promotions.iter().zip(states) {
            let promotion = promotions::allow(id, state, customer, today, context)?;
            let Reduced { amount, lines } =
                self.reduce_product(promotion.product.as_ref(), promotion.discount)?;
            if amount.is_zero() {
                let message = format!("{} takes nothing off here. Remove it.", promotion.name);
                return Err(nothing_to_reduce(message, NextAction::RemovePromotion));
            }
            let (promotion, sale, customer) = (id.clone(), self.sale.clone(), customer.cloned());
            let applied = PromotionApplied { promotion, sale, customer, lines, amount };
            self.told.push(applied.into());
        }
        Ok(())
    }

    fn redeem_coupons(&mut self, states: &[CouponState]) -> Result<(), Refusal> {
        let today = self.context.settings()?.business_day(self.context.at);
        for (coupon, state) in self.checkout.coupons.iter().zip(states) {
            let issued = state.allow(coupon, today)?;
            let Reduced { amount, .. } =
                self.reduce_product(issued.product.as_ref(), issued.discount)?;
            if amount.is_zero() {
                let message = format!("The coupon {coupon} takes nothing off here. Remove it.");
                return Err(nothing_to_reduce(message, NextAction::RemoveCoupon));
            }
            let (coupon, sale) = (coupon.clone(), self.sale.clone());
            self.told.push(CouponRedeemed { coupon, sale, amount }.into());
        }
        Ok(())
    }

    fn redeem_points(&mut self, states: &[Points]) -> Result<(), Refusal> {
        let (Some(customer), [state]) = (&self.checkout.customer, states) else { return Ok(()) };
        let Some(loyalty) = &self.context.settings()?.loyalty else {
            return Err(input::invalid("This shop has no points. Remove them."));
        };
        let points = self.checkout.redeem_points;
        state.allow(points)?;
        let worth = loyalty.worth(points).ok_or_else(input::overflow)?;
        let left = self.left()?;
        if worth > left {
            let most = left.minor().checked_div(loyalty.point_value.minor()).unwrap_or_default();
            let message = format!("Only {most} points are needed here. Redeem no more.");
            return Err(nothing_to_reduce(message, NextAction::ReducePoints).left(most));
        }
        let reduced = self.pricing.reduce(|_| true, Discount::Amount(worth));
        let Reduced { amount, .. } = reduced.ok_or_else(input::overflow)?;
        let (customer, sale) = (customer.clone(), self.sale.clone());
        self.told.push(PointsRedeemed { customer, sale, points, amount }.into());
        Ok(())
    }

    /// Takes a discount off the lines of a product, or off all.
    fn reduce_product(
        &mut self,
        product: Option<&ProductId>,
        discount: Discount,
    ) -> Result<Reduced, Refusal> {
        let lines = &self.checkout.lines;
        let concerns = |index: usize| {
            let line = lines.get(index);
            line.is_some_and(|line| product.is_none_or(|product| *product == line.product))
        };
        self.pricing.reduce(concerns, discount).ok_or_else(input::overflow)
    }
}

fn nothing_to_reduce(message: impl Into<String>, action: NextAction) -> Refusal {
    Refusal::new(RefusalCode::NothingToReduce, message).action(action)
}
