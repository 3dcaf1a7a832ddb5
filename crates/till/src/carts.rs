//! The cart a till is at, kept so that it survives a crash.
//!
//! A cart is no part of the shop's history: nothing has happened yet. It lies beside the store, in
//! two files for each till that are written by turns: whatever a crash does to the newer one, the
//! older one is whole. Its id becomes the checkout's request id, so history itself knows whether it
//! was sold. Nothing removes the files when it is: until the next cart is kept, a till that is
//! opened again shows the receipt, so that there is no moment in which a crash leaves neither.
//!
//! A file is one line, `CRC TURN CART`, and spaces up to a multiple of 16 KiB: a cart that grows by
//! a line is written over the one before without the file system having to note a new length.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pos::{BasisPoints, CustomerId, Label, Money, ProductId, Quantity, TillId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

use crate::folder::{file_of_till, overwrite};
use crate::operations::{Access, Draft};
use crate::queries::Query;
use crate::receipts::{PrintedReceipt, find_sale};
use crate::{Fault, Till, TillError};

/// A cart that is being filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cart {
    /// Made when it is opened; the `requestId` of its checkout.
    #[ts(type = "string")]
    pub id: Uuid,
    /// What is in it, in the order in which it was put in.
    pub lines: Vec<CartLine>,
    /// Whose it is, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub customer: Option<CustomerId>,
    /// The age in years that the customer has at least, if somebody made sure of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub age_checked: Option<u8>,
}

/// A line of a [`Cart`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CartLine {
    /// What the line is called as long as the cart exists.
    pub id: String,
    /// The product.
    pub product: ProductId,
    /// How much.
    pub quantity: Quantity,
    /// The price of one unit when it was put in.
    pub scanned_price: Money,
    /// What the product was called then.
    pub name: String,
    /// The product's tax rate then; nothing unless told otherwise.
    #[serde(default)]
    pub tax_rate: BasisPoints,
    /// The label it was put in by, if a scale printed one and its quantity still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub label: Option<Label>,
}

/// Keeps the cart that the till is at. The last one counts.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct SaveCart {
    /// The cart as it is now.
    pub cart: Cart,
}

/// The cart is safe.
#[derive(Clone, Copy, Debug, Serialize, TS)]
pub struct CartSaved {}

impl Draft for SaveCart {
    const NAME: &'static str = "save_cart";
    const ACCESS: Access = Access::SignedIn;
    type Answer = CartSaved;

    /// Keeps it. When this returns it survives a crash and a power cut.
    fn keep(&self, till: &Till) -> Result<CartSaved, TillError> {
        till.carts().save(&self.cart)?;
        Ok(CartSaved {})
    }
}

/// Asks for the cart that the till was at.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CurrentCart {}

/// Where a till was when it was last left. At most one of the two is there.
#[derive(Clone, Debug, Serialize, TS)]
pub struct WhereItWas {
    /// The cart that was not sold yet.
    pub cart: Option<Cart>,
    /// The receipt of the cart, if it was sold.
    pub finished: Option<PrintedReceipt>,
}

impl Query for CurrentCart {
    const NAME: &'static str = "cart";
    const ACCESS: Access = Access::SignedIn;
    type Answer = WhereItWas;

    fn ask(&self, till: &Till) -> Result<WhereItWas, TillError> {
        let Some(cart) = till.carts().load()? else {
            return Ok(WhereItWas { cart: None, finished: None });
        };
        let finished = find_sale(till, &cart.id.into())?;
        Ok(WhereItWas { cart: finished.is_none().then_some(cart), finished })
    }
}

/// By how many bytes a file grows. Most carts take one step.
const STEP: usize = 16 * 1024;

/// Where a till keeps its cart.
pub(crate) struct Carts(Mutex<Place>);

enum Place {
    /// For as long as the till is open.
    Memory(Option<Cart>),
    /// Until the next cart is kept.
    Files([PathBuf; 2]),
}

impl Default for Carts {
    fn default() -> Self {
        Self(Mutex::new(Place::Memory(None)))
    }
}

impl Carts {
    /// Keeps the till's cart in `DATA/carts/TILL.a` and `TILL.b`.
    pub(crate) fn in_folder(data: &Path, till: &TillId) -> Self {
        let files = ["a", "b"].map(|name| file_of_till(data, "carts", till, name));
        Self(Mutex::new(Place::Files(files)))
    }

    /// The cart that was kept last, sold or not.
    fn load(&self) -> Result<Option<Cart>, TillError> {
        match &*self.place() {
            Place::Memory(cart) => Ok(cart.clone()),
            Place::Files(files) => load(files),
        }
    }

