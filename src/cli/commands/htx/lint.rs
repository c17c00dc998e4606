//! `hopline htx lint`: a relay against every requirement.

use serde::Serialize;

use crate::clock::Clock;
use crate::net::lint::{Line, Subject, Verdict, lint};

use crate::cli::context::Context;
use crate::cli::error::CliError;

use super::paragraph::behind;
use super::target::{Target, seed};

/// Where the words of a line begin.
const INDENT: usize = 21;

#[derive(Debug, Serialize)]
struct Report {
    host: String,
    address: String,
    node: Option<String>,
    met: usize,
    not_met: usize,
    not_applicable: usize,
    requirements: Vec<Requirement>,
}

#[derive(Debug, Serialize)]
struct Requirement {
    requirement: String,
    title: &'static str,
    verdict: &'static str,
    because: String,
}

pub(super) async fn run(context: &Context, target: Target) -> Result<(), CliError> {
    let (subject, roots) = (target.subject().await?, target.roots()?);
    context.out.tell(format!("{} at {}", subject.host, subject.address))?;
    if subject.record.is_none() {
        context.out.tell("no record: only what any visitor sees is looked at")?;
    }
    let lines = lint(&subject, &roots, Clock::start(), seed()?).await;
    let lines = lines.map_err(|source| CliError::Unreachable { host: subject.host.clone(), source })?;
    let report = report(&subject, &lines);
    context.out.say(&report, text(&report, &lines))?;
    match report.not_met {
        0 => Ok(()),
        not_met => Err(CliError::NotMet(not_met)),
    }
}

fn report(subject: &Subject, lines: &[Line]) -> Report {
    let count = |verdict| lines.iter().filter(|line| line.finding.verdict == verdict).count();
    let requirement = |line: &Line| Requirement {
        requirement: format!("R{}", line.number),
        title: line.title,
        verdict: line.finding.verdict.as_str(),
        because: line.finding.because.clone(),
    };
    Report {
        host: subject.host.clone(),
        address: subject.address.to_string(),
        node: subject.record.as_ref().map(|signed| signed.record().id().to_string()),
        met: count(Verdict::Met),
        not_met: count(Verdict::NotMet),
        not_applicable: count(Verdict::NotApplicable),
        requirements: lines.iter().map(requirement).collect(),
    }
}

fn text(report: &Report, lines: &[Line]) -> String {
    let line = |line: &Line| {
        let label = format!("R{:<4}{}", line.number, line.finding.verdict);
        behind(&label, INDENT, &format!("{}: {}", line.title, line.finding.because))
    };
    let lines: Vec<String> = lines.iter().map(line).collect();
    let Report { met, not_met, not_applicable, .. } = report;
    format!(
        "{}\n{met} met, {not_met} not met, {not_applicable} not applicable\n\
         `r05_` and the like: tests of this project, which show what one visit cannot",
        lines.join("\n")
    )
}
