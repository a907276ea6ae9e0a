use super::*;
use crate::testing::test;

fn usage(input: u64, cached: Option<u64>, output: u64) -> Usage {
    Usage {
        input: Some(Tokens(input)),
        cached_input: cached.map(Tokens),
        output: Some(Tokens(output)),
        ..Usage::default()
    }
}

const MILLION: u128 = 1_000_000;

#[test]
fn hand_computed_costs() {
    let price = |id, model| catalog_price(Some(id), model).unwrap_or_else(|| panic!("{id}/{model} is unpriced"));
    let (gpt_4o, sonnet) = (price("openai", "gpt-4o"), price("anthropic", "claude-sonnet-4-5"));
    // gpt-4o: 2.50 USD in, 1.25 cached, 10 out per million tokens; 600, 400 and 100 tokens.
    assert_eq!(
        cost(&gpt_4o, &usage(1000, Some(400), 100)),
        Some(Usd((600 * 2_500_000) + 400 * 1_250_000 + 100 * 10_000_000))
    );
    assert_eq!(cost(&gpt_4o, &usage(1000, Some(400), 100)).unwrap().to_string(), "0.003");
    // Without a report of cached tokens, all are regular ones.
    assert_eq!(cost(&gpt_4o, &usage(1000, None, 100)), Some(Usd(3_500 * MILLION)));
    // claude-sonnet-4-5: 3 USD in, 0.30 read, 3.75 written for 5 minutes, 6 for an hour, 15 out.
    let cached =
        Usage { cache_write: Some(Tokens(300)), cache_write_1h: Some(Tokens(100)), ..usage(1000, Some(500), 10) };
    assert_eq!(cost(&sonnet, &cached), Some(Usd((200 * 3 + 150 + 200 * 375 / 100 + 100 * 6 + 10 * 15) * MILLION)));
    // Above 200 000 prompt tokens every token has the higher price: 6 USD in, 22.50 out; at 200 000 none has.
    assert_eq!(cost(&sonnet, &usage(200_000, None, 2)), Some(Usd((200_000 * 3 + 2 * 15) * MILLION)));
    assert_eq!(cost(&sonnet, &usage(200_001, None, 2)), Some(Usd((200_001 * 6 + 45) * MILLION)));
}

#[test]
fn missing_and_contradictory_figures() {
    let price = price_from(&[("input", 3), ("output", 5), ("cached_input", 1)]).unwrap();
    for (name, usage, want) in [
        ("nothing reported", Usage::default(), None),
        ("no input", Usage { output: Some(Tokens(1)), ..Usage::default() }, None),
        ("no output", Usage { input: Some(Tokens(1)), ..Usage::default() }, None),
        ("nothing used", usage(0, None, 0), Some(0)),
        ("more cached than input", usage(10, Some(11), 0), Some(10)),
        ("reasoning at the output's price", Usage { reasoning: Some(Tokens(4)), ..usage(0, None, 5) }, Some(25)),
        ("more reasoning than output", Usage { reasoning: Some(Tokens(9)), ..usage(0, None, 5) }, Some(25)),
        ("writes at the input's price", Usage { cache_write: Some(Tokens(4)), ..usage(10, Some(2), 0) }, Some(26)),
        ("an hour's writes alone", Usage { cache_write_1h: Some(Tokens(4)), ..usage(10, None, 0) }, Some(30)),
        ("huge", usage(u64::MAX, None, u64::MAX), Some(8 * u128::from(u64::MAX))),
    ] {
        assert_eq!(cost(&price, &usage), want.map(Usd), "{name}");
    }
}

#[test]
fn a_price_is_silent_about_what_it_does_not_name() {
    let embedding = price_from(&[("input", 2)]).unwrap();
    assert_eq!(cost(&embedding, &Usage { input: Some(Tokens(7)), ..Usage::default() }), Some(Usd(14)));
    assert_eq!(cost(&embedding, &usage(7, None, 1)), None);
    assert_eq!(cost(&Price::default(), &usage(1, None, 1)), None);
}

#[test]
fn every_kind_is_billed() {
    let pairs: Vec<(&str, u64)> = PRICE_KINDS
        .iter()
        .zip([1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 500_000_000, 10_000_000, 7_000_000_000])
        .map(|(k, v)| (*k, v))
        .collect();
    let price = price_from(&pairs).unwrap();
    let usage = Usage {
        input: Some(Tokens(17)),
        cached_input: Some(Tokens(2)),
        cache_write: Some(Tokens(7)),
        cache_write_1h: Some(Tokens(4)),
        audio_input: Some(Tokens(5)),
        image_input: Some(Tokens(2)),
        output: Some(Tokens(15)),
        reasoning: Some(Tokens(6)),
        audio_output: Some(Tokens(8)),
        service_tier: None,
    };
    assert_eq!(cost(&price, &usage), Some(Usd(8_085_614_321)));
}

#[test]
fn an_images_tokens_have_their_own_price() {
    // gpt-image-1: 5 USD for text, 10 for images, 40 out per million tokens.
    let price = catalog_price(Some("openai"), "gpt-image-1").unwrap();
    let used = Usage { image_input: Some(Tokens(40)), ..usage(50, None, 50) };
    assert_eq!(cost(&price, &used), Some(Usd((10 * 5 + 40 * 10 + 50 * 40) * MILLION)));
}

#[test]
fn unknown_kinds_are_named() {
    assert_eq!(price_from(&[("input", 1), ("inptu", 1)]), Err("inptu".to_owned()));
    assert_eq!(price_from(&[("input", 1), ("input", 2)]), price_from(&[("input", 2)]));
}

#[test]
fn service_tiers_and_dates_choose_the_rate() {
    let o3 = catalog_price(Some("openai"), "o3").unwrap();
    let day = |days: u64| Time(days * 86_400 * 1_000_000_000);
    let (mid_2025, start_2025, now) = (20_300, 20_089, 20_778);
    for (tier, days, want) in [
        (None, start_2025, 50),
        (None, mid_2025, 10),
        (None, now, 10),
        (Some("default"), now, 10),
        (Some("never heard of"), now, 10),
        (Some("flex"), now, 5),
        (Some("flex"), mid_2025, 10),
        (Some("batch"), now, 5),
    ] {
        let used = Usage { service_tier: tier.map(str::to_owned), ..usage(MILLION as u64, None, MILLION as u64) };
        assert_eq!(cost_at(&o3, &used, day(days)).unwrap().to_string(), want.to_string(), "{tier:?} on day {days}");
    }
}

#[test]
fn a_time_of_day_may_go_past_midnight() {
    let night = Validity {
        from: Some("2026-01-02".into()),
        hours: Some(("16:30:00".into(), "00:30:00".into())),
        ..Validity::default()
    };
    for (date, clock, want) in [
        ("2026-01-02", "16:30:00", true),
        ("2026-01-02", "16:29:59", false),
        ("2026-01-02", "00:29:59", true),
        ("2026-01-02", "00:30:00", false),
        ("2026-01-01", "23:00:00", false),
    ] {
        assert_eq!(night.holds(date, clock), want, "{date} {clock}");
    }
}

#[test]
fn dollars_print_exactly() {
    for (pico, text) in [(0, "0"), (312_000_000, "0.000312"), (12_000_000_000_000, "12"), (1, "0.000000000001")] {
        assert_eq!(Usd(pico).to_string(), text);
    }
}
