//! Rivals: whoever acts on one shop at the same moment as others, on a thread or in a process of
//! its own. They are asked in lines of JSON and answer each at once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines, Write, pipe};
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;

use dcb::EventStore;
use pos::{Command, TillId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use till::{SystemClock, Till};
use uuid::Uuid;

use crate::text;

/// An act that a rival is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// The till at which it happens.
    pub till: String,
    /// Who of the staff is there, by id; nobody but the owner if it is none.
    pub user: Option<String>,
    /// The id of the request.
    pub request: Uuid,
    /// What the command is called.
    pub command: &'static str,
    /// The command.
    pub input: Value,
}

/// Someone who acts.
pub struct Rival {
    process: Option<Child>,
    input: Option<Box<dyn Write>>,
    answers: Lines<BufReader<Box<dyn std::io::Read>>>,
}

impl Rival {
    /// On a thread of this process, with tills of its own on this store.
    pub fn on_thread(store: &Arc<dyn EventStore>) -> Self {
        let (asked, input) = pipe().expect("a pipe");
        let (answers, out) = pipe().expect("a pipe");
        let store = Arc::clone(store);
        std::thread::spawn(move || serve(&store, BufReader::new(asked), out));
        Self::new(None, Box::new(input), Box::new(answers))
    }

    /// In a process of its own: this program, on this shop's folder.
    pub fn in_process(program: &str, shop: &Path) -> Self {
        let mut process = Program::new(program)
            .args(["act", text(shop)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the rival starts");
        let input = process.stdin.take().expect("its input is piped");
        let answers = process.stdout.take().expect("its output is piped");
        Self::new(Some(process), Box::new(input), Box::new(answers))
    }

    fn new(process: Option<Child>, input: Box<dyn Write>, answers: Box<dyn std::io::Read>) -> Self {
        Self { process, input: Some(input), answers: BufReader::new(answers).lines() }
    }

    /// Asks for an act. It begins at once; [`Rival::answer`] waits for its end.
    pub fn ask(&mut self, act: &Act) {
        let Act { till, user, request, command, input } = act;
        let line = json!({
            "till": till, "user": user, "request": request, "command": command, "input": input,
        });
        let to = self.input.as_mut().expect("it is there until the rival is dropped");
        writeln!(to, "{line}").expect("the rival listens");
    }

    /// What the act came to: `{"conflicts": 0, "answer": …}` or `{"refused": "out_of_stock"}`.
    pub fn answer(&mut self) -> Value {
        let line = self.answers.next().expect("the rival answers").expect("it can be read");
        serde_json::from_str(&line).expect("the answer is JSON")
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // Without input it ends by itself.
        self.input = None;
        if let Some(process) = &mut self.process {
            let _ = process.wait();
        }
    }
}

/// Acts as it is asked until the input ends.
pub fn serve(store: &Arc<dyn EventStore>, input: impl BufRead, mut out: impl Write) {
    let mut tills: HashMap<(String, Option<String>), Till> = HashMap::new();
    for line in input.lines() {
        let line = line.expect("a line of input");
        let mut asked: Value = serde_json::from_str(&line).expect("a line of JSON");
        let field = |name: &str| asked.get(name).and_then(Value::as_str).expect("a text");
        let id = field("till").to_owned();
        let user = asked.get("user").and_then(Value::as_str).map(str::to_owned);
        let request = field("request").parse().expect("a request id");
        let command = field("command").to_owned();
        let input = asked.get_mut("input").map(Value::take).expect("a command");
        let at_till = |(id, user): &(String, Option<String>)| match user {
            Some(user) => till(store, id).entered_by(user, |_| unreachable!("it has no PIN")),
            None => Ok(till(store, id)),
        };
        let till = tills
            .entry((id, user))
            .or_insert_with_key(|who| at_till(who).expect("they are of the staff"));
        let answer = carry_out(till, &command, input, request);
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("somebody listens");
    }
}

/// A till of this shop with its owner at it.
pub fn till(store: &Arc<dyn EventStore>, id: &str) -> Till {
    let till = TillId::new(id).expect("a good till id");
    let user = UserId::new("rival").expect("a good user id");
    Till::open(Arc::clone(store), SystemClock::beside(Arc::clone(store)), till, user)
}

fn carry_out(till: &Till, command: &str, input: Value, request: Uuid) -> Value {
    let act = match command {
        "add_product" => act::<pos::AddProduct>,
        "add_staff" => return add_staff(till, &input, request),
        "assign_barcode" => act::<pos::AssignBarcode>,
        "bounce_account_payment" => act::<pos::BounceAccountPayment>,
        "cancel_gift_card_top_up" => act::<pos::CancelGiftCardTopUp>,
        "change_price" => act::<pos::ChangePrice>,
        "change_role" => act::<pos::ChangeRole>,
        "checkout" => act::<pos::Checkout>,
        "close_shift" => act::<pos::CloseShift>,
        "count_stock" => act::<pos::CountStock>,
        "drop_cash" => act::<pos::DropCash>,
        "issue_gift_card" => act::<pos::IssueGiftCard>,
        "open_shift" => act::<pos::OpenShift>,
        "pay_account" => act::<pos::PayAccount>,
        "receive_stock" => act::<pos::ReceiveStock>,
        "refund_sale" => act::<pos::RefundSale>,
        "set_age_rule" => act::<pos::SetAgeRule>,
        "set_staff_role" => act::<pos::SetStaffRole>,
        "top_up_gift_card" => act::<pos::TopUpGiftCard>,
        other => panic!("no rival knows {other}"),
    };
    act(till, input, request)
}

/// Carries out a command and tells, as no answer of a till does, how often it conflicted.
fn act<C>(till: &Till, input: Value, request: Uuid) -> Value
where
    C: Command<Answer: Serialize> + DeserializeOwned,
{
    let command: C = serde_json::from_value(input).expect("a good command");
    told(till, &command, request)
}

/// Adds someone to the staff. All rivals have the same key, as all tills of a shop's folder do.
fn add_staff(till: &Till, input: &Value, request: Uuid) -> Value {
    let name = input.get("name").and_then(Value::as_str).expect("a name");
    told(till, &pos::AddStaff::new(name, pos::Role::Cashier, &pos::NameKey::default()), request)
}

fn told<C: Command<Answer: Serialize>>(till: &Till, command: &C, request: Uuid) -> Value {
    match till.execute(command, request) {
        Ok(done) => json!({"conflicts": done.trace.conflicts(), "answer": done.answer}),
        Err(error) => json!({"refused": error.code}),
    }
}
