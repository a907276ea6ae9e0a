use super::*;
use crate::testing::test;

fn plan(more: &str) -> Plan {
    let text = format!("version: 1\nproviders: {{house: {{kind: openai-compatible, url: \"http://h/v1\"}}}}\n{more}");
    crate::config::load(&text, &|_: &str| None).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:?}"))
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

const NOW: Time = Time(1_798_761_600_000_000_000);

#[test]
fn dimensions_are_trimmed_bounded_and_never_empty() {
    let long = "é".repeat(200);
    let headers = headers(&[("x-conduit-project", "  web "), ("x-conduit-agent", "   "), ("x-conduit-session", &long)]);
    let (caller, _) = identify(&plan(""), &headers, &Peer::default(), Time(0)).unwrap();
    assert_eq!(caller.project.as_deref(), Some("web"));
    assert_eq!(caller.agent, None);
    assert_eq!(caller.session.as_deref(), Some("é".repeat(64).as_str()));
}

/// `alice` and `bob` with keys, `old` and `late` with keys that end, `svc` and `own` by header, `mesh` by certificate.
fn consumers(more: &str) -> Plan {
    plan(&format!(
        "consumers:\n\
         \x20 alice: {{sha256: \"{}\", project: web}}\n\
         \x20 bob: {{sha256: [\"{}\", \"{}\"]}}\n\
         \x20 old: {{sha256: \"{}\", expires: 2027-01-01}}\n\
         \x20 late: {{sha256: \"{}\", expires: 2027-01-01T00:00:01Z}}\n\
         \x20 svc: {{header: {{name: X-Jwt-Sub, value: svc-1}}}}\n\
         \x20 own: {{header: {{name: x-jwt-sub}}}}\n\
         \x20 mesh: {{principal: \"spiffe://cluster.local/ns/a/sa/b\", sha256: \"{}\"}}\n{more}",
        hash("key of alice"),
        hash("bob-1"),
        hash("bob-2").to_uppercase(),
        hash("key of old"),
        hash("key of late"),
        hash("key of mesh"),
    ))
}

/// Headers, names in the certificate, and who that is.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], Result<&'a str, Denied>);

#[test]
fn any_identity_of_a_consumers_lets_in() {
    let plan = consumers("");
    let spiffe = "spiffe://cluster.local/ns/a/sa/b";
    let unknown = Err(Denied::Unknown);
    let expired = || Err(Denied::Expired("2027-01-01".into()));
    let cases: &[Case<'_>] = &[
        (&[("authorization", "Bearer key of alice")], &[], Ok("alice")),
        (&[("authorization", "bearer  key of alice ")], &[], Ok("alice")),
        (&[("x-api-key", "key of alice")], &[], Ok("alice")),
        (&[("api-key", "bob-1")], &[], Ok("bob")),
        (&[("x-goog-api-key", "bob-2")], &[], Ok("bob")),
        (&[(":path", "/v1beta/models/x:generateContent?alt=sse&key=key%20of%20alice")], &[], Ok("alice")),
        (&[("authorization", "Bearer any"), ("x-api-key", "bob-1")], &[], Ok("bob")),
        (&[("authorization", "Bearer key of alice"), ("x-api-key", "bob-1")], &[], Ok("alice")),
        (&[("authorization", "Bearer key of late")], &[], Ok("late")),
        (&[("authorization", "Bearer key of old")], &[], expired()),
        (&[("authorization", "Bearer key of old"), ("x-jwt-sub", "svc-1")], &[], Ok("svc")),
        (&[("authorization", "Bearer any")], &[spiffe], Ok("mesh")),
        (&[("x-jwt-sub", "svc-1")], &["spiffe://other", spiffe], Ok("mesh")),
        (&[("x-jwt-sub", " svc-1 ")], &["spiffe://other"], Ok("svc")),
        (&[("x-jwt-sub", "own")], &[], Ok("own")),
        (&[("authorization", "Bearer key of alice"), ("x-jwt-sub", "svc-1")], &[spiffe], Ok("alice")),
        // Nobody's.
        (&[], &[], Err(Denied::Anonymous)),
        (&[("authorization", "Bearer ")], &[], Err(Denied::Anonymous)),
        (&[("authorization", "Basic a2V5IG9mIGFsaWNl")], &[], Err(Denied::Anonymous)),
        (&[("authorization", "key of alice")], &[], Err(Denied::Anonymous)),
        (&[(":path", "/v1?key=")], &[], Err(Denied::Anonymous)),
        (&[("authorization", "Bearer key of alicE")], &[], unknown.clone()),
        (&[(":path", "/v1?monkey=bob-1&key=x")], &[], unknown.clone()),
        (&[], &["spiffe://cluster.local/ns/a/sa/b2"], unknown.clone()),
        (&[], &["spiffe://cluster.local/ns/a/sa/B"], unknown),
        // Both the filter's and the client's own: it is not known which is which.
        (&[("x-jwt-sub", "svc-1"), ("x-jwt-sub", "own")], &[], Err(Denied::Anonymous)),
        (&[("x-jwt-sub", "svc-1,own")], &[], Err(Denied::Anonymous)),
    ];
    for (pairs, principals, want) in cases {
        let peer = Peer { address: None, principals: principals.iter().map(|name| (*name).to_owned()).collect() };
        let found = identify(&plan, &headers(pairs), &peer, NOW);
        let name = found.map(|(caller, place)| {
            let listed = &plan.consumers.list[place.unwrap()].name;
            assert_eq!(caller.consumer.as_ref(), Some(listed));
            caller.consumer.unwrap()
        });
        assert_eq!(
            name.as_deref().map_err(Clone::clone),
            want.as_ref().map(|name| *name).map_err(Clone::clone),
            "{pairs:?} {principals:?}"
        );
    }
}

