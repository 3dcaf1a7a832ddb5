//! Every command and query of a till, declared once: for the desktop shell, the web host and the
//! command line alike.

use dcb::Json;
use pos::{Command, Permission};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ts_rs::TS;
use uuid::Uuid;

use crate::balances::{FindAccount, FindGiftCard, FindRefundable, ListPromotions};
use crate::carts::{CurrentCart, SaveCart};
use crate::nearest::nearest;
use crate::queries::{AboutShop, AboutStore, FindProduct, FindProducts, Query, ReportSales};
use crate::reasons::TellEvents;
use crate::receipts::{FindReceipt, PrintedReceipt, PrintedRefund};
use crate::recent::RecentlySold;
use crate::search::{Scan, Search};
use crate::shifts::{AboutShift, ReportX, ReportZ};
use crate::staff::{
    AboutRoles, AboutStaff, AddStaff, Approval, Attend, RefusedActs, SetPin, SignIn, SignOut,
};
use crate::typescript::Declarations;
use crate::{Till, TillError};

/// All there is to be called.
pub const OPERATIONS: &[Operation] = &[
    query::<AboutStaff>("Who may sign in at this till"),
    draft::<SignIn>("Sign someone in at this till, by PIN"),
    draft::<SignOut>("Sign out whoever is at this till"),
    draft::<Attend>("Stay signed in: somebody touches the till, or types"),
    draft::<SetPin>("Give someone of the staff a PIN"),
    query::<AboutShop>("The shop's settings and categories, and who is at this till"),
    query::<AboutStore>("How the shop's store is doing, and what this process did with it"),
    query::<FindProducts>("Products by words and category, page by page"),
    query::<FindProduct>("One product by SKU or barcode, with its stock and limits"),
    query::<Search>("Products by the first letters of words, the best first, at most 50"),
    query::<Scan>("What a scanned barcode or a typed SKU stands for"),
    query::<RecentlySold>("What this till sold last, the newest first, at most 3 products"),
    query::<AboutShift>("This till's open shift"),
    query::<CurrentCart>("The cart this till was at, or its receipt if it was sold"),
    draft::<SaveCart>("Keep the cart this till is at, safe from a crash, until its checkout"),
    query::<FindReceipt>("A receipt by its number, or by the id of its sale or refund"),
    query::<TellEvents>("What recorded events say, in words: why something was refused"),
    query::<FindRefundable>("What can still be refunded of a sale"),
    query::<FindGiftCard>("A gift card and what is left on it"),
    query::<FindAccount>("What a customer owes, may owe, and has in points"),
    query::<ListPromotions>("The promotions that run today, or all of them"),
    query::<ReportSales>("Sales and refunds by day, hour, product, category, …"),
    command::<pos::ConfigureShop>("Give the shop its settings, or other ones"),
    command::<pos::AddProduct>("Add a product to the catalogue"),
    command::<pos::AddProducts>("Add many products, all or none"),
    command::<pos::ChangePrice>("Give a product another price"),
    command::<pos::AssignBarcode>("Give a product a further barcode"),
    command::<pos::ReleaseBarcode>("Take a barcode from its product"),
    command::<pos::SetLimit>("Limit what a receipt, or a customer on one day, may have"),
    command::<pos::DefineKit>("Put a product together of others"),
    command::<pos::SetAgeRule>("Restrict a product to who is old enough"),
    command::<pos::DefinePromotion>("Define a promotion, or define it anew"),
    command::<pos::IssueCoupons>("Hand out coupons, all or none"),
    command::<pos::VoidCoupon>("Declare a coupon void"),
    command::<pos::AddCustomer>("Add a customer"),
    command::<pos::AddCustomers>("Take over customers under the ids they have elsewhere"),
    command::<pos::SetCreditLimit>("Set what a customer may owe"),
    command_of::<AddStaff, pos::AddStaff, pos::StaffMade>("Add someone to the staff"),
    command::<pos::SetStaffRole>("Give someone of the staff another role"),
    command::<pos::RemoveStaff>("Take someone off the staff"),
    query::<AboutRoles>("What each role may do"),
    command::<pos::ChangeRole>("Say what a role may do"),
    query::<RefusedActs>("The acts that rules refused, the newest first"),
    command::<pos::ReceiveStock>("Receive a delivery"),
    command::<pos::AdjustStock>("Correct what is on hand, with a reason"),
    command::<pos::CountStock>("Record what was counted of a product"),
    command::<pos::OpenShift>("Open this till's shift with the cash in the drawer"),
    command::<pos::CloseShift>("Close this till's shift with the cash that was counted"),
    command::<pos::MoveCash>("Pay cash into this till's drawer, or out of it, for a reason"),
    command::<pos::DropCash>("Take cash from this till's drawer to the safe"),
    query::<ReportX>("What this till's open shift came to so far"),
    query::<ReportZ>("What a closed shift of this till came to, to be printed"),
    command_of::<pos::Checkout, pos::Checkout, PrintedReceipt>("Sell a cart"),
    command_of::<pos::RefundSale, pos::RefundSale, PrintedRefund>(
        "Take goods back with their receipt",
    ),
    command_of::<pos::Refund, pos::Refund, PrintedRefund>("Take goods back without a receipt"),
    command::<pos::PayAccount>("Take money for what a customer owes"),
    command::<pos::BounceAccountPayment>("Take back a payment that did not arrive"),
    command::<pos::IssueGiftCard>("Sell a gift card"),
    command::<pos::TopUpGiftCard>("Put more money on a gift card"),
    command::<pos::CancelGiftCardTopUp>("Pay back what was put on a gift card by mistake"),
    command::<pos::BlockGiftCard>("Block a gift card"),
];

