//! The shop's settings: its currency, its calendar, and whether prices hold their tax.

use chrono::{DateTime, Utc};
use dcb::{DecisionProjection, EventRef, Projection, Query};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::calendar::{BusinessDay, CutOver, Zone};
use crate::command::{Command, Context};
use crate::event::{ProductAdded, Recorded, ShiftOpened, ShopConfigured, ShopEvent, of_types};
use crate::input;
use crate::labels::ScaleCodes;
use crate::loyalty::Loyalty;
use crate::money::{Currency, Money, SmallestCoin, TaxMode, TaxRounding};
use crate::permission::Permission;
use crate::refusal::{Evidence, NextAction, Refusal, RefusalCode};

/// What holds for the whole shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShopSettings {
    /// What the shop is called, as printed on receipts.
    pub name: String,
    /// The currency of all amounts, as ISO 4217 lists it. It stays once a shift was opened, and the
    /// number of its decimals once there is a product.
    pub currency: Currency,
    /// Where the shop's clock hangs.
    pub zone: Zone,
    /// When a business day begins.
    pub cut_over: CutOver,
    /// Whether prices hold their tax. Each sale records what held for it.
    pub tax_mode: TaxMode,
    /// What tax is rounded on; each line unless told otherwise.
    #[serde(default, skip_serializing_if = "TaxRounding::is_per_line")]
    #[ts(optional, as = "Option<TaxRounding>")]
    pub tax_rounding: TaxRounding,
    /// The smallest coin, to which cash is rounded; 1 unless told otherwise.
    #[serde(default, skip_serializing_if = "SmallestCoin::is_one")]
    #[ts(optional, as = "Option<SmallestCoin>")]
    pub smallest_coin: SmallestCoin,
    /// How many minutes after a price change the price as scanned is still charged; 0 unless told
    /// otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(optional, as = "Option<u32>")]
    pub price_grace_minutes: u32,
    /// What the shop's scales print.
    #[serde(default, skip_serializing_if = "ScaleCodes::is_default")]
    #[ts(optional, as = "Option<ScaleCodes>")]
    pub scale_codes: ScaleCodes,
    /// How customers earn points, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub loyalty: Option<Loyalty>,
    /// What holds at each of its tills.
    #[serde(default, skip_serializing_if = "TillSettings::is_default")]
    #[ts(optional, as = "Option<TillSettings>")]
    pub tills: TillSettings,
}

fn is_zero(minutes: &u32) -> bool {
    *minutes == 0
}

/// What holds at each till of a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TillSettings {
    /// After how many seconds in which nobody touched it a till signs out who is there; 0 is never.
    pub auto_lock_seconds: u32,
    /// How far a count of the drawer may be off before it needs who may accept that; 0 or more.
    pub variance_limit: Money,
    /// How much cash a drawer may hold before some of it is to be dropped in the safe.
    pub drawer_limit: Option<Money>,
}

impl TillSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), Refusal> {
        input::cash(self.variance_limit)?;
        self.drawer_limit.map_or(Ok(()), input::cash)
    }
}

impl Default for TillSettings {
    fn default() -> Self {
        Self { auto_lock_seconds: 300, variance_limit: Money::new(500), drawer_limit: None }
    }
}

impl ShopSettings {
    /// A shop with what every shop must say, and all else as it is unless told otherwise.
    pub fn new(
        name: &str,
        currency: Currency,
        zone: Zone,
        cut_over: CutOver,
        tax_mode: TaxMode,
    ) -> Self {
        Self {
            name: name.to_owned(),
            currency,
            zone,
            cut_over,
            tax_mode,
            tax_rounding: TaxRounding::default(),
            smallest_coin: SmallestCoin::default(),
            price_grace_minutes: 0,
            scale_codes: ScaleCodes::default(),
            loyalty: None,
            tills: TillSettings::default(),
        }
    }

    /// The business day that an instant counts for.
    pub fn business_day(&self, at: DateTime<Utc>) -> BusinessDay {
        self.cut_over.business_day(at, self.zone)
    }
}

/// Gives the shop its settings, or other ones. The currency can be changed only before the first
/// shift is opened; and if there are products already, only for one with as many decimals, so that
/// their prices keep their digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct ConfigureShop(pub ShopSettings);

/// The recorded settings and where they were recorded.
#[derive(Clone, Debug)]
pub struct Configured {
    settings: ShopSettings,
    position: u64,
}

/// Where the first amounts were recorded that are in the shop's currency.
#[derive(Clone, Debug, Default)]
pub struct Priced {
    /// The first shift: all that is sold, and all money that moves, is within one.
    shift: Option<u64>,
    /// The first product.
    product: Option<u64>,
}

fn priced() -> DecisionProjection<Priced> {
    let query = of_types([ShiftOpened::TYPE, ProductAdded::TYPE]);
    DecisionProjection::new(Priced::default(), query, |priced, event| {
        let first = match event.event_type {
            ShiftOpened::TYPE => &mut priced.shift,
            _ => &mut priced.product,
        };
        first.get_or_insert(event.position);
    })
    .named("priced", 1, "")
}

impl Command for ConfigureShop {
    const NAME: &'static str = "configure_shop";
    const PERMISSION: Permission = Permission::ManageShop;
    type Model = (DecisionProjection<Option<Configured>>, DecisionProjection<Priced>);
    type Answer = ();