#[test]
fn the_fingerprint_is_that_of_the_key_that_lets_in() {
    let print = |key: &str| Some(hash(key)[..16].to_owned());
    let peer = Peer { address: Some("10.0.0.7".into()), ..Peer::default() };
    let both = headers(&[("authorization", "Bearer any"), ("x-api-key", "bob-1")]);
    let (caller, _) = identify(&consumers(""), &both, &peer, NOW).unwrap();
    assert_eq!((caller.key, caller.address.as_deref()), (print("bob-1"), Some("10.0.0.7")));
    let (caller, who) = identify(&plan(""), &both, &peer, NOW).unwrap();
    assert_eq!((caller.key, caller.consumer, who), (print("any"), None, None));
    assert_eq!(
        stranger(&both, &peer),
        Caller { key: print("any"), address: peer.address.clone(), ..Caller::default() }
    );
}

#[test]
fn a_consumers_own_dimensions_win_and_headers_count_where_they_are_trusted() {
    let said = headers(&[
        ("authorization", "Bearer key of alice"),
        ("x-conduit-project", "other"),
        ("x-conduit-agent", "helper"),
        ("x-conduit-session", "s1"),
    ]);
    let who = |trusted: &str| {
        let (caller, _) = identify(&consumers(trusted), &said, &Peer::default(), NOW).unwrap();
        (caller.project.unwrap(), caller.agent, caller.session)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(who(""), ("web".to_owned(), None, None));
    assert_eq!(who("trusted_headers: [x-conduit-project, x-conduit-session]"), ("web".to_owned(), None, some("s1")));
    assert_eq!(who("trusted_headers: [x-conduit-agent]"), ("web".to_owned(), some("helper"), None));
    let (caller, _) = identify(&plan("trusted_headers: []"), &said, &Peer::default(), NOW).unwrap();
    assert_eq!((caller.project, caller.agent, caller.session), (None, None, None));
}

#[test]
fn what_is_asked_for_or_where_it_goes_must_be_allowed() {
    let everything = Allowed::default();
    assert!(everything.takes("anything", "at/all"));
    let allowed =
        Allowed { names: Some(["fast", "openai/*", "anthropic/claude-*-4-5", "*mini*"].map(str::to_owned).into()) };
    for (asked, target, want) in [
        ("fast", "groq/llama", true),
        ("faster", "groq/llama", false),
        ("smart", "openai/gpt-4o", true),
        ("openai/gpt-4o", "openai/gpt-4o", true),
        ("gpt-4o", "azure-openai/gpt-4o", false),
        ("claude", "anthropic/claude-sonnet-4-5", true),
        ("claude", "anthropic/claude-4-5", false),
        ("claude", "anthropic/claude-sonnet-4-5-x", false),
        ("gpt-4o-mini-x", "azure/gpt-4o-mini-x", true),
        ("Fast", "groq/llama", false),
        ("", "", false),
    ] {
        assert_eq!(allowed.takes(asked, target), want, "{asked} {target}");
    }
    assert!(!Allowed { names: Some(Vec::new()) }.takes("fast", "groq/llama"));
}

#[test]
fn a_star_stands_for_any_text() {
    for (pattern, text, want) in [
        ("*", "", true),
        ("*", "x", true),
        ("**", "x", true),
        ("a*", "a", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "a.b.b.c", true),
        ("a*bc*c", "abc", false),
        ("*ab*ab*", "aab", false),
        ("*ab*ab*", "aabxab", true),
        ("*é*", "café", true),
        ("", "", true),
        ("", "x", false),
        ("a.c", "abc", false),
    ] {
        assert_eq!(matches(pattern, text), want, "{pattern} {text}");
    }
}
