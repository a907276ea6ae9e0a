//! What may stand on the command line.

use super::usage::Dimension;
use crate::admit::LONGEST_VALUE;
use crate::config::{CONSUMER_NAME, EXPIRES, is_consumer_name, is_dimension, time};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  the configuration or the request has mistakes; each one is printed
  2  wrong usage
  3  something on this machine is missing or in the way (a port in use, Envoy not found)
  4  Envoy ended unexpectedly

Start here:
  conduit check conduit.yaml      find every mistake in the file
  conduit up conduit.yaml         run it: Envoy with the Conduit module, until Ctrl-C
  conduit mock --port 8000        providers to try it against, without a key or a cost
  conduit usage                   what its access logs add up to: tokens, cost, errors, latency";

/// An LLM gateway that lives inside Envoy: check, render, run and explain its configuration.
#[derive(Debug, Parser)]
#[command(name = "conduit", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 110)]
pub(super) struct Conduit {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Report every mistake in a configuration, or say what it configures.
    #[command(after_help = "\
Examples:
  conduit check conduit.yaml
  OPENAI_API_KEY=sk-… conduit check conduit.yaml   variables that the file names must be set

Each mistake is one line on standard error: FILE:LINE:COLUMN: where: found what, expected what.
Exit code 0: no mistake. 1: mistakes. 3: the file cannot be read.")]
    Check(Check),

    /// Print the Envoy configuration that a conduit.yaml stands for.
    #[command(after_help = "\
Examples:
  conduit render conduit.yaml                        to standard output
  conduit render conduit.yaml -o envoy.yaml --wasm /etc/envoy/conduit.wasm
  envoy -c envoy.yaml                                runs it; `conduit up` does all of this at once

The output is JSON, which is YAML too: Envoy reads it from a file named .yaml or .json.")]
    Render(Render),

    /// Check, render and run: Envoy with the Conduit module, and a line for each request, until Ctrl-C.
    #[command(after_help = "\
Examples:
  conduit up conduit.yaml
  conduit up conduit.yaml --envoy /usr/bin/envoy --wasm ./conduit.wasm --concurrency 2

Envoy is looked for at --envoy, $CONDUIT_ENVOY, .venv/bin/envoy here and above, and in PATH.
The module is looked for at --wasm, $CONDUIT_WASM and target/wasm32-wasip1/release/conduit.wasm
here, above, and beside the command.

A changed file is checked and loaded without a restart; while it has mistakes, the last good one
keeps running. What Envoy says goes to envoy.log in the run folder, and one JSON record per
request to access.jsonl there, unless the file names another `access_log`.

Exit code 1: mistakes in the file. 3: a port is in use, or Envoy or the module is missing.
4: Envoy ended unexpectedly.")]
    Up(Up),

    /// Say what would happen to a request: tokens, who matches, the targets in order, the estimated cost.
    #[command(after_help = "\
Examples:
  conduit explain conduit.yaml request.json
  conduit explain conduit.yaml request.json --header x-agent-type:research
  echo '{\"model\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | conduit explain conduit.yaml -")]
    Explain(Explain),

    /// Show what models cost and how much fits into them, and where that is known from.
    #[command(after_help = "\
Examples:
  conduit prices                              the catalog's providers
  conduit prices gpt-4o                       a model, wherever it is sold under a price list of its own
  conduit prices bedrock/amazon.nova-pro-v1:0
  conduit prices --file conduit.yaml          every model that the file names
  conduit prices smart --file conduit.yaml    an alias of the file, as its `models:` and the catalog price it

Prices are in USD per million tokens. What the file says in `models:` goes before the catalog.
Exit code 1: the model is unknown, or the file has mistakes. 3: the file cannot be read.")]
    Prices(Prices),

    /// Make API keys for consumers.
    #[command(after_help = "\
Examples:
  conduit key new alice
  conduit key new alice --project web --models fast,'openai/*' --expires 2027-01-01")]
    Key(Key),