/// Something that a till can be called to do or tell.
#[derive(Debug)]
pub struct Operation {
    /// What it is called: `checkout`.
    pub name: &'static str,
    /// Whether it changes anything.
    pub kind: Kind,
    /// Who may call it.
    pub access: Access,
    /// What it is for, in one line.
    pub summary: &'static str,
    types: fn(&mut Declarations) -> InAndOut,
    run: fn(&Till, Map<String, Value>) -> Result<Json, TillError>,
}

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It does; its input has a `requestId`.
    Command,
    /// It does not.
    Query,
    /// It keeps something beside the shop's history: a cart, who is signed in. The last one counts,
    /// so it may be sent again without a `requestId`.
    Draft,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Anyone at the till, also before they sign in.
    Anyone,
    /// Whoever is signed in.
    SignedIn,
    /// Who has this permission. Of a command also who has the approval of somebody who has it.
    Permitted(Permission),
}

/// An operation told in JSON, its types as TypeScript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// What it is called.
    pub name: &'static str,
    /// Whether it changes anything.
    pub kind: Kind,
    /// Who may call it.
    pub access: Access,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// The type of what goes in.
    pub input: String,
    /// The type of what comes out.
    pub output: String,
    /// The declarations of these types and of all that they need, one to a line.
    pub types: String,
}

impl Operation {
    /// The operation with this name, or the error that says which is most like it.
    pub fn find(name: &str) -> Result<&'static Self, TillError> {
        OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| {
            let hint = match nearest(name, OPERATIONS.iter().map(|operation| operation.name)) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => "`opossum till call --list` names them all".into(),
            };
            TillError::bad_request(format!("there is no command or query {name:?}; {hint}"))
        })
    }

    /// What it is, what goes in and what comes out.
    pub fn describe(&self) -> Description {
        let Self { name, kind, access, summary, .. } = *self;
        let mut declarations = Declarations::default();
        let InAndOut { input, output } = (self.types)(&mut declarations);
        Description { name, kind, access, summary, input, output, types: declarations.on_lines() }
    }

    /// Calls it with a JSON object; an empty text is an empty object. Returns its answer as JSON.
    pub fn run(&self, till: &Till, input: &str) -> Result<Json, TillError> {
        let input = if input.trim().is_empty() { "{}" } else { input };
        let fields = serde_json::from_str(input).map_err(|error| {
            TillError::bad_request(format!("the input is no JSON object: {error}"))
        })?;
        (self.run)(till, fields)
    }
}

