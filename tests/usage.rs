//! `conduit usage`: what the built command makes of access logs.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, clippy::indexing_slicing)]

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `conduit` in `folder` and gives it `input`.
fn conduit(folder: &Path, input: &[u8], args: &[&str]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_conduit"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Records of two days; one failed over and was billed twice, one is of an older version, one is estimated.
const LOG: &str = r#"{"time":"2026-11-20T23:59:59.999Z","request_id":"r1","consumer":"alice","project":"web","agent":null,"agent_type":null,"session":"s1","key":null,"endpoint":"chat","model":"smart","target":"openai/gpt-4o","provider":"openai","reason":"alias","rule":"smart","attempts":[{"target":"openai/gpt-4o","status":200,"ms":90}],"stream":false,"status":200,"outcome":"ok","exceeded":null,"usage":{"prompt_tokens":1000,"cached_tokens":200,"cache_write_tokens":null,"completion_tokens":100,"reasoning_tokens":40,"known":"reported","counted_prompt_tokens":1000,"counted":"exact"},"cost_picodollars":3250000000,"cost_usd":"0.00325","priced":true,"ttft_ms":90,"duration_ms":100}
{"time":"2026-11-21T00:00:00.000Z","request_id":"r2","consumer":"alice","project":"web","agent":"a","agent_type":null,"session":"s1","key":null,"headers":{"x-team":"red"},"endpoint":"chat","model":"smart","target":"anthropic/claude","provider":"anthropic","reason":"alias","rule":"smart","attempts":[{"target":"openai/gpt-4o","status":500,"ms":9,"billed":{"usage":{"prompt_tokens":10,"cached_tokens":null,"cache_write_tokens":null,"completion_tokens":0,"reasoning_tokens":null,"known":"reported","counted_prompt_tokens":null,"counted":null},"cost_picodollars":25}},{"target":"anthropic/claude","status":200,"ms":30}],"stream":true,"status":200,"outcome":"ok","exceeded":null,"usage":{"prompt_tokens":20,"cached_tokens":0,"cache_write_tokens":5,"completion_tokens":7,"reasoning_tokens":null,"service_tier":"standard","known":"reported","counted_prompt_tokens":21,"counted":"estimated"},"cost_picodollars":100000000000000000000000025,"cost_usd":"100000000000000.000000000025","priced":true,"ttft_ms":40,"duration_ms":1000}

{"time":"2026-11-21T10:00:00.000Z","project":"web","endpoint":"chat","model":"llama","target":"house/llama","provider":"house","status":200,"outcome":"client_gone","usage":{"prompt_tokens":5,"completion_tokens":2,"known":"estimated"},"cost_picodollars":null,"priced":false,"duration_ms":50}
not json
{"time":"2026-11-21T11:00:00.000Z","consumer":"bob","endpoint":"chat","model":"smart","target":null,"provider":null,"attempts":[],"stream":false,"status":429,"outcome":"refused","exceeded":"day","usage":{"prompt_tokens":null},"cost_picodollars":null,"priced":false,"duration_ms":1,"from_the_future":{"a":[1]}}
{"level":"info"}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("access.jsonl"), LOG).unwrap();
    folder
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let ran = conduit(folder, b"", &[&["usage", "--format", "json"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_table_adds_up_exactly_and_says_what_it_skipped() {
    let folder = folder();
    let ran = conduit(folder.path(), b"", &["usage", "access.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let find = |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}: {}", ran.out));
    assert_eq!(
        find("anthropic/claude")[1..],
        ["1", "0", "20", "0", "5", "7", "0", "100000000000000", "0", "0", "1004/1004/1004", "40/40/40"]
    );
    // Its own request, and what it was billed for the attempt that failed.
    assert_eq!(
        find("openai/gpt-4o")[1..],
        ["1", "0", "1,010", "200", "0", "100", "40", "0.003250000025", "0", "0", "100/100/100", "90/90/90"]
    );
    assert_eq!(find("house/llama")[1..], ["1", "1", "5", "0", "0", "2", "0", "0", "1", "1", "50/50/50", "-"]);
    assert_eq!(find("(none)")[1..10], ["1", "1", "0", "0", "0", "0", "0", "0", "0"]);
    assert_eq!(find("total")[1..10], ["4", "2", "1,035", "200", "5", "109", "40", "100000000000000.003250000025", "1"]);
    assert!(ran.out.ends_with("outcomes: ok 2, refused 1, client_gone 1\n"), "{}", ran.out);
    let complaint = "skipped 2 lines; the first is access.jsonl:5: no record: expected";
    assert!(ran.err.starts_with(complaint), "{}", ran.err);
}

#[test]
fn groups_are_by_what_is_asked() {
    let folder = folder();
    let here = folder.path();
    for (by, want) in [
        ("project", "web 3|- 1"),
        ("consumer", "alice 2|- 1|bob 1"),
        ("model,outcome", "smart ok 2|llama client_gone 1|smart refused 1"),
        ("day", "2026-11-20 1|2026-11-21 3"),
        ("month,status", "2026-11 200 3|2026-11 429 1"),
        (
            "hour,provider",
            "2026-11-20 23:00 openai 1|2026-11-21 00:00 anthropic 1|2026-11-21 00:00 openai 0|2026-11-21 10:00 house 1|2026-11-21 11:00 - 1",
        ),
        ("exceeded", "- 3|day 1"),
        (
            "agent,agent_type,session,key,endpoint,reason,rule",
            "a - s1 - chat alias smart 1|- - s1 - chat alias smart 1|- - - - chat - - 2",
        ),
    ] {
        let told = json(here, &["access.jsonl", "--by", by]);
        let rows = told["groups"].as_array().unwrap().iter().map(|row| {
            let values = row["by"].as_object().unwrap().values().map(|v| v.as_str().unwrap_or("-"));
            format!("{} {}", values.collect::<Vec<_>>().join(" "), row["requests"])
        });
        assert_eq!(rows.collect::<Vec<_>>().join("|"), want, "{by}");
    }
    let wrong = conduit(here, b"", &["usage", "access.jsonl", "--by", "colour"]);
    assert!(wrong.code == 2 && wrong.err.contains("colour") && wrong.err.contains("agent_type"), "{}", wrong.err);
}

#[test]
fn a_stretch_and_a_zone_choose_records_and_days() {
    let folder = folder();
    let here = folder.path();
    for (args, want) in [
        (&["--since", "2026-11-21"][..], 3),
        (&["--until", "2026-11-21"], 1),
        (&["--since", "2026-11-21T00:00:00.000Z", "--until", "2026-11-21T10:00:00Z"], 1),
        (&["--since", "2026-11-21", "--zone", "Europe/Berlin"], 4),
        (&["--since", "2026-11-21T11:00", "--zone", "Europe/Berlin"], 2),
    ] {
        assert_eq!(json(here, &[&["access.jsonl"], args].concat())["total"]["requests"], want, "{args:?}");
    }
    let days = json(here, &["access.jsonl", "--by", "day", "--zone", "Europe/Berlin"]);
    assert_eq!(days["groups"][0]["by"]["day"], "2026-11-21");
    for (args, part) in
        [(["--since", "yesterday"], "--since yesterday: found no time"), (["--zone", "Mars"], "IANA name")]
    {
        let ran = conduit(here, b"", &[&["usage", "access.jsonl"], &args[..]].concat());
        assert!(ran.code == 1 && ran.err.contains(part), "{args:?}: {}", ran.err);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn rotated_compressed_and_piped_logs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let log = LOG.as_bytes();
    std::fs::create_dir(here.join("run")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(here.join("run").join(name), bytes).unwrap();
    write("access.jsonl", log);
    let (front, back) = log.split_at(333);
    write("access.jsonl.1.gz", &[gzip(front), gzip(back)].concat());
    write("access.jsonl.2.zst", &[zstd::encode_all(front, 1).unwrap(), zstd::encode_all(back, 1).unwrap()].concat());
    let mut squeezed = Vec::new();
    brotli::CompressorWriter::new(&mut squeezed, 4096, 5, 20).write_all(log).unwrap();
    write("access.jsonl.3.br", &squeezed);
    // By its content, whatever its name says.
    write("access-old.jsonl", &gzip(log));
    write("envoy.log", log);
    for (args, times) in [
        (&["run/access.jsonl"][..], 1),
        (&["run/access.jsonl.1.gz"], 1),
        (&["run/access.jsonl.2.zst"], 1),
        (&["run/access.jsonl.3.br"], 1),
        (&["run"], 5),
        (&[], 5),
        (&["run/access.jsonl", "-"], 2),
    ] {
        let input: &[u8] = if args.contains(&"-") { &gzip(log) } else { b"" };
        let ran = conduit(here, input, &[&["usage", "--format", "json"], args].concat());
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{args:?}: {}", ran.err));
        assert_eq!(told["total"]["requests"], 4 * times, "{args:?}");
        assert!(ran.err.contains(&format!("skipped {} lines", 2 * times)), "{args:?}: {}", ran.err);
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = folder();
    let here = folder.path();
    for (args, part) in [
        (&["usage"][..], "the folder run of `conduit up` is not here"),
        (&["usage", "access.jsonl", "missing.jsonl"], "missing.jsonl cannot be read"),
    ] {
        let ran = conduit(here, b"", args);
        assert!(ran.code == 3 && ran.err.contains(part) && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
    std::fs::create_dir(here.join("empty")).unwrap();
    assert_eq!(conduit(here, b"", &["usage", "empty"]).code, 3);
    // A compressed log that is still being written: what is there counts, and the exit code says that it is not all.
    let whole = gzip(LOG.repeat(2_000).as_bytes());
    std::fs::write(here.join("torn.gz"), &whole[..whole.len() / 2]).unwrap();
    let ran = conduit(here, b"", &["usage", "torn.gz", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(ran.code == 1 && ran.err.contains("torn.gz cannot be read to its end"), "{}", ran.err);
    assert!(told["total"]["requests"].as_u64().unwrap() > 1_000, "{}", ran.out);
}

#[test]
fn lines_without_end_take_no_memory_and_what_follows_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(9 << 20);
    let quoted = format!("{{\"time\":\"{long}\"}}");
    let first = LOG.lines().next().unwrap();
    let text = format!("{first}\n{long}\n{first}\n{quoted}\n{first}\n{long}");
    let ran = conduit(folder.path(), text.as_bytes(), &["usage", "-", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["total"]["requests"], 3, "{}", ran.err);
    assert!(
        ran.err.contains("skipped 3 lines; the first is standard input:2: no record: longer than 1 MiB"),
        "{}",
        ran.err
    );
}

#[test]
fn csv_tells_none_from_empty() {
    let lines = r#"{"time":"x","project":"a,\"b\"","outcome":"ok"}
{"time":"x","project":"","outcome":"ok"}
{"time":"x","outcome":"strange"}"#;
    let folder = tempfile::tempdir().unwrap();
    let ran =
        conduit(folder.path(), lines.as_bytes(), &["usage", "-", "--by", "project", "--format", "csv", "-o", "x.csv"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let text = std::fs::read_to_string(folder.path().join("x.csv")).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].starts_with("project,requests,errors,refused,"), "{text}");
    assert!(rows[1].starts_with(",1,1,0,0,0,0,0,0,1,0,"), "{text}");
    assert!(rows[2].starts_with("\"\",1,0,") && rows[3].starts_with("\"a,\"\"b\"\"\",1,0,"), "{text}");
}

/// Records that are hard to carry: nothing, zero, empty, the largest, and text that formats trip over.
fn hard() -> String {
    let usage = |rest: &str| {
        format!(
            r#"{{"prompt_tokens":null,"cached_tokens":null,"cache_write_tokens":null,"completion_tokens":null,"reasoning_tokens":null{rest},"known":null,"counted_prompt_tokens":null,"counted":null}}"#
        )
    };
    let record = |project: &str, attempts: &str, usage: &str, cost: &str, more: &str| {
        format!(
            r#"{{"time":"2026-11-21T00:00:00.000Z","request_id":null,"consumer":null,"project":{project},"agent":null,"agent_type":null,"session":null,"key":null,{more}"endpoint":"chat","model":null,"target":null,"provider":null,"reason":null,"rule":null,"attempts":{attempts},"stream":false,"status":null,"outcome":"ok","exceeded":null,"usage":{usage},"cost_picodollars":{cost},"cost_usd":null,"priced":false,"ttft_ms":null,"duration_ms":0}}"#
        )
    };
    let zero = r#"{"prompt_tokens":0,"cached_tokens":0,"cache_write_tokens":0,"cache_write_1h_tokens":0,"audio_prompt_tokens":0,"image_prompt_tokens":0,"completion_tokens":18446744073709551615,"reasoning_tokens":0,"audio_completion_tokens":0,"service_tier":"","known":"","counted_prompt_tokens":0,"counted":""}"#;
    let attempt = format!(
        r#"[{{"target":"a/b","status":503,"ms":1,"billed":{{"usage":{},"cost_picodollars":99999999999999999999999999999999999999}}}},{{"target":"","status":null,"ms":18446744073709551615}}]"#,
        usage("")
    );
    let mut text = String::new();
    for line in [
        record("null", "[]", &usage(""), "null", ""),
        record("\"\"", "[]", zero, "0", ""),
        record("\"null\"", &attempt, &usage(r#","service_tier":"flex""#), "99999999999999999999999999999999999999", ""),
        record(
            r#""a,\"b\"\n\r\n; 'c' \\ \u0000 é\u2028""#,
            "[]",
            &usage(""),
            "1",
            r#""headers":{"x":"","x-team":"a,\"b\""},"#,
        ),
        record("\"\\\\N\"", "[]", &usage(""), "18446744073709551616", ""),
        record("\" =1+1 \"", "[]", &usage(""), "18446744073709551615", ""),
    ] {
        text.push_str(&line.replace("\\u2028", "\u{2028}"));
        text.push('\n');
    }
    text
}

#[test]
fn records_come_back_from_every_format_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let second = LOG.lines().nth(1).unwrap();
    // More than one row group of Parquet.
    for (format, more) in [("parquet", 66_000), ("csv", 2_000), ("jsonl", 2_000)] {
        let mut text = hard();
        for number in 0..more {
            text.push_str(&second.replace("\"r2\"", &format!("\"r{number}\"")));
            text.push('\n');
        }
        std::fs::write(here.join("access.jsonl"), &text).unwrap();
        let (table, log) = (format!("records.{format}"), format!("{format}.jsonl"));
        let ran = conduit(here, b"", &["usage", "export", "access.jsonl", "--format", format, "-o", &table]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        assert!(ran.out.ends_with(&format!("006 records in {table}\n")), "{}", ran.out);
        let ran = conduit(here, b"", &["usage", "import", &table, "-o", &log]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        let back = std::fs::read_to_string(here.join(&log)).unwrap();
        for (line, want) in back.lines().zip(text.lines()) {
            assert_eq!(line, want, "{format}");
        }
        assert_eq!(back.lines().count(), text.lines().count(), "{format}");
    }
}

#[test]
fn exports_choose_by_time_and_read_what_reports_read() {
    let folder = folder();
    let here = folder.path();
    let out = ["--format", "jsonl", "-o", "x.jsonl"];
    let ran = conduit(
        here,
        b"",
        &[&["usage", "export", "access.jsonl", "--since", "2026-11-21T10:00:00Z"][..], &out].concat(),
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 records in x.jsonl\n"), "{}", ran.err);
    assert!(ran.err.contains("skipped 2 lines; the first is access.jsonl:5"), "{}", ran.err);
    let text = std::fs::read_to_string(here.join("x.jsonl")).unwrap();
    // What an older record lacks is null; what is not known here is left out.
    assert!(text.contains("\"consumer\":null") && !text.contains("from_the_future"), "{text}");
    // More than 38 digits do not fit Parquet's decimals; the record is named rather than changed.
    let large = format!("{{\"time\":\"x\",\"cost_picodollars\":1{}}}\n", "0".repeat(38));
    let ran = conduit(here, large.as_bytes(), &["usage", "export", "-", "--format", "parquet", "-o", "y.parquet"]);
    assert!(
        ran.out.starts_with("0 records") && ran.err.contains("standard input:1: its cost has more than 38 digits"),
        "{}",
        ran.err
    );
    let same = conduit(here, b"", &["usage", "export", "access.jsonl", "--format", "csv", "-o", "access.jsonl"]);
    assert!(same.code == 3 && same.err.contains("is one of the logs"), "{}", same.err);
    assert_eq!(std::fs::read_to_string(here.join("access.jsonl")).unwrap(), LOG);
}

#[test]
fn an_import_is_whole_or_not_at_all() {
    let folder = folder();
    let here = folder.path();
    for (name, content, code, part) in [
        (
            "a.csv",
            "time,duration_ms\nx,1\ny,two\n",
            1,
            "a.csv: line 3: duration_ms: found \"two\", expected a whole number",
        ),
        ("b.csv", "colour\nred\n", 1, "b.csv: line 1: found no column of a record"),
        ("c.jsonl", "{\"time\":\"x\"}\n{}\n", 1, "c.jsonl: line 2: no record"),
        ("d.parquet", "PAR1 and nothing more", 1, "d.parquet: found no readable Parquet"),
        ("e.csv", "", 1, "e.csv: line 1: found no column"),
    ] {
        std::fs::write(here.join(name), content).unwrap();
        let ran = conduit(here, b"", &["usage", "import", name, "-o", "new.jsonl"]);
        assert!(ran.code == code && ran.err.contains(part), "{name}: {}", ran.err);
        assert!(!here.join("new.jsonl").exists(), "{name}");
    }
    std::fs::write(here.join("fine.csv"), "duration_ms,time\n7,x\n").unwrap();
    let ran = conduit(here, b"", &["usage", "import", "fine.csv", "-o", "access.jsonl"]);
    assert!(ran.code == 3 && ran.err.contains("logs are never replaced"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(here.join("access.jsonl")).unwrap(), LOG);
    let ran = conduit(here, b"time\nx\n", &["usage", "import", "-", "-o", "new.jsonl"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 records in new.jsonl\n"), "{}", ran.err);
}

#[test]
fn the_page_stands_alone_and_escapes_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let evil = r#"</title><script>alert(1)</script>\"onload=x' &amp;"#;
    let mut text = String::new();
    for field in ["project", "agent", "consumer", "model", "target", "outcome", "provider", "session"] {
        text.push_str(&format!(
            "{{\"time\":\"2026-11-21T0{}:00:00Z\",\"{field}\":\"{evil}\",\"usage\":{{\"prompt_tokens\":5,\"known\":\"reported\"}}{}}}\n",
            text.lines().count(),
            if field == "target" { "" } else { ",\"cost_picodollars\":1000000000000" }
        ));
    }
    std::fs::write(folder.path().join("access.jsonl"), text).unwrap();
    let ran = conduit(folder.path(), b"", &["usage", "access.jsonl", "--format", "html", "-o", "usage.html"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let page = std::fs::read_to_string(folder.path().join("usage.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for never in ["<script", "onload=x'", "http:", "https:", "src=\"", "href=", "url(", "@import", "&amp;lt;"] {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;onload=x&#39; &amp;amp;"));
    assert!(page.contains("<b>1 unpriced request.</b>") && page.contains("title=\"$7\""));
    for title in
        ["Cost per hour, by project", "Tokens per hour", "Requests per hour", "Latency per hour", "Projects", "Days"]
    {
        assert!(page.contains(title), "{title}");
    }
    let empty = conduit(folder.path(), b"", &["usage", "-", "--format", "html"]);
    assert!(empty.code == 0 && empty.out.contains("No records"), "{}", empty.err);
}
