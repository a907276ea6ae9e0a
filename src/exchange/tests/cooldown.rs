//! Targets whose provider said when to come back.

use super::*;
use crate::host::{Table, World};
use crate::testing::test;
const ASKS: &str = r#"{"model":"smart","messages":[{"role":"user","content":"hi"}]}"#;

fn exchange(world: &World, head: Headers, ends: bool, now: Time) -> (Exchange, Step) {
    Exchange::begin_in(world.clone(), plan(), "7".into(), head, ends, now)
}

fn cluster(world: &World, body: &str, now: Time) -> (Rc<RefCell<Exchange>>, Option<String>) {
    let (mut exchange, _) = exchange(world, post("/v1/chat/completions"), false, now);
    let step = exchange.body(body.as_bytes());
    let Step::Forward(edits) = step else { panic!("{step:?}") };
    let cluster = set(&edits, CLUSTER_HEADER).map(str::to_owned);
    (Rc::new(RefCell::new(exchange)), cluster)
}

fn limited(exchange: &Rc<RefCell<Exchange>>, provider: &str) {
    let (mut attempt, ..) = Attempt::begin(exchange, 1, Some(provider), &post("/v1/chat/completions"), ms(1)).unwrap();
    attempt.answer_head(&headers(&[(":status", "429"), ("retry-after", "30")]), false, ms(2));
}

#[test]
fn a_target_that_asked_for_a_rest_is_skipped_until_it_is_over() {
    let world = World::of(Table::default());
    let (first, chain) = cluster(&world, ASKS, T0);
    assert!(chain.as_deref().is_some_and(|name| name.starts_with("conduit.chain.")), "{chain:?}");
    limited(&first, "anthropic");
    assert_eq!(cluster(&world, ASKS, ms(3)).1.as_deref(), Some("conduit.provider.openai"));
    assert_eq!(cluster(&world, ASKS, ms(30_003)).1, chain);
    // Where all rest, they are asked all the same: what they say then is the answer.
    let (second, _) = cluster(&world, ASKS, ms(4));
    limited(&second, "openai");
    assert_eq!(cluster(&world, ASKS, ms(5)).1, chain);
}

#[test]
fn the_list_of_models_says_what_rests() {
    let world = World::of(Table::default());
    let status = |name: &str, now| {
        let head = headers(&[(":method", "GET"), (":path", &format!("/v1/models/{name}"))]);
        reply_of(exchange(&world, head, true, now).1).1["status"].clone()
    };
    assert_eq!(status("anthropic/claude-sonnet-4-5", ms(1)), "READY");
    limited(&cluster(&world, ASKS, T0).0, "anthropic");
    assert_eq!(status("anthropic/claude-sonnet-4-5", ms(3)), "NOT READY");
    assert_eq!(status("smart", ms(3)), "READY", "its other target is");
    assert_eq!(status("anthropic/claude-sonnet-4-5", ms(30_003)), "READY");
}

#[test]
fn what_clients_name_freely_leaves_nothing_behind() {
    let table = Rc::new(Table::default());
    let world = World { shared: table.clone(), ..World::default() };
    let body = ASKS.replace("smart", "anthropic/claude-made-up-1");
    limited(&cluster(&world, &body, T0).0, "anthropic");
    assert!(table.is_empty());
}