    fn model(&self, _context: &Context<'_>) -> Result<Self::Model, Refusal> {
        input::name("shop's name", &self.0.name)?;
        if !self.0.currency.is_known() {
            let code = self.0.currency;
            let message = format!("{code} is no currency of ISO 4217. Enter one, such as GBP.");
            return Err(input::invalid(message));
        }
        self.0.loyalty.as_ref().map_or(Ok(()), Loyalty::check)?;
        self.0.tills.check()?;
        self.0.scale_codes.check()?;
        let query = of_types([ShopConfigured::TYPE]);
        let configured =
            DecisionProjection::last(None, query, |event| match ShopEvent::decode(event) {
                Some(ShopEvent::ShopConfigured(e)) => {
                    Some(Some(Configured { settings: e.settings, position: event.position }))
                }
                _ => None,
            })
            .named("configured", 1, "");
        Ok((configured, priced()))
    }

    fn decide(
        &self,
        (configured, priced): &(Option<Configured>, Priced),
        _context: &Context<'_>,
    ) -> Result<Vec<ShopEvent>, Refusal> {
        if let Some(Configured { settings, position }) = configured {
            let (old, new) = (settings.currency, self.0.currency);
            let by = match priced {
                Priced { shift: Some(shift), .. } if old != new => Some(*shift),
                Priced { product, .. } if old.decimals() != new.decimals() => *product,
                _ => None,
            };
            if let Some(by) = by {
                let message =
                    format!("All amounts are in {old}. Keep it, or begin a shop in {new}.");
                let mut evidence = Evidence::only(*position);
                evidence.extend(&Evidence::only(by));
                return Err(Refusal::new(RefusalCode::CurrencyFixed, message)
                    .action(NextAction::CorrectInput)
                    .because(&evidence));
            }
        }
        Ok(vec![ShopConfigured { settings: self.0.clone() }.into()])
    }

    fn answer(recorded: &[Recorded]) -> Option<()> {
        matches!(recorded, [Recorded { event: ShopEvent::ShopConfigured(_), .. }]).then_some(())
    }

    fn settings<'a>(&'a self, _context: &Context<'a>) -> Option<&'a ShopSettings> {
        Some(&self.0)
    }
}

/// A view of the shop's settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    current: Option<ShopSettings>,
}

impl Settings {
    /// The settings, if the shop has any.
    pub fn current(&self) -> Option<&ShopSettings> {
        self.current.as_ref()
    }
}

impl Projection for Settings {
    fn query(&self) -> Query {
        of_types([ShopConfigured::TYPE])
    }

    fn apply(&mut self, event: &EventRef<'_>) {
        if let Some(ShopEvent::ShopConfigured(e)) = ShopEvent::decode(event) {
            self.current = Some(e.settings);
        }
    }
}

#[cfg(test)]
mod tests {
    use dcb::testing::given;

    use super::*;
    use crate::testing::{act, added, configured, of_request, opened, refusal, settings};

    fn in_currency(code: &str) -> ConfigureShop {
        ConfigureShop(ShopSettings { currency: Currency::new(code).unwrap(), ..settings() })
    }

    #[test]
    fn a_shop_is_configured_under_its_own_settings() {
        let expected = of_request([ShopConfigured { settings: settings() }.into()]);
        given([]).when(act(ConfigureShop(settings()))).then_recorded(expected);
    }

    #[test]
    fn everything_but_the_currency_can_be_changed() {
        let changed = ShopSettings { name: "New".into(), zone: Zone::UTC, ..settings() };
        given([configured()]).when(act(ConfigureShop(changed))).then_accepted();
        let past = [configured(), opened("T1")];
        let refusal = refusal(given(past).when(act(in_currency("EUR"))).then_refused());
        assert_eq!(refusal.code, RefusalCode::CurrencyFixed);
        assert_eq!(refusal.message, "All amounts are in GBP. Keep it, or begin a shop in EUR.");
        assert_eq!(refusal.details.because.positions(), [1, 2]);
    }

    #[test]
    fn the_currency_can_be_changed_until_a_shift_was_opened() {
        given([configured()]).when(act(in_currency("JPY"))).then_accepted();
        given([configured(), added("A", 100)]).when(act(in_currency("EUR"))).then_accepted();
    }

    #[test]
    fn prices_keep_their_digits_when_the_currency_is_changed() {
        let past = [configured(), added("A", 100)];
        let refusal = refusal(given(past).when(act(in_currency("JPY"))).then_refused());
        assert_eq!(refusal.code, RefusalCode::CurrencyFixed);
    }

    #[test]
    fn a_code_that_is_no_currency_is_refused() {
        for code in ["XYZ", "XAU", "XTS"] {
            let refusal = refusal(given([]).when(act(in_currency(code))).then_refused());
            assert_eq!(refusal.code, RefusalCode::InvalidInput);
            assert!(refusal.message.ends_with("Enter one, such as GBP."), "{}", refusal.message);
        }
    }

    #[test]
    fn settings_are_one_flat_object_in_json_and_unknown_fields_are_refused() {
        let text = r#"{"name":"Corner shop","currency":"GBP","zone":"Europe/London",
            "cutOver":"04:00","taxMode":"included"}"#;
        assert_eq!(serde_json::from_str::<ConfigureShop>(text).unwrap().0, settings());
        let unknown = text.replace("\"name\"", "\"nam\"");
        assert!(serde_json::from_str::<ConfigureShop>(&unknown).is_err());
    }
}
