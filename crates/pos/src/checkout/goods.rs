//! The goods of a cart: of each distinct product its price and its limits, what it is made of if it is
//! a kit, what is on the shelf of all that is taken from there, the age rules of both, and what the
//! customer bought of it today if that is limited.

use std::collections::HashMap;

use dcb::DecisionProjection;

use super::Checkout;
use crate::age::{AgeRule, age_rule_of};
use crate::catalogue::Product;
use crate::command::Context;
use crate::event::{ProductSold, ShopEvent, StockOverridden, StockTaken};
use crate::ids::{CustomerId, ProductId, SaleId};
use crate::input;
use crate::kits::{self, KitState, kit_of};
use crate::limits::{Bought, LimitState, bought_on, limit_of};
use crate::money::Quantity;
use crate::permission::Permission;
use crate::prices::{PriceState, price_of};
use crate::refusal::Refusal;
use crate::stock::{Stock, stock_of};

/// What must be known of the goods. The lists follow the cart's distinct products: price and limits
/// of each; the age rules of all that is handed over; what services are made of, for they may be
/// kits; today's purchases of those that are counted; and the stock of all that leaves the shelf.
pub(super) type GoodsModel = (
    Vec<DecisionProjection<PriceState>>,
    Vec<DecisionProjection<LimitState>>,
    Vec<DecisionProjection<AgeRule>>,
    Vec<DecisionProjection<KitState>>,
    Vec<DecisionProjection<Bought>>,
    Vec<DecisionProjection<Stock>>,
);
pub(super) type GoodsState =
    (Vec<PriceState>, Vec<LimitState>, Vec<AgeRule>, Vec<KitState>, Vec<Bought>, Vec<Stock>);

/// The goods of a cart.
pub(super) struct Goods<'a> {
    checkout: &'a Checkout,
    /// The distinct products, in the order in which they first appear.
    wanted: Vec<Wanted<'a>>,
    /// The place of each product in `wanted`.
    places: HashMap<&'a ProductId, usize>,
    /// What leaves the shelf: by itself or as a part of a kit.
    taken: Vec<Taken<'a>>,
}

/// A distinct product of a cart.
struct Wanted<'a> {
    product: &'a Product,
    /// How much of it, over all lines.
    quantity: Quantity,
    /// The last line it is on, from 1: the one that takes it too far.
    last_line: u32,
    /// The customer whose purchases today count, if they do.
    counted_for: Option<&'a CustomerId>,
}

/// A distinct product that leaves the shelf.
struct Taken<'a> {
    product: &'a Product,
    quantity: Quantity,
    last_line: u32,
}

impl<'a> Goods<'a> {
    /// The goods of a cart, as far as the catalogue knows them.
    pub(super) fn of(checkout: &'a Checkout, context: &Context<'a>) -> Result<Self, Refusal> {
        let mut goods =
            Self { checkout, wanted: Vec::new(), places: HashMap::new(), taken: Vec::new() };
        let mut on_shelf: HashMap<&ProductId, usize> = HashMap::new();
        for (index, line) in checkout.lines.iter().enumerate() {
            let last_line = input::line_number(index);
            let in_line = |refusal: Refusal| refusal.line(last_line);
            let product = context.catalogue.known(&line.product).map_err(in_line)?;
            goods.want(product, line.quantity, last_line);
            for (id, quantity) in leaving_the_shelf(product, line.quantity).map_err(in_line)? {
                let product = context.catalogue.known(id).map_err(in_line)?;
                let place = *on_shelf.entry(&product.id).or_insert(goods.taken.len());
                match goods.taken.get_mut(place) {
                    Some(taken) => {
                        taken.quantity = taken.quantity.saturating_add(quantity);
                        taken.last_line = last_line;
                    }
                    None => goods.taken.push(Taken { product, quantity, last_line }),
                }
            }
        }
        Ok(goods)
    }

    fn want(&mut self, product: &'a Product, quantity: Quantity, last_line: u32) {
        let place = *self.places.entry(&product.id).or_insert(self.wanted.len());
        if let Some(wanted) = self.wanted.get_mut(place) {
            wanted.quantity = wanted.quantity.saturating_add(quantity);
            wanted.last_line = last_line;
            return;
        }
        let customer = self.checkout.customer.as_ref();
        let counted_for = customer.filter(|_| product.limit.per_customer_day.is_some());
        self.wanted.push(Wanted { product, quantity, last_line, counted_for });
    }

