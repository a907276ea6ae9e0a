//! Targets whose provider said when to come back.

use super::*;
use crate::host::{Table, World};
use crate::route::cooldown;
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

const SEVERAL: &str = r#"
version: 1
providers:
  openai: {api_key: "${A}"}
  anthropic: {api_key: "${B}"}
  gemini: {api_key: "${C}"}
  house: {kind: openai-compatible, url: "http://127.0.0.1:8000/v1"}
aliases:
  five: [openai/gpt-4o, anthropic/claude-sonnet-4-5, openai/gpt-4.1, gemini/gemini-2.5-pro, house/m]
  six: [openai/gpt-4o, openai/o3, anthropic/claude-sonnet-4-5, house/m, gemini/gemini-2.5-pro, house/n]
  vectors: [openai/text-embedding-3-small, anthropic/claude-sonnet-4-5, gemini/gemini-embedding-001]
"#;

fn several() -> Arc<Plan> {
    Arc::new(load(SEVERAL, &|_: &str| Some("key".to_owned())).unwrap_or_else(|mistakes| panic!("{mistakes:?}")))
}

/// What is decided where these targets (by their places in the chain) rest: the names and the reasons of the others.
/// The cluster is that of the targets' providers.
fn decided(plan: &Arc<Plan>, path: &str, body: &str, resting: &[usize]) -> Result<(Vec<String>, Vec<String>), u16> {
    let world = World::of(Table::default());
    let model = serde_json::from_str::<Value>(body).unwrap()["model"].as_str().unwrap().to_owned();
    let whole = plan.chain(plan.alias(&model).unwrap()).unwrap().targets.clone();
    for at in resting {
        cooldown::begin(&*world.shared, &whole[*at].name, ms(30_000));
    }
    let (mut exchange, _) = Exchange::begin_in(world, Arc::clone(plan), "7".into(), post(path), false, T0);
    let edits = match exchange.body(body.as_bytes()) {
        Step::Forward(edits) => edits,
        step => return Err(reply_of(step).0),
    };
    let decision = exchange.decision().unwrap();
    let name = set(&edits, CLUSTER_HEADER).unwrap();
    let members: Vec<_> = decision.targets.iter().map(|target| target.provider).collect();
    match members.as_slice() {
        [only] => assert_eq!(plan.provider(*only).unwrap().cluster, name),
        several => assert_eq!(plan.composites[several], name),
    }
    assert_eq!(set(&edits, "x-envoy-max-retries"), Some((members.len() - 1).to_string().as_str()));
    let names = decision.targets.iter().map(|target| target.name.clone()).collect();
    Ok((names, decision.rejected.clone()))
}

#[test]
fn whoever_rests_is_left_out_wherever_it_stands() {
    let plan = several();
    let chain = plan.chain(plan.alias("five").unwrap()).unwrap();
    let body = r#"{"model":"five","messages":[{"role":"user","content":"hi"}]}"#;
    for rest in 0..32_u32 {
        let resting: Vec<usize> = (0..5).filter(|at| rest & 1 << at != 0).collect();
        let awake: Vec<usize> = (0..5).filter(|at| resting.len() == 5 || !resting.contains(at)).collect();
        let want: Vec<String> = awake.iter().map(|at| chain.targets[*at].name.clone()).collect();
        let (names, rejected) = decided(&plan, "/v1/chat/completions", body, &resting).unwrap();
        assert_eq!(names, want, "{resting:?}");
        assert_eq!(rejected.len(), 5 - want.len(), "{rejected:?}");
        assert!(rejected.iter().all(|line| line.contains("in cool-down for 30 s")), "{rejected:?}");
    }
}

#[test]
fn of_a_long_chain_the_beginning_is_left_out_and_anything_of_its_last_five() {
    let plan = several();
    let chain = plan.chain(plan.alias("six").unwrap()).unwrap();
    let body = r#"{"model":"six","messages":[{"role":"user","content":"hi"}]}"#;
    for (resting, want) in [
        (&[][..], &[0, 1, 2, 3, 4, 5][..]),
        (&[0], &[1, 2, 3, 4, 5]),
        (&[0, 2, 4], &[1, 3, 5]),
        (&[3], &[0, 1, 2, 3, 4, 5]),
        (&[0, 1, 2, 3, 4], &[5]),
        (&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5]),
    ] {
        let want: Vec<String> = want.iter().map(|at| chain.targets[*at].name.clone()).collect();
        assert_eq!(decided(&plan, "/v1/chat/completions", body, resting).unwrap().0, want, "{resting:?}");
    }
}

#[test]
fn a_later_target_that_cannot_be_asked_does_not_end_the_chain() {
    let plan = several();
    let chat = "/v1/chat/completions";
    let two = r#"{"model":"five","n":2,"messages":[{"role":"user","content":"hi"}]}"#;
    let (names, rejected) = decided(&plan, chat, two, &[]).unwrap();
    assert_eq!(names, ["openai/gpt-4o", "openai/gpt-4.1", "gemini/gemini-2.5-pro", "house/m"]);
    assert!(matches!(rejected.as_slice(), [line] if line.starts_with("anthropic/claude-sonnet-4-5: ")), "{rejected:?}");
    // Whether a large one can be said is seen when its turn comes.
    let large = two.replace("hi", &"hi ".repeat(30_000));
    assert_eq!(decided(&plan, chat, &large, &[]).unwrap().0.len(), 5);
    assert_eq!(decided(&plan, chat, &large, &[0]).unwrap().0[0], "openai/gpt-4.1", "the first is looked at always");
    let vectors = r#"{"model":"vectors","input":"hi"}"#;
    let (names, rejected) = decided(&plan, "/v1/embeddings", vectors, &[]).unwrap();
    assert_eq!(names, ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"]);
    assert!(rejected[0].contains("serves no embeddings"), "{rejected:?}");
    let (names, _) = decided(&plan, "/v1/embeddings", vectors, &[0, 2]).unwrap();
    assert_eq!(names, ["openai/text-embedding-3-small", "gemini/gemini-embedding-001"], "no other can be asked");
}

#[test]
fn googles_word_in_an_errors_body_is_taken() {
    let world = World::of(Table::default());
    let body = r#"{"model":"five","messages":[{"role":"user","content":"hi"}]}"#;
    let head = post("/v1/chat/completions");
    let (mut exchange, _) = Exchange::begin_in(world.clone(), several(), "7".into(), head.clone(), false, T0);
    exchange.body(body.as_bytes());
    let exchange = Rc::new(RefCell::new(exchange));
    let (mut attempt, ..) = Attempt::begin(&exchange, 4, Some("gemini"), &head, ms(1)).unwrap();
    attempt.answer_head(&headers(&[(":status", "429"), ("content-type", "application/json")]), false, ms(1_000));
    assert_eq!(cooldown::rests(&*world.shared, "gemini/gemini-2.5-pro", ms(1_000)), None);
    attempt.answer_whole(
        br#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#,
    );
    assert_eq!(cooldown::rests(&*world.shared, "gemini/gemini-2.5-pro", ms(1_000)), Some(34));
    assert_eq!(cooldown::rests(&*world.shared, "gemini/gemini-2.5-pro", ms(35_000)), None);
}