    /// Keeps this cart in place of the one before. It is durable when this returns.
    fn save(&self, cart: &Cart) -> Result<(), TillError> {
        match &mut *self.place() {
            Place::Memory(kept) => *kept = Some(cart.clone()),
            Place::Files(files) => save(files, cart)
                .map_err(|(path, error)| failed("the cart could not be saved", path, &error))?,
        }
        Ok(())
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // What is kept is replaced as a whole, so a panic elsewhere leaves no half of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one of the two files holds.
enum Kept {
    /// There is no such file.
    Nothing,
    /// It was not written to its end, or it is damaged.
    Half,
    /// A cart, as JSON, and how many were kept up to it.
    Whole { turn: u64, cart: String },
}

impl Kept {
    /// What was read from a file.
    fn parse(bytes: &[u8]) -> Self {
        let whole = || {
            let (line, _) = str::from_utf8(bytes).ok()?.split_once('\n')?;
            let (crc, content) = line.split_once(' ')?;
            let (turn, cart) = content.split_once(' ')?;
            let is_whole =
                u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(content.as_bytes());
            is_whole.then_some(Self::Whole { turn: turn.parse().ok()?, cart: cart.to_owned() })
        };
        whole().unwrap_or(Self::Half)
    }

    fn turn(&self) -> u64 {
        if let Self::Whole { turn, .. } = self { *turn } else { 0 }
    }
}

fn read(path: &Path) -> io::Result<Kept> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::Nothing),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::with_capacity(STEP);
    // Never `file.read_to_end`: it asks for the length, and then the next fdatasync of the file
    // writes its inode too.
    file.by_ref().take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(Kept::parse(&bytes))
}

fn load([a, b]: &[PathBuf; 2]) -> Result<Option<Cart>, TillError> {
    let read =
        |path| read(path).map_err(|error| failed("the cart could not be read", path, &error));
    let damaged = |path: &Path, what: &str| {
        let place = path.display();
        let message = format!("the kept cart is damaged ({place}: {what}); begin a new one");
        Err(TillError::new(Fault::Damaged, message))
    };
    let (in_a, in_b) = (read(a)?, read(b)?);
    let (path, newest) = if in_b.turn() > in_a.turn() { (b, &in_b) } else { (a, &in_a) };
    match (newest, &in_b) {
        (Kept::Whole { cart, .. }, _) => match serde_json::from_str(cart) {
            Ok(cart) => Ok(Some(cart)),
            Err(error) => damaged(path, &error.to_string()),
        },
        // The second file is made when the first is whole: without it nothing was kept yet.
        (_, Kept::Nothing) => Ok(None),
        _ => damaged(path, "no whole cart is in it"),
    }
}