/// All operations, their types and the errors as one TypeScript file, for a UI to build on.
pub fn typescript() -> String {
    let mut declarations = Declarations::default();
    let mut table = String::new();
    for operation in OPERATIONS {
        let InAndOut { input, output } = (operation.types)(&mut declarations);
        let Operation { name, summary, .. } = operation;
        table +=
            &format!("\t/** {summary}. */\n\t{name}: {{ input: {input}; output: {output} }};\n");
    }
    declarations.add::<TillError>();
    format!(
        "// Made by `opossum till call --types`; edit the Rust types instead.\n\n\
         /** Every command and query of a till: what goes in and what comes out. */\n\
         export interface Operations {{\n{table}}}\n\n{}",
        declarations.exported()
    )
}

/// The types that go in and out.
struct InAndOut {
    input: String,
    output: String,
}

fn types_of<I: TS + 'static, O: TS + 'static>(declarations: &mut Declarations) -> InAndOut {
    InAndOut { input: declarations.add::<I>(), output: declarations.add::<O>() }
}

/// What is kept beside the shop's history.
pub trait Draft: DeserializeOwned {
    /// What it is called: `save_cart`.
    const NAME: &'static str;
    /// Who may keep it.
    const ACCESS: Access;
    /// What it tells.
    type Answer;

    /// Keeps it, whoever asks; see [`Till::keep`].
    fn keep(&self, till: &Till) -> Result<Self::Answer, TillError>;
}

/// A command made of what was sent.
pub(crate) trait FromInput<I>: Sized {
    fn read(input: I, till: &Till) -> Result<Self, TillError>;
}

impl<I> FromInput<I> for I {
    fn read(input: I, _till: &Till) -> Result<Self, TillError> {
        Ok(input)
    }
}

/// What a command tells its caller, made of what it answered.
pub(crate) trait FromAnswer<A>: Sized {
    fn of(answer: A, till: &Till) -> Result<Self, TillError>;
}

impl<A> FromAnswer<A> for A {
    fn of(answer: A, _till: &Till) -> Result<Self, TillError> {
        Ok(answer)
    }
}