    /// What must be known of them.
    pub(super) fn model(&self, context: &Context<'_>) -> Result<GoodsModel, Refusal> {
        let day = context.settings()?.business_day(context.at);
        let ids = || self.wanted.iter().map(|wanted| &wanted.product.id);
        let services = self.wanted.iter().filter(|wanted| !wanted.product.stocked);
        let counted = self.wanted.iter().filter_map(|w| Some((w.counted_for?, &w.product.id)));
        Ok((
            ids().map(price_of).collect(),
            ids().map(limit_of).collect(),
            self.handed_over().map(|(product, _)| age_rule_of(&product.id)).collect(),
            services.map(|wanted| kit_of(&wanted.product.id)).collect(),
            counted.map(|(customer, id)| bought_on(day, customer, id)).collect(),
            self.taken.iter().map(|taken| stock_of(&taken.product.id)).collect(),
        ))
    }

    /// Each distinct product that the customer gets, and the last line it is on: those of the cart,
    /// then the parts of its kits.
    fn handed_over(&self) -> impl Iterator<Item = (&'a Product, u32)> {
        let wanted = self.wanted.iter().map(|wanted| (wanted.product, wanted.last_line));
        let parts = self.taken.iter().filter(|taken| !self.places.contains_key(&taken.product.id));
        wanted.chain(parts.map(|taken| (taken.product, taken.last_line)))
    }

    /// Refuses what a limit, an age rule or the stock forbids. Stock may be overridden by who is
    /// permitted to; then this says of what there was too little.
    pub(super) fn allow(
        &self,
        (_, limits, ages, kits, boughts, stocks): &GoodsState,
        sale: &SaleId,
        context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        let (mut kits, mut boughts) = (kits.iter(), boughts.iter());
        let Checkout { customer, age_checked, override_stock, .. } = self.checkout;
        for (wanted, limit) in self.wanted.iter().zip(limits) {
            let Wanted { product, quantity, last_line, counted_for } = *wanted;
            let bought = counted_for.and_then(|_| boughts.next());
            let kit = if product.stocked { None } else { kits.next() };
            limit
                .allow_on_receipt(product, quantity)
                .and_then(|()| match customer {
                    Some(_) => limit.allow_today(product, quantity, bought),
                    None => Ok(()),
                })
                .and_then(|()| kit.map_or(Ok(()), |kit| kit.allow(product)))
                .map_err(|refusal| refusal.line(last_line))?;
        }
        for ((product, last_line), age) in self.handed_over().zip(ages) {
            age.allow(product, *age_checked).map_err(|refusal| refusal.line(last_line))?;
        }
        let mut overridden = Vec::new();
        for (Taken { product, quantity, last_line }, stock) in self.taken.iter().zip(stocks) {
            let Err(refusal) = stock.take(product, *quantity) else { continue };
            if !override_stock {
                return Err(refusal.line(*last_line));
            }
            context.permit(Permission::OverrideStock).map_err(|r| r.line(*last_line))?;
            let (sale, product) = (sale.clone(), product.id.clone());
            let (on_hand, sold) = (stock.on_hand, *quantity);
            overridden.push(StockOverridden { sale, product, on_hand, sold }.into());
        }
        Ok(overridden)
    }

    /// A product of the cart, and how its price was changed last.
    pub(super) fn priced<'s>(
        &self,
        id: &ProductId,
        (prices, ..): &'s GoodsState,
    ) -> Option<(&'a Product, &'s PriceState)> {
        let place = *self.places.get(id)?;
        Some((self.wanted.get(place)?.product, prices.get(place)?))
    }

    /// What a line takes off the shelf beside itself: the parts of a kit.
    pub(super) fn parts_taken(&self, line: &ProductSold) -> Result<Vec<ShopEvent>, Refusal> {
        let place = self.places.get(&line.product);
        let Some(wanted) = place.and_then(|place| self.wanted.get(*place)) else {
            return Ok(Vec::new());
        };
        let parts = kits::parts_of(wanted.product, line.quantity)?.into_iter();
        let taken = parts.map(|(product, quantity)| StockTaken {
            sale: line.sale.clone(),
            line: line.line,
            product: product.clone(),
            quantity,
        });
        Ok(taken.map(ShopEvent::from).collect())
    }
}

/// What so much of a product takes off the shelf: itself, its parts, or nothing.
fn leaving_the_shelf(
    product: &Product,
    quantity: Quantity,
) -> Result<Vec<(&ProductId, Quantity)>, Refusal> {
    match product.stocked {
        true => Ok(vec![(&product.id, quantity)]),
        false => kits::parts_of(product, quantity),
    }
}