/// Writes over the older of the two, or over what is none. The error comes with its file.
fn save<'a>([a, b]: &'a [PathBuf; 2], cart: &Cart) -> Result<(), (&'a Path, io::Error)> {
    let turn = |path: &'a Path| read(path).map(|kept| kept.turn()).map_err(|error| (path, error));
    let (in_a, in_b) = (turn(a)?, turn(b)?);
    let (path, next) = if in_a > in_b { (b, in_a + 1) } else { (a, in_b + 1) };
    serde_json::to_string(cart)
        .map_err(io::Error::from)
        .and_then(|cart| {
            let content = format!("{next} {cart}");
            let mut bytes =
                format!("{:08x} {content}\n", crc32fast::hash(content.as_bytes())).into_bytes();
            bytes.resize(bytes.len().next_multiple_of(STEP), b' ');
            overwrite(path, &bytes)
        })
        .map_err(|error| (path.as_path(), error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> TillError {
    TillError::of_system(format!("{what} ({}: {error})", path.display()), error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use dcb::{EventStore, MemoryStore};
    use pos::{Checkout, CheckoutLine, Gtin, OpenShift, Payment, Tender};

    use super::*;
    use crate::demo::demo;
    use crate::testing::till_on;

    /// A till with an open shift, on a demo shop, that keeps its cart in this folder.
    fn till_in(store: &Arc<dyn EventStore>, data: &Path) -> Till {
        let till = till_on(Arc::clone(store), "T1").in_folder(data);
        if till.current_shift().unwrap().is_none() {
            demo(&till).unwrap();
            till.execute(&OpenShift { float: Money::ZERO }, Uuid::now_v7()).unwrap();
        }
        till
    }

    fn shop() -> (Arc<dyn EventStore>, tempfile::TempDir) {
        (Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap())
    }

    fn cart(id: u128, quantity: i64) -> Cart {
        let line = CartLine {
            id: "1".into(),
            product: ProductId::new("21071").unwrap(),
            quantity: Quantity::units(quantity).unwrap(),
            scanned_price: Money::new(106),
            name: "Vintage Billboard Drink Me Mug".into(),
            tax_rate: BasisPoints::new(2000),
            label: None,
        };
        Cart { id: Uuid::from_u128(id), lines: vec![line], customer: None, age_checked: None }
    }

    fn sell(till: &Till, cart: &Cart) {
        let line = |line: &CartLine| CheckoutLine::new(line.product.clone(), line.quantity);
        let amount = Money::new(1_000);
        let checkout = Checkout {
            lines: cart.lines.iter().map(line).collect(),
            payments: vec![Payment::new(Tender::Cash, amount)],
            ..Checkout::default()
        };
        till.execute(&checkout, cart.id).unwrap();
    }

    fn keep(till: &Till, cart: Cart) {
        SaveCart { cart }.keep(till).unwrap();
    }

    fn was_at(till: &Till) -> (Option<Cart>, Option<Uuid>) {
        let WhereItWas { cart, finished } = CurrentCart {}.ask(till).unwrap();
        (cart, finished.map(|receipt| receipt.receipt.sale.as_str().parse().unwrap()))
    }

    #[test]
    fn a_till_that_is_opened_again_is_at_the_cart_it_was_at() {
        let (store, data) = shop();
        assert_eq!(was_at(&till_in(&store, data.path())), (None, None));
        let till = till_in(&store, data.path());
        keep(&till, cart(1, 1));
        let (mut weighed, quantity) = (cart(1, 2), Quantity::new(450));
        let code = Gtin::new("2300001008325").unwrap();
        weighed.lines[0].label = Some(Label { code, quantity, price: Some(Money::new(832)) });
        keep(&till, weighed.clone());
        drop(till);
        assert_eq!(was_at(&till_in(&store, data.path())), (Some(weighed), None));
    }

    #[test]
    fn a_cart_that_was_sold_is_a_receipt_until_there_is_another_one() {
        let (store, data) = shop();
        let till = till_in(&store, data.path());
        keep(&till, cart(1, 1));
        sell(&till, &cart(2, 1));
        assert_eq!(was_at(&till), (Some(cart(1, 1)), None));
        sell(&till, &cart(1, 1));
        assert_eq!(was_at(&till), (None, Some(Uuid::from_u128(1))));
        keep(&till, cart(3, 1));
        assert_eq!(was_at(&till), (Some(cart(3, 1)), None));
    }

    #[test]
    fn a_cart_half_written_by_a_crash_takes_nothing_from_the_one_before() {
        let (store, data) = shop();
        let till = till_in(&store, data.path());
        for saves in 1..=4 {
            let file = data.path().join(if saves % 2 == 1 { "carts/T1.a" } else { "carts/T1.b" });
            let old = fs::read(&file).unwrap_or_default();
            keep(&till, cart(1, saves));
            let new = fs::read(&file).unwrap();
            for written in [0, 1, 30, 60] {
                let rest = old.get(written..).unwrap_or_default();
                fs::write(&file, [&new[..written], rest].concat()).unwrap();
                let before = (saves > 1).then(|| cart(1, saves - 1));
                assert_eq!(was_at(&till), (before, None), "{written} bytes of save {saves}");
            }
            keep(&till, cart(1, saves));
            assert_eq!(was_at(&till), (Some(cart(1, saves)), None));
        }
    }

    #[test]
    fn a_cart_that_was_long_leaves_nothing_in_a_short_one() {
        let (store, data) = shop();
        let till = till_in(&store, data.path());
        let mut long = cart(1, 1);
        long.lines = vec![long.lines[0].clone(); 500];
        for saved in [&long, &long, &cart(1, 2), &cart(1, 3)] {
            keep(&till, saved.clone());
            assert_eq!(was_at(&till), (Some(saved.clone()), None));
        }
    }

    #[test]
    fn a_damaged_cart_is_an_error_that_names_the_file_and_ends_with_the_next_cart() {
        let (store, data) = shop();
        let till = till_in(&store, data.path());
        keep(&till, cart(1, 1));
        keep(&till, cart(1, 2));
        for name in ["carts/T1.a", "carts/T1.b"] {
            fs::write(data.path().join(name), "{\"id\"").unwrap();
        }
        let error = CurrentCart {}.ask(&till).unwrap_err();
        assert_eq!(error.code, crate::ErrorCode::Fault(Fault::Damaged));
        assert!(error.message.contains("T1.a"), "{error}");
        sell(&till, &cart(1, 1));
        keep(&till, cart(2, 1));
        assert_eq!(was_at(&till), (Some(cart(2, 1)), None));
    }

    #[test]
    fn a_cart_that_cannot_be_kept_is_an_error_and_each_till_has_its_own() {
        let (store, data) = shop();
        let till = till_in(&store, data.path());
        keep(&till, cart(1, 1));
        let other = till_on(Arc::clone(&store), "T2").in_folder(data.path());
        assert_eq!(was_at(&other), (None, None));
        let in_the_way = data.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let nowhere = till_on(store, "T1").in_folder(&in_the_way);
        let error = SaveCart { cart: cart(1, 1) }.keep(&nowhere).unwrap_err();
        assert!(error.message.starts_with("the cart could not be saved"), "{error}");
    }

    #[test]
    fn without_a_folder_a_cart_lives_as_long_as_its_till() {
        let till = till_on(Arc::new(MemoryStore::new()), "T1");
        keep(&till, cart(1, 1));
        assert_eq!(was_at(&till), (Some(cart(1, 1)), None));
    }
}
