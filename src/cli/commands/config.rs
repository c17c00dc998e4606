//! `hopline config`: whether `config.toml` is fine, and what holds.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use serde_json::json;

use crate::config::{ConfigError, Origin, Problem, Setting};
use crate::node::config::{Loaded, check};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::table;

use super::daemon::Overriding;

/// What `config` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Say whether a configuration file is fine, or everything that is wrong with it
    Check {
        /// The file [default: config.toml in the home]
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Show every key, its value and where that comes from
    Show(Overriding),
}

pub(in crate::cli) fn run(context: &Context, arguments: Arguments) -> Result<(), CliError> {
    match arguments.deed {
        Deed::Check { file: Some(file) } => check_file(context, &file),
        Deed::Check { file: None } => {
            let file = context.home()?.config();
            if file.try_exists().is_ok_and(|exists| !exists) {
                let object = json!({ "file": file, "keys": 0, "problems": [] });
                return context
                    .out
                    .say(&object, format!("there is no {}: the defaults hold", file.display()));
            }
            check_file(context, &file)
        }
        Deed::Show(overriding) => show(context, overriding),
    }
}

fn check_file(context: &Context, file: &Path) -> Result<(), CliError> {
    match check(file) {
        Ok(keys) => {
            let object = json!({ "file": file, "keys": keys, "problems": [] });
            let unit = if keys == 1 { "key" } else { "keys" };
            context.out.say(&object, format!("{} is fine: {keys} {unit}", file.display()))
        }
        Err(ConfigError::Faulty { file, problems }) => {
            let object = json!({ "file": file, "problems": problems.iter().map(report).collect::<Vec<_>>() });
            let lines: Vec<String> =
                problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect();
            context.out.say(&object, lines.join("\n"))?;
            Err(CliError::BadConfig { file, count: problems.len() })
        }
        Err(error @ (ConfigError::Unreadable { .. } | ConfigError::Random(_))) => {
            Err(CliError::Config(error.into()))
        }
    }
}

fn report(problem: &Problem) -> serde_json::Value {
    json!({ "line": problem.line, "key": problem.key, "message": problem.fault.to_string() })
}

fn show(context: &Context, overriding: Overriding) -> Result<(), CliError> {
    let home = context.home()?;
    let Loaded { settings, .. } = Loaded::look(&home, overriding.into())?;
    let object = json!({
        "file": home.config(),
        "settings": settings.iter().map(describe).collect::<Vec<_>>(),
    });
    let header = ["KEY", "VALUE", "FROM"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(settings.iter().map(row)).collect();
    context.out.say(&object, table(&rows))
}

fn describe(setting: &Setting) -> serde_json::Value {
    let (origin, line) = match setting.origin {
        Origin::Default => ("default", None),
        Origin::File { line } => ("file", Some(line)),
        Origin::Remembered => ("home", None),
        Origin::CommandLine => ("command_line", None),
    };
    json!({ "key": setting.key, "value": setting.value, "origin": origin, "line": line })
}

fn row(setting: &Setting) -> Vec<String> {
    let value = match (setting.value.is_null(), setting.key.as_str()) {
        (false, _) => setting.value.to_string(),
        (true, "node.nickname") => "made up at the first start".to_owned(),
        (true, _) => "none".to_owned(),
    };
    let origin = match setting.origin {
        Origin::Default => "default".to_owned(),
        Origin::File { line } => format!("config.toml:{line}"),
        Origin::Remembered => "the last start".to_owned(),
        Origin::CommandLine => "command line".to_owned(),
    };
    vec![setting.key.clone(), value, origin]
}