    /// Stand in for providers: OpenAI, Azure, Anthropic, Gemini, Vertex, Bedrock on one port, with faults on demand.
    #[command(after_help = "\
Examples:
  conduit mock --port 8000
  curl localhost:8000/v1/chat/completions -H 'authorization: Bearer x' \\
    -d '{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}'
  curl localhost:8000/mock/requests     what was received (credentials as hashes); DELETE empties it
  curl localhost:8000/mock/bill         requests and tokens by model; `untold` is what no client was told of

It serves, below any base path:
  OpenAI     /v1/chat/completions /responses /completions /embeddings /models /images/generations
             /audio/speech /audio/transcriptions, and /rerank as Cohere and Jina do
  Azure      /openai/deployments/NAME/…?api-version=…; /openai/v1/… with an api-key header, or below /azure
  Anthropic  /v1/messages, /v1/messages/count_tokens
  Gemini     /v1beta/models/NAME:generateContent :streamGenerateContent :countTokens :embedContent
             :batchEmbedContents
  Vertex     /v1/projects/P/locations/L/publishers/google/models/NAME:… (:predict embeds), and
             publishers/anthropic/models/NAME:rawPredict :streamRawPredict
  Bedrock    /model/NAME/converse, converse-stream, invoke, invoke-with-response-stream; a bearer
             key, or signed with the key of --aws-access-key and --aws-secret-key
It repeats the last user text, calls a tool where one is forced or the text says its name,
\"weather\" or \"tool\" (two at once for \"parallel\"), quotes tool results, and fills JSON schemas.

Faults, as a header (x-mock-status: 503) or in the model's name (gpt-4o+status=503+times=2):
  status=N         answer with that error          retry-after=S  and with this Retry-After
  delay=MS         wait before the answer          drip=MS        wait before each piece of it
  cut=N            close after N bytes of body     hangup         close without an answer
  garbage          bytes that are not the format   end-early      end a stream without its end
  error-in-stream  an error inside a stream        no-usage       report no usage
  usage            report usage in an error too    cut-end        close before a stream's last event
  no-limit         say more than the request allows
  text=WORDS       say this                        tokens=N       say N words
  cached=N         N prompt tokens were cached     cache-write=N  N were written to the cache
  safety           withhold the answer             prompt-block   refuse the prompt
  gzip deflate br zstd   compress the body so      times=N        only the first N requests alike

A script (--script FILE) is JSON Lines; the first line that fits answers:
  {\"match\": {\"model\": \"gpt-4o\", \"text\": \"hello\"}, \"times\": 1, \"status\": 503, \"body\": {…}}
  {\"sse\": [{\"event\": \"ping\", \"data\": {…}}, \"data: raw text\\n\\n\"]}")]
    Mock(Mock),

    /// Add up access logs: requests, tokens, cost, errors and latency, by project, model, day and more.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  conduit usage                                     the logs of `conduit up` in ./run, by target
  conduit usage run/access.jsonl* --by project,model --since 7d
  conduit usage logs/ --by day --zone Europe/Berlin --format csv -o days.csv
  conduit usage run --since 30d --format html -o usage.html
  zstd -dc old.zst | conduit usage - --by consumer --since 2026-11-01 --until 2026-12-01

A LOG is a file, a folder (every access*.jsonl* in it) or - for standard input; gzip, zstd and
brotli (named .br) are read too. It is read as it streams: memory does not grow with its size.

Cost is exact: the sum of picodollars. What an attempt that failed was billed for counts for its
own target. `unpriced` counts requests with tokens whose price is not known: their cost is not in
the sum. Errors are all outcomes but ok. Percentiles are within 0.8 %; beyond 100,000 groups the
smallest are merged into (other). Lines that are no records are skipped and counted at the end.

Exit code 1: a log breaks off, or a time or zone is not one. 3: a log cannot be read."
    )]
    Usage(Usage),

    /// Print a completion script for a shell.
    #[command(after_help = "\
