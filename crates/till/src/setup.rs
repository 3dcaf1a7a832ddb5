//! The settings of a shop that begins with an import.

use pos::{ConfigureShop, Currency, CutOver, ShopSettings, TaxMode, Zone};

use crate::{Till, TillError};

/// The shop's settings or, while it has none, those that an import gives it: pounds sterling, UTC,
/// days from midnight to midnight, prices with tax.
pub(crate) fn settings_or_default(till: &Till) -> Result<ShopSettings, TillError> {
    Ok(till.settings()?.unwrap_or_else(|| {
        let pounds = Currency::new("GBP").expect("pounds sterling are a currency");
        ShopSettings::new("My shop", pounds, Zone::UTC, CutOver::MIDNIGHT, TaxMode::Included)
    }))
}

/// Gives the shop these settings if it has none.
pub(crate) fn configure_if_new(till: &Till, settings: &ShopSettings) -> Result<(), TillError> {
    if till.settings()?.is_none() {
        till.execute(&ConfigureShop(settings.clone()), till.clock().fresh_id())?;
    }
    Ok(())
}
