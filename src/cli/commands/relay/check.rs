//! `hopline relay check`: what holds, before a relay is started with it.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::{Origin, Setting};
use crate::relay::Config;
use crate::relay::config::CONFIG_FILE;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::words::table;

pub(super) fn run(context: &Context, home: &Path) -> Result<(), CliError> {
    let (_, settings) = Config::look(home)?;
    let object = json!({
        "file": home.join(CONFIG_FILE),
        "settings": settings.iter().map(describe).collect::<Vec<Value>>(),
    });
    let header = ["KEY", "VALUE", "FROM"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(settings.iter().map(row)).collect();
    context.out.say(&object, table(&rows))
}

fn describe(setting: &Setting) -> Value {
    json!({ "key": setting.key, "value": setting.value, "line": line(setting.origin) })
}

fn row(setting: &Setting) -> Vec<String> {
    let value = if setting.value.is_null() { "none".to_owned() } else { setting.value.to_string() };
    let origin = match line(setting.origin) {
        Some(line) => format!("{CONFIG_FILE}:{line}"),
        None => "default".to_owned(),
    };
    vec![setting.key.clone(), value, origin]
}

/// A relay is told things by its file alone.
const fn line(origin: Origin) -> Option<usize> {
    match origin {
        Origin::File { line } => Some(line),
        Origin::Default | Origin::Remembered | Origin::CommandLine => None,
    }
}