const fn query<Q>(summary: &'static str) -> Operation
where
    Q: Query + TS + 'static,
    Q::Answer: Serialize + TS + 'static,
{
    Operation {
        name: Q::NAME,
        kind: Kind::Query,
        access: Q::ACCESS,
        summary,
        types: types_of::<Q, Q::Answer>,
        run: |till, fields| json(&till.ask(&read::<Q>(fields)?)?),
    }
}

const fn draft<D>(summary: &'static str) -> Operation
where
    D: Draft + TS + 'static,
    D::Answer: Serialize + TS + 'static,
{
    Operation {
        name: D::NAME,
        kind: Kind::Draft,
        access: D::ACCESS,
        summary,
        types: types_of::<D, D::Answer>,
        run: |till, fields| json(&till.keep(&read::<D>(fields)?)?),
    }
}

const fn command<C>(summary: &'static str) -> Operation
where
    C: Command + DeserializeOwned + TS + 'static,
    C::Answer: Serialize + TS + 'static,
{
    command_of::<C, C, C::Answer>(summary)
}

/// A command that is made of what is sent, or tells more than it answers.
const fn command_of<I, C, T>(summary: &'static str) -> Operation
where
    I: DeserializeOwned + TS + 'static,
    C: Command + FromInput<I>,
    T: FromAnswer<C::Answer> + Serialize + TS + 'static,
{
    Operation {
        name: C::NAME,
        kind: Kind::Command,
        access: Access::Permitted(C::PERMISSION),
        summary,
        types: |declarations| {
            declarations.add::<Approval>();
            let InAndOut { input, output } = types_of::<I, T>(declarations);
            let request = "{ requestId: string; approval?: Approval }";
            InAndOut { input: format!("{request} & {input}"), output }
        },
        run: |till, mut fields| {
            let request_id = request_id(fields.remove("requestId"))?;
            let approval = approval(fields.remove("approval"))?;
            let command = C::read(read::<I>(fields)?, till)?;
            let done = till.execute_approved(&command, request_id, approval)?;
            json(&T::of(done.answer, till)?)
        },
    }
}

fn approval(field: Option<Value>) -> Result<Option<Approval>, TillError> {
    field
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| TillError::bad_request(format!("the approval does not fit: {error}")))
}

fn request_id(field: Option<Value>) -> Result<Uuid, TillError> {
    let text = field.as_ref().and_then(Value::as_str);
    text.and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(|| {
        TillError::bad_request(
            "a command needs a \"requestId\": a UUID that you make, and send again with the same \
             request",
        )
    })
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, TillError> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| TillError::bad_request(format!("the input does not fit: {error}")))
}

fn json<T: Serialize>(answer: &T) -> Result<Json, TillError> {
    Json::of(answer).map_err(|error| TillError::bad_request(format!("no JSON answer: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::till;
    use crate::{ErrorCode, Fault};

    fn call(till: &Till, name: &str, input: Value) -> Result<Value, TillError> {
        let answer = Operation::find(name)?.run(till, &input.to_string())?;
        Ok(serde_json::from_str(answer.as_str()).unwrap())
    }

    fn call_as(till: &Till, id: u128, name: &str, mut input: Value) -> Result<Value, TillError> {
        input["requestId"] = Uuid::from_u128(id).to_string().into();
        call(till, name, input)
    }

    fn shop() -> Till {
        let till = till();
        let call = |id, name, input| call_as(&till, id, name, input).unwrap();
        call(
            1,
            "configure_shop",
            json!({"name": "S", "currency": "GBP", "zone": "UTC", "cutOver": "00:00", "taxMode": "included"}),
        );
        call(
            2,
            "add_product",
            json!({"sku": "a1", "name": "Big Mug", "price": 250, "barcode": "4006381333931", "category": "Kitchen"}),
        );
        call(
            3,
            "add_product",
            json!({"sku": "post", "name": "Postage", "price": 300, "taxRate": 2000, "stocked": false}),
        );
        call(4, "receive_stock", json!({"lines": [{"product": "A1", "quantity": 2000}]}));
        call(5, "open_shift", json!({"float": 5000}));
        till
    }

    #[test]
    fn a_sale_goes_from_json_to_json_and_happens_once() {
        let till = shop();
        let cart = json!({
            "lines": [{"product": "a1", "quantity": 1000}, {"product": "POST", "quantity": 1000}],
            "payments": [{"tender": "cash", "amount": 1000}]
        });
        let receipt = call_as(&till, 6, "checkout", cart.clone()).unwrap();
        assert_eq!((&receipt["receipt"], &receipt["change"]), (&json!("T1-1"), &json!(450)));
        assert_eq!(receipt["names"], json!({"A1": "Big Mug", "POST": "Postage"}));
        assert_eq!((&receipt["shop"], &receipt["currency"]), (&json!("S"), &json!("GBP")));
        assert_eq!(receipt["time"], "2026-06-01 10:00");
        assert_eq!(
            receipt["taxes"],
            json!([
                {"taxRate": 2000, "gross": 300, "net": 250, "tax": 50},
                {"taxRate": 0, "gross": 250, "net": 250, "tax": 0}
            ])
        );
        assert_eq!(call_as(&till, 6, "checkout", cart).unwrap(), receipt);

        let mut found = call(&till, "receipt", json!({"receipt": "T1-1"})).unwrap();
        assert_eq!(found["kind"].take(), json!("sale"));
        found.as_object_mut().unwrap().remove("kind");
        assert_eq!(found, receipt);
        let by_id = call(&till, "receipt", json!({"receipt": receipt["sale"]})).unwrap();
        assert_eq!(by_id["receipt"], "T1-1");

        let back = json!({"lines": [{"product": "A1", "quantity": 1000, "price": 250}], "tender": "cash", "reason": ""});
        let refund = call_as(&till, 7, "refund", back).unwrap();
        assert_eq!(
            (&refund["receipt"], &refund["names"]),
            (&json!("T1-2"), &json!({"A1": "Big Mug"}))
        );
        let found = call(&till, "receipt", json!({"receipt": refund["refund"]})).unwrap();
        assert_eq!((&found["kind"], &found["receipt"]), (&json!("refund"), &json!("T1-2")));

        let report = call(&till, "sales_report", json!({"by": "day"})).unwrap();
        assert_eq!(report["rows"][0]["gross"], 550);
        assert_eq!(report["total"]["refunds"], 250);
        assert_eq!(
            call(&till, "sales_report", json!({"by": "day", "to": "2026-05-31"})).unwrap()["rows"],
            json!([])
        );
    }

    #[test]
    fn a_rules_refusal_passes_through() {
        let cart = json!({
            "lines": [{"product": "A1", "quantity": 3000}],
            "payments": [{"tender": "card", "amount": 750}]
        });
        let refused = call_as(&shop(), 6, "checkout", cart).unwrap_err();
        assert_eq!(refused.refusal(), Some(pos::RefusalCode::OutOfStock));
        assert_eq!(refused.details.left, Some(2000));
    }

    #[test]
    fn the_events_that_decided_a_refusal_are_told_in_words() {
        let till = shop();
        let limit = json!({"product": "A1", "perReceipt": 3000});
        call_as(&till, 6, "set_limit", limit).unwrap();
        let mugs = |quantity: u64| {
            json!({
                "lines": [{"product": "A1", "quantity": quantity}],
                "payments": [{"tender": "card", "amount": quantity / 4}]
            })
        };
        call_as(&till, 7, "checkout", mugs(1000)).unwrap();
        let told = |refused: TillError| {
            let asked = call(&till, "events", json!({"positions": refused.details.because}));
            let events = asked.unwrap()["events"].as_array().unwrap().clone();
            let telling = |told: &Value| told["text"].as_str().unwrap().to_owned();
            (events.iter().map(telling).collect::<Vec<_>>(), events)
        };
        let (texts, events) = told(call_as(&till, 8, "checkout", mugs(2000)).unwrap_err());
        assert_eq!(texts, ["2 delivered", "1 sold, receipt T1-1"]);
        assert_eq!(
            (&events[1]["type"], &events[1]["time"], &events[1]["name"]),
            (&json!("ProductSold"), &json!("2026-06-01 10:00"), &json!("ann"))
        );
        let (texts, _) = told(call_as(&till, 9, "checkout", mugs(4000)).unwrap_err());
        assert_eq!(texts, ["Limited to 3 on a receipt"]);

        let nothing = call(&till, "events", json!({"positions": [0, 9_999]})).unwrap();
        assert_eq!(nothing, json!({"events": []}));
        assert!(call(&till, "events", json!({"positions": vec![1; 17]})).is_err());
    }

    #[test]
    fn products_are_found_by_words_category_sku_and_barcode() {
        let till = shop();
        let names = |input| {
            let page = call(&till, "products", input).unwrap();
            let products = page["products"].as_array().unwrap();
            products.iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({})), ["Big Mug", "Postage"]);
        assert_eq!(names(json!({"search": "mug BIG"})), ["Big Mug"]);
        assert_eq!(names(json!({"search": "a1"})), ["Big Mug"]);
        assert_eq!(names(json!({"category": "Kitchen"})), ["Big Mug"]);
        assert_eq!(names(json!({"pageSize": 1, "page": 2})), ["Postage"]);
        assert_eq!(names(json!({"pageSize": 1, "page": 3})), Vec::<String>::new());
        assert!(call(&till, "products", json!({"page": 0})).is_err());

        let mug = call(&till, "product", json!({"code": "4006381333931"})).unwrap();
        assert_eq!((&mug["id"], &mug["onHand"]), (&json!("A1"), &json!(2000)));
        let postage = call(&till, "product", json!({"code": " post "})).unwrap();
        assert_eq!(postage["onHand"], Value::Null);
        let missing = call(&till, "product", json!({"code": "b2"})).unwrap_err();
        assert_eq!(missing.code, ErrorCode::Fault(Fault::NotFound));
    }

    #[test]
    fn the_till_tells_its_shop_and_its_shift() {
        let till = shop();
        let about = call(&till, "shop", json!({})).unwrap();
        assert_eq!((&about["products"], &about["categories"]), (&json!(2), &json!(["Kitchen"])));
        let state = call(&till, "shift", json!({})).unwrap();
        assert_eq!((&state["till"], &state["shift"]["float"]), (&json!("T1"), &json!(5000)));
        let close = json!({"shift": state["shift"]["shift"], "countedCash": 5000});
        assert_eq!(call_as(&till, 8, "close_shift", close).unwrap()["variance"], 0);
        assert_eq!(call(&till, "shift", json!({})).unwrap()["shift"], Value::Null);
    }

    #[test]
    fn what_is_not_understood_is_a_bad_request_that_says_why() {
        let till = shop();
        let message = |result: Result<Value, TillError>| {
            let error = result.unwrap_err();
            assert_eq!(error.code, ErrorCode::Fault(Fault::BadRequest));
            error.message
        };
        assert_eq!(
            message(call(&till, "chekout", json!({}))),
            "there is no command or query \"chekout\"; did you mean \"checkout\"?"
        );
        let without_id = message(call(&till, "open_shift", json!({"float": 0})));
        assert!(without_id.contains("\"requestId\""), "{without_id}");
        let unknown = message(call_as(&till, 9, "open_shift", json!({"flote": 0})));
        assert!(unknown.contains("unknown field `flote`, expected `float`"), "{unknown}");
        let unknown = message(call(&till, "shift", json!({"x": 0})));
        assert!(unknown.contains("unknown field `x`"), "{unknown}");
        let bad = Operation::find("shift").unwrap().run(&till, "[1").unwrap_err();
        assert!(bad.message.starts_with("the input is no JSON object"), "{bad}");
    }

    #[test]
    fn the_types_of_the_ui_are_those_of_the_operations() {
        let types = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/src/host/types.ts");
        assert!(
            std::fs::read_to_string(types).is_ok_and(|text| text == typescript()),
            "the UI's types have drifted; mend them with\n\
             cargo run -p cli -- till call --types > ui/src/host/types.ts"
        );
    }

    #[test]
    fn every_operation_tells_its_shape_and_has_a_name_of_its_own() {
        let mut names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OPERATIONS.len());
        for operation in OPERATIONS {
            let told = operation.describe();
            assert!(!told.types.contains("bigint"), "{told:?}");
            assert_eq!(
                told.kind == Kind::Command,
                told.input.starts_with("{ requestId: string; approval?: Approval } & ")
            );
        }
        let told = Operation::find("open_shift").unwrap().describe();
        assert_eq!(told.input, "{ requestId: string; approval?: Approval } & OpenShift");
        assert_eq!(told.output, "ShiftStarted");
        assert!(told.types.contains("type ShiftStarted = "), "{}", told.types);
    }
}
