//! Rivals act at the same moment on one shop: eight on threads, four in processes of their own.
//! What they fight over never breaks a rule; where there is nothing to fight over, nobody decides
//! twice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod acts;
mod fought_over;
mod not_fought_over;

use std::sync::Arc;

use dcb::{EventStore, Query, ReadOptions};
use dcb_file::{FileStore, Options};
use pos::{Recorded, ShopEvent};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::rivals::{Act, Rival, till};
use till::Operation;
use uuid::Uuid;

use crate::acts::*;
use crate::fought_over::FOUGHT_OVER;
use crate::not_fought_over::NOT_FOUGHT_OVER;

/// What comes of a round.
enum End {
    /// So many get what they wanted; a rule refuses all others.
    Won(usize, &'static str),
    /// A rule refuses so many; all others get what they want.
    Lost(usize, &'static str),
    /// All get it, and nobody was in anybody's way.
    Unhindered,
    /// All get it, each with the next number.
    Numbered,
    /// It happens once, and all are told so.
    Once,
    /// Nobody is refused for another reason than this, and what was recorded, in this order, keeps
    /// the rule.
    Kept(Option<&'static str>, fn(&[ShopEvent]) -> bool),
}

/// Acts of rivals at the same moment.
struct Scenario {
    name: &'static str,
    /// What happened before.
    before: fn(&Round) -> Vec<Act>,
    /// What a rival does.
    act: fn(&Round, usize) -> Act,
    end: End,
}

/// One time that rivals meet.
struct Round {
    number: u64,
    rivals: usize,
    /// The head of the history when they meet; 0 before that.
    head: u64,
}

impl Round {
    /// A name that no other round has.
    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.number)
    }

    /// An id that no other round has, for the request that makes something.
    fn id(&self, which: usize) -> Uuid {
        Uuid::from_u128(u128::from(self.number) << 64 | which as u128)
    }

    /// Something for each rival.
    fn each(&self, act: impl Fn(usize) -> Act) -> Vec<Act> {
        (0..self.rivals).map(act).collect()
    }
}

/// A shop in a folder of its own, with what every scenario needs.
struct Shop {
    dir: TempDir,
    store: Arc<dyn EventStore>,
}

impl Shop {
    fn new(rivals: usize, options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn EventStore> =
            Arc::new(FileStore::create(dir.path().join("store"), options).unwrap());
        let shop = Self { dir, store };
        let settings = json!({
            "name": "Shop", "currency": "GBP", "zone": "UTC", "cutOver": "00:00",
            "taxMode": "included", "loyalty": {"spendPerPoint": 100, "pointValue": 100},
            "priceGraceMinutes": 10,
        });
        shop.happens(&desk("configure_shop", settings));
        shop.happens(&open_shift("Desk", Uuid::now_v7()));
        shop.happens(&product("Service", false));
        shop.happens(&customer(COMMON));
        shop.happens(&called(CLERK, desk("add_staff", hired("Clerk"))));
        for rival in 0..rivals {
            let sku = format!("P{rival}");
            shop.happens(&product(&sku, true));
            shop.happens(&desk("receive_stock", received(&sku, 10_000)));
            shop.happens(&own(rival, "open_shift", json!({"float": 1_000_000})));
            shop.happens(&customer(own_customer(rival)));
            let hire = desk("add_staff", hired(&format!("Colleague {rival}")));
            shop.happens(&called(own_colleague(rival), hire));
        }
        shop
    }

    /// Something happens with nobody in the way.
    fn happens(&self, act: &Act) {
        let mut input = act.input.clone();
        input["requestId"] = json!(act.request);
        let operation = Operation::find(act.command).unwrap();
        let done = operation.run(&till(&self.store, &act.till), &input.to_string());
        assert!(done.is_ok(), "{act:?}: {done:?}");
    }

    fn recorded_after(&self, head: u64) -> Vec<ShopEvent> {
        let events = self.store.read(&Query::all(), ReadOptions::from(head + 1)).unwrap();
        let decode =
            |event: dcb::SequencedEvent| Recorded::decode(&event.as_event_ref()).unwrap().event;
        events.map(|event| decode(event.unwrap())).collect()
    }

    /// Lets these rivals meet in every scenario, so many times.
    fn race(&self, rivals: &mut [Rival], rounds: u64) {
        let scenarios = FOUGHT_OVER.iter().chain(NOT_FOUGHT_OVER);
        for (scenario, first) in scenarios.zip((1..).step_by(1000)) {
            for number in first..first + rounds {
                let mut round = Round { number, rivals: rivals.len(), head: 0 };
                (scenario.before)(&round).iter().for_each(|act| self.happens(act));
                round.head = self.store.head().unwrap();
                let acts: Vec<Act> =
                    (0..rivals.len()).map(|rival| (scenario.act)(&round, rival)).collect();
                rivals.iter_mut().zip(&acts).for_each(|(rival, act)| rival.ask(act));
                let answers: Vec<Value> = rivals.iter_mut().map(Rival::answer).collect();
                let events = self.recorded_after(round.head);
                assert!(
                    scenario.end.is(&answers, &events),
                    "{}: {answers:#?} {events:#?}",
                    scenario.name
                );
            }
        }
    }
}

impl End {
    fn is(&self, answers: &[Value], events: &[ShopEvent]) -> bool {
        let done = || answers.iter().filter(|answer| answer.get("answer").is_some());
        let all_done = done().count() == answers.len();
        let refused = |code| answers.iter().filter(|answer| answer["refused"] == code).count();
        match *self {
            Self::Won(most, code) => {
                done().count() == most && refused(code) == answers.len() - most
            }
            Self::Lost(most, code) => {
                refused(code) == most && done().count() == answers.len() - most
            }
            Self::Kept(code, is_kept) => {
                done().count() + code.map_or(0, refused) == answers.len() && is_kept(events)
            }
            Self::Unhindered => all_done && answers.iter().all(|answer| answer["conflicts"] == 0),
            Self::Numbered => {
                let number = |answer: &Value| answer["answer"]["number"].as_u64().unwrap();
                let mut numbers: Vec<u64> = done().map(number).collect();
                numbers.sort_unstable();
                all_done && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
            }
            Self::Once => all_done && done().all(|answer| answer["answer"] == answers[0]["answer"]),
        }
    }
}

#[test]
fn eight_tills_on_threads_break_no_rule_and_are_in_nobodys_way() {
    let shop = Shop::new(8, Options { flush: false, ..Options::default() });
    let mut rivals: Vec<Rival> = (0..8).map(|_| Rival::on_thread(&shop.store)).collect();
    shop.race(&mut rivals, 10);
}

#[test]
fn four_tills_in_processes_break_no_rule_and_are_in_nobodys_way() {
    let shop = Shop::new(4, Options::default());
    let rival = |_| Rival::in_process(env!("CARGO_BIN_EXE_rival"), shop.dir.path());
    let mut rivals: Vec<Rival> = (0..4).map(rival).collect();
    shop.race(&mut rivals, 10);
}