Examples:
  conduit completions bash > ~/.local/share/bash-completion/completions/conduit
  conduit completions zsh > \"${fpath[1]}/_conduit\"
  conduit completions fish > ~/.config/fish/completions/conduit.fish")]
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration, usually conduit.yaml.
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Render {
    /// The configuration, usually conduit.yaml.
    pub file: PathBuf,
    /// Write here instead of to standard output.
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Where Envoy will find conduit.wasm.
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    /// The configuration, usually conduit.yaml.
    pub file: PathBuf,
    /// The Envoy binary.
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// The built module, conduit.wasm.
    #[arg(long, value_name = "PATH")]
    pub wasm: Option<PathBuf>,
    /// Envoy's worker threads; without it, one per processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: Option<u16>,
    /// The folder for Envoy's configuration and logs; made if missing.
    #[arg(long, value_name = "FOLDER", default_value = "run")]
    pub run_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The configuration, usually conduit.yaml.
    pub file: PathBuf,
    /// The request's body, as a client would send it; `-` reads standard input.
    pub request: PathBuf,
    /// A request header, NAME:VALUE; may be repeated.
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// The endpoint that the request is sent to; told from the request where not given.
    #[arg(long, value_name = "ENDPOINT", value_parser = ["chat", "responses", "messages", "generate_content", "converse"])]
    pub endpoint: Option<String>,
    /// The model that is asked for, where the body does not say it (`generate_content` and `converse` say it in the path).
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Show the request that this target (PROVIDER/MODEL or an alias) would be sent: URL, headers, body, and what is
    /// dropped. Without a value: each target that the request would be routed to.
    #[arg(long, value_name = "TARGET", num_args = 0..=1, default_missing_value = "")]
    pub show_request: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Prices {
    /// A model as its provider names it, PROVIDER/MODEL, or an alias of the file.
    pub model: Option<String>,
    /// The configuration whose models and aliases are meant, usually conduit.yaml.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(subcommand)]
    pub verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyVerb {
    /// Make a key: print it, this once, and the entry with its hash for `consumers:`.
    #[command(after_help = "\
Examples:
  conduit key new alice
  conduit key new alice --project web --models fast,'openai/*' --expires 2027-01-01

The key is the first line of standard output, the entry begins at the third; what they are is said
on standard error. The key has 256 random bits. Nothing is written anywhere: who loses the key makes
a new one. While clients change to it, `sha256` may be a list with both hashes.")]
    New(KeyNew),
}

#[derive(Debug, Args)]
pub(super) struct KeyNew {
    /// The consumer's name.
    #[arg(value_parser = consumer_name)]
    pub name: String,
    /// The project that its requests are of.
    #[arg(long, value_name = "PROJECT", value_parser = dimension)]
    pub project: Option<String>,
    /// The agent that its requests are of.
    #[arg(long, value_name = "AGENT", value_parser = dimension)]
    pub agent: Option<String>,
    /// The aliases and models that it may ask for, with commas between them; `*` is any text. Without: all.
    #[arg(long, value_name = "MODELS", value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub models: Vec<String>,
    /// When it ends: a date, or an RFC 3339 time.
    #[arg(long, value_name = "DATE", value_parser = expires)]
    pub expires: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Mock {
    /// The port to listen on; 0 takes any free one and prints it.
    #[arg(long, value_name = "N")]
    pub port: u16,
    /// The address to listen on.
    #[arg(long, value_name = "A", default_value = "127.0.0.1")]
    pub address: String,
    /// Answer every request with this status.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(400..600))]
    pub fail: Option<u16>,
    /// Wait this long before every answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay_ms: u64,
    /// Scripted answers, JSON Lines.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Serve requests that carry no credential too; without it they are refused as the vendor does.
    #[arg(long)]
    pub open: bool,
    /// The id of the AWS key that requests to Bedrock may be signed with.
    #[arg(long, value_name = "ID", default_value = "AKIDMOCK")]
    pub aws_access_key: String,
    /// Its secret; one made up for the mock, as others on the machine can see it.
    #[arg(long, value_name = "SECRET", default_value = "mock-secret")]
    pub aws_secret_key: String,
}

#[derive(Debug, Args)]
pub(super) struct Usage {
    #[command(subcommand)]
    pub action: Option<UsageAction>,
    /// Access logs: files, folders, or `-`.
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// What to group by, several with commas between.
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', default_value = "target")]
    pub by: Vec<Dimension>,
    /// Only what began then or later: `24h`, `7d`, `2026-11-01` or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what began before.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The zone of hours, days, months and dates.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// Write here instead of to standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum UsageAction {
    /// Write the records of access logs as Parquet, CSV or JSON Lines.
    #[command(after_help = "\
Examples:
  conduit usage export run --format parquet -o records.parquet
  conduit usage export run --since 7d --format csv -o week.csv

A column for each field; `attempts` and `headers` are JSON text, tokens unsigned integers. What a
record does not know is null, in CSV empty, and an empty text is \"\". cost_picodollars is exact:
DECIMAL(38, 0) in Parquet, digits in CSV. `conduit usage import` makes the same records of it.")]
    Export(Export),
    /// Make an access log of what `export` wrote.
    #[command(after_help = "\
Examples:
  conduit usage import records.parquet -o run/access-imported.jsonl
  conduit usage import week.csv -o week.jsonl

The format shows by the content. Columns go by their names; unknown ones are passed over.
The first row that is no record ends it with exit code 1 and says where.")]
    Import(Import),
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Access logs: files, folders, or `-`.
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Only what began then or later: `24h`, `7d`, `2026-11-01` or RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only what began before.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The zone of dates.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// How to write it.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Write here.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// Parquet, compressed with zstd.
    Parquet,
    /// A line of names, and one for each record.
    Csv,
    /// Lines as in the log.
    Jsonl,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// What `export` wrote; `-` for CSV or JSON Lines on standard input.
    pub file: PathBuf,
    /// The log to make; it must not be there yet.
    #[arg(short, long, value_name = "LOG")]
    pub output: PathBuf,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    Table,
    /// A line for each group.
    Csv,
    /// Groups and total.
    Json,
    /// One page with plots and tables of every kind; `--by` has no say in it.
    Html,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `NAME:VALUE`
fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected NAME:VALUE, such as x-agent-type:research".to_owned()),
    }
}

fn consumer_name(text: &str) -> Result<String, String> {
    if is_consumer_name(text) { Ok(text.to_owned()) } else { Err(format!("expected {CONSUMER_NAME}")) }
}

fn dimension(text: &str) -> Result<String, String> {
    if is_dimension(text, LONGEST_VALUE) {
        return Ok(text.to_owned());
    }
    Err(format!("expected at most {LONGEST_VALUE} bytes on one line, without spaces around it"))
}

fn expires(text: &str) -> Result<String, String> {
    if time(text).is_some() { Ok(text.to_owned()) } else { Err(format!("expected {EXPIRES}")) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Conduit::command().debug_assert();
    }
}
